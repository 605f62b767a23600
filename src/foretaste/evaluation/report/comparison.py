"""All models side by side: the table, the intervals as a chart, and the users with a history alone."""

from collections.abc import Iterator

from foretaste.evaluation.report.contents import ReportInput
from foretaste.evaluation.report.document import (
    Block,
    Cell,
    Figure,
    Figures,
    Interval,
    IntervalChart,
    Paragraph,
    Section,
    line,
    number,
    table,
    words,
)
from foretaste.evaluation.report.wording import interval, interval_cell, metrics_of, titled, titled_on_valid
from foretaste.evaluation.significance import Estimate, bootstrap


def comparison(report: ReportInput) -> Section:
    """The table of all models, and a chart of the metric that decided."""
    metrics = metrics_of(report, "hits", "ranking")
    title = titled(report, report.select_by)
    has_valid = any(result.valid is not None for result in report.results)
    columns = [
        words("model"),
        *(number(titled(report, metric)) for metric in metrics),
        *([number(f"{titled_on_valid(report, report.select_by)} valid")] if has_valid else []),
        number("fit s"),
    ]
    rows: list[list[str | Cell]] = []
    for result in report.results:
        is_best = result.label == report.best
        figures = [
            interval_cell(result.test.estimates[metric], is_strong=is_best and metric == report.select_by)
            for metric in metrics
        ]
        on_valid = [] if not has_valid else [f"{result.valid.mean(report.select_by):.4f}" if result.valid else ""]
        rows.append([Cell(text=result.label, is_strong=is_best), *figures, *on_valid, f"{result.fit_seconds:.1f}"])
    caption = "Means over users on test, with 95 % bootstrap intervals over users in brackets."
    blocks = (Figures(figures=tuple(_charts(report, title))), table(caption, columns, rows))
    return Section(title="Comparison", blocks=blocks)


def _charts(report: ReportInput, title: str) -> Iterator[Figure]:
    """All users; and those with a history alone, where not all or none have one."""
    estimates = {result.label: result.test.estimates[report.select_by] for result in report.results}
    yield interval_figure(f"{title} on test, all users", title, estimates, report.best)
    is_cold_B = report.chosen.test.is_cold_B
    if is_cold_B.any() and not is_cold_B.all():
        yield interval_figure(f"{title} on test, users with a history", title, _warm(report), report.best)


def _warm(report: ReportInput) -> dict[str, Estimate]:
    """Of the users with a history alone."""
    is_warm_B = ~report.chosen.test.is_cold_B
    return {
        result.label: bootstrap(result.test.values[report.select_by][is_warm_B][:, None])[0]
        for result in report.results
    }


def warm_users(report: ReportInput) -> Section:
    """The same without the users for whom popularity answered; empty where there is none of those."""
    return Section(title="Users with a history", blocks=_warm_users(report))


def _warm_users(report: ReportInput) -> tuple[Block, ...]:
    is_cold_B = report.results[0].test.is_cold_B
    if not is_cold_B.any():
        return ()
    if is_cold_B.all():
        told = (
            "None of the judged users has a history: popularity answered for all of them, and the models cannot be "
            "told apart. Choose a split that leaves users with a past, such as leave_last_out."
        )
        return (Paragraph(text=line(told), role="warning"),)
    told = (
        f"{int(is_cold_B.sum()):,} of {len(is_cold_B):,} judged users have no history; popularity answers for them "
        f"under every model. The other users alone:"
    )
    rows: list[list[str | Cell]] = [[label, interval_cell(estimate)] for label, estimate in _warm(report).items()]
    columns = [words("model"), number(titled(report, report.select_by))]
    return (Paragraph(text=line(told)), table("Means over the test users with a history.", columns, rows))


def interval_figure(
    title: str,
    axis: str,
    estimates: dict[str, Estimate],
    best: str = "",
    *,
    decimals: int = 4,
    reference: float | None = None,
) -> Figure:
    """A chart of labelled means with their intervals: one of them in strong type, all against a reference, if told."""
    intervals = tuple(
        Interval(label=label, value=one.mean, low=one.low, high=one.high, is_strong=label == best)
        for label, one in estimates.items()
    )
    summary = "; ".join(f"{label} {interval(one, decimals)}" for label, one in estimates.items()) + "."
    chart = IntervalChart(axis=axis, intervals=intervals, decimals=decimals, reference=reference)
    return Figure(title=title, summary=summary, chart=chart)
