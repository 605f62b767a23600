"""The report of a run, as Markdown: made so that someone who was not there can judge the result."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
import yaml

from foretaste.arrays import EMPTY_SLOT
from foretaste.data.interactions import Dataset, Interactions
from foretaste.data.prepare import Audit
from foretaste.data.splits import PartSummary
from foretaste.evaluation.metrics import HIT_METRICS, METRICS, definitions, metric_title, name_of
from foretaste.evaluation.protocol import Evaluation
from foretaste.evaluation.significance import Estimate, bootstrap
from foretaste.evaluation.warnings import EvaluationWarning

_NUM_EXAMPLE_USERS = 3
_EXAMPLE_DEPTH = 10
_HISTORY_SHOWN = 8
_AGAINST = {
    "all": "all items, those already met left out",
    "given": "the candidates that the data gives",
    "sampled": "*sampled* candidates, which flatters every model and may change their order",
}


@dataclass(frozen=True, eq=False)
class ModelResult:
    """One row of the comparison."""

    label: str
    fit_seconds: float
    valid: Evaluation | None
    test: Evaluation
    learning_curve: pl.DataFrame = field(default_factory=pl.DataFrame)
    """A row an epoch, as `LearningCurve.frame` has it; no rows for a model without epochs."""


@dataclass(frozen=True, eq=False)
class ReportInput:
    """Everything that the report tells."""

    run_id: str
    command: str
    """What to type to get the same result."""
    dataset: Dataset
    """Its events are the history that was known when test began."""
    test: Interactions
    audit: Audit
    split_method: str
    parts: dict[str, PartSummary]
    results: Sequence[ModelResult]
    best: str
    """Label of the chosen model."""
    select_by: str
    config: dict[str, Any]
    """The resolved config."""
    versions: dict[str, str]
    warnings: Sequence[EvaluationWarning] = ()
    """What the figures hide; told at the top."""


def render(report: ReportInput) -> str:
    """The report as GitHub-flavoured Markdown."""
    sections = [
        _summary(report),
        _warned(report),
        _comparison(report),
        _warm_users(report),
        _data(report),
        _split(report),
        _examples(report),
        _definitions(report),
        _reproduce(report),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def shown_metrics(metrics: Iterable[str], select_by: str) -> list[str]:
    """The few metrics of a table for people: those of hits, at the cut-off by which the model was chosen."""
    cutoff = select_by.partition("@")[2]
    return [metric for metric in metrics if metric.endswith(f"@{cutoff}") and name_of(metric) in HIT_METRICS]


def _summary(report: ReportInput) -> str:
    best = next(result for result in report.results if result.label == report.best)
    estimate = best.test.estimates[report.select_by]
    title = metric_title(report.select_by, best.test.candidates)
    chosen = "valid" if best.valid is not None else "test, since the split has no validation part"
    lines = [
        f"# {report.run_id}",
        f"**{report.best}** is the best of {len(report.results)} models, chosen by {title} on {chosen}. "
        f"On test it reaches {title} {_interval(estimate)} over {len(best.test.user_B):,} users.",
    ]
    floor = next((result for result in report.results if result.label == "popularity"), None)
    if floor is not None and floor is not best:
        against = floor.test.mean(report.select_by)
        lines.append(f"Popularity, which knows nobody, reaches {against:.4f}.")
    if best.valid is None:
        lines.append("> The choice was made on test: its figure is optimistic. Give the split a validation share.")
    return "\n\n".join(lines)


def _warned(report: ReportInput) -> str:
    if not report.warnings:
        return ""
    told = "\n".join(f"> - **{warning.kind.replace('_', ' ')}**: {warning.text}" for warning in report.warnings)
    return f"> **Before you quote a figure**\n>\n{told}"


def _comparison(report: ReportInput) -> str:
    candidates = report.results[0].test.candidates
    metrics = shown_metrics(report.results[0].test.values, report.select_by)
    header = [
        "model",
        *(metric_title(metric, candidates) for metric in metrics),
        f"{metric_title(report.select_by)} valid",
        "fit s",
    ]
    rows = []
    for result in report.results:
        name = f"**{result.label}**" if result.label == report.best else result.label
        on_valid = "" if result.valid is None else f"{result.valid.mean(report.select_by):.4f}"
        cells = [_interval(result.test.estimates[metric]) for metric in metrics]
        rows.append([name, *cells, on_valid, f"{result.fit_seconds:.1f}"])
    against = _AGAINST[candidates]
    note = (
        "Means over users on test, with 95 % bootstrap intervals. "
        f"Ranked against {against}; ties count against a model."
    )
    return f"## Comparison\n\n{note}\n\n{_table(header, rows)}"


def _warm_users(report: ReportInput) -> str:
    is_cold_B = report.results[0].test.is_cold_B
    if not is_cold_B.any():
        return ""
    if is_cold_B.all():
        return (
            "## Users with a history\n\nNone of the judged users has a history: popularity answered for all of them, "
            "and the models cannot be told apart. Choose a split that leaves users with a past, such as leave_last_out."
        )
    rows = []
    for result in report.results:
        warm = result.test.values[report.select_by][~is_cold_B]
        rows.append([result.label, _interval(bootstrap(warm[:, None])[0])])
    return (
        f"## Users with a history\n\n{int(is_cold_B.sum()):,} of {len(is_cold_B):,} judged users have no history; "
        f"popularity answers for them under every model. The other users alone:\n\n"
        f"{_table(['model', metric_title(report.select_by, report.results[0].test.candidates)], rows)}"
    )


def _data(report: ReportInput) -> str:
    audit, info = report.audit, report.dataset.info
    rows = [["read", f"{audit.rows_read:,}", "", ""]]
    rows += [
        [note.reason, f"−{note.count:,}", f"{note.count / audit.rows_read:.2%}", "; ".join(note.examples)]
        for note in audit.dropped
    ]
    rows.append(["kept", f"{audit.rows_kept:,}", f"{audit.rows_kept / audit.rows_read:.2%}", ""])
    remarks = "".join(f"\n- {note.reason}: {note.count:,}" for note in audit.remarks)
    density = audit.rows_kept / (audit.num_users * audit.num_items)
    return (
        f"## Data\n\n{info.name} (licence: {info.licence}): {audit.num_users:,} users, {audit.num_items:,} items, "
        f"{density:.2%} of all pairs.\n\n{_table(['events', 'count', 'share', 'examples'], rows)}{remarks}"
    )


def _split(report: ReportInput) -> str:
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
    header = ["part", "events", "users", "days", "events unknown to train", "users unknown", "items unknown"]
    return f"## Split\n\nMethod: {report.split_method.replace('_', ' ')}.\n\n{_table(header, rows)}"


def _examples(report: ReportInput) -> str:
    """Lists of the chosen model for a few users with a history, spread evenly over the judged ones."""
    best = next(result for result in report.results if result.label == report.best).test
    warm = np.flatnonzero(~best.is_cold_B)
    if not len(warm):
        return ""
    chosen = warm[np.unique(np.linspace(0, len(warm) - 1, _NUM_EXAMPLE_USERS).astype(int))]
    told = [_example(report, best, int(row)) for row in chosen]
    return (
        f"## What people would see\n\nLists of {report.best}; ✓ marks what the user then really chose.\n\n"
        + "\n\n".join(told)
    )


def _example(report: ReportInput, evaluation: Evaluation, row: int) -> str:
    events, user = report.dataset.interactions, evaluation.user_B[row]
    history = events.item_N[events.user_N == user]
    held_out = set(report.test.item_N[report.test.user_N == user].tolist())
    items = [item for item in evaluation.top.item_BK[row, :_EXAMPLE_DEPTH].tolist() if item != EMPTY_SLOT]
    marks = [" ✓" if item in held_out else "" for item in items]
    titles = report.dataset.titles(np.array(items, dtype=np.int32))
    met = ", ".join(report.dataset.titles(history[-_HISTORY_SHOWN:]))
    order = "last" if events.timestamp_N is not None else "of them"
    listed = "\n".join(
        f"{slot}. {title}{mark}" for slot, (title, mark) in enumerate(zip(titles, marks, strict=True), 1)
    )
    shown = min(len(history), _HISTORY_SHOWN)
    return f"**User {events.users.id(user)}**, {len(history)} events before, the {shown} {order}: {met}\n\n{listed}"


def _definitions(report: ReportInput) -> str:
    judged = report.results[0].test
    names = dict.fromkeys(name_of(metric) for metric in (*judged.values, *judged.catalogue))
    summaries = {name: definition.split("\n\n")[0] for name, definition in definitions(names).items()}
    told = [f"- {METRICS[name].title}: {summary}" for name, summary in summaries.items()]
    return "## Definitions\n\n" + "\n".join(told)


def _reproduce(report: ReportInput) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in report.versions.items())
    config = yaml.safe_dump(report.config, sort_keys=False, allow_unicode=True)
    return (
        f"## Reproduce\n\n```\n{report.command}\n```\n\n"
        f"Data: SHA-256 of the events `{report.dataset.interactions.fingerprint}`. "
        f"Libraries: {versions}.\n\n<details><summary>Resolved config</summary>\n\n```yaml\n{config}```\n\n</details>"
    )


def _interval(estimate: Estimate) -> str:
    return f"{estimate.mean:.4f} [{estimate.low:.4f} {estimate.high:.4f}]"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    body = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in body)
