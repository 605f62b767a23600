"""Where the rows went, how the events were divided, and what was asked of the models."""

from foretaste.evaluation.protocol import EvaluationConfig
from foretaste.evaluation.report.contents import ReportInput
from foretaste.evaluation.report.document import Block, Bullets, Cell, Paragraph, Section, line, number, table, words

_METHODS = {
    "global_time": "The oldest events train, the next ones validate, the newest test: no model sees the future.",
    "leave_last_out": "The last event of each user is tested, the one before validates. What others did later may be "
    "known.",
    "random": "A random share of each user's events is tested: what a user did later may be known.",
    "given": "The parts are as the files give them, so that figures compare with published ones.",
}
_DRAWN = {"uniform": "drawn uniformly", "popularity": "drawn by popularity"}


def data(report: ReportInput) -> Section:
    """Sizes, and the audit of the preparation."""
    audit, info = report.audit, report.dataset.info
    density = audit.rows_kept / (audit.num_users * audit.num_items)
    told = (
        f"{info.name} (licence: {info.licence}): {audit.num_users:,} users, {audit.num_items:,} items, "
        f"{density:.2%} of all pairs."
    )
    rows: list[list[str | Cell]] = [["read", f"{audit.rows_read:,}", "", ""]]
    rows += [
        [note.reason, f"−{note.count:,}", f"{note.count / audit.rows_read:.2%}", "; ".join(note.examples)]
        for note in audit.dropped
    ]
    rows.append(["kept", f"{audit.rows_kept:,}", f"{audit.rows_kept / audit.rows_read:.2%}", ""])
    columns = [words("events"), number("count"), number("share"), words("examples")]
    if not any(note.examples for note in audit.dropped):
        columns, rows = columns[:-1], [row[:-1] for row in rows]
    blocks: list[Block] = [Paragraph(text=line(told)), table("Where every row went.", columns, rows)]
    if audit.remarks:
        blocks.append(Bullets(items=tuple(line(f"{note.reason}: {note.count:,}") for note in audit.remarks)))
    return Section(title="Data", blocks=tuple(blocks))


def protocol(report: ReportInput) -> Section:
    """The split and the ranking, in words and figures."""
    rows = [
        [
            name,
            f"{part.events:,}",
            f"{part.users:,}",
            f"{part.first} – {part.last}" if part.first else "",
            f"{part.unknown_events:,}",
            f"{part.unknown_users:,}",
            f"{part.unknown_items:,}",
        ]
        for name, part in report.parts.items()
    ]
    columns = [
        words("part"),
        number("events"),
        number("users"),
        words("days"),
        number("events unknown to train"),
        number("users unknown"),
        number("items unknown"),
    ]
    method = report.split_method
    meaning = _METHODS.get(method, "")
    split = Paragraph(text=line(f"Split: {method.replace('_', ' ')}. {meaning}".strip()))
    return Section(
        title="Protocol",
        blocks=(split, table("What each part holds.", columns, rows), Paragraph(text=line(_ranking(report)))),
    )


def _ranking(report: ReportInput) -> str:
    against = _against(report.chosen.test.candidates, EvaluationConfig(**report.config.get("evaluation", {})))
    refitted = (
        " Each model was fitted on train and judged on valid, then fitted again on both and judged on test."
        if report.config.get("refit") and report.chosen.valid is not None
        else ""
    )
    return (
        f"Every user with events in test is ranked against {against}; ties count against a model. Users without a "
        f"history get the popular items under every model.{refitted}"
    )


def _against(candidates: str, config: EvaluationConfig) -> str:
    met = "those already met left out" if config.exclude_seen else "those already met among them"
    match candidates:
        case "given":
            return "the candidates that are given"
        case "sampled":
            drawn = _DRAWN[config.candidate_distribution]
            return (
                f"{config.candidate_samples:,} sampled candidates, {drawn}, which flatters every model and may change "
                f"their order; {met}"
            )
    return f"all items, {met}"
