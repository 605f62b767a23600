"""For whom, and for which items, the models work."""

from foretaste.evaluation.report.comparison import interval_figure
from foretaste.evaluation.report.contents import ReportInput
from foretaste.evaluation.report.document import Block, Cell, Figures, Section, Table, number, table, words
from foretaste.evaluation.report.wording import titled

_CAPTIONS = {
    "users": "Groups of judged users, by how much of a history they have.",
    "items": "Groups of items that were to be found: only those count as relevant, over the users who have any.",
}


def slices(report: ReportInput) -> Section:
    """The metric that decided, for groups of users and of items, under every model."""
    found, metric = report.chosen.test.slices, report.select_by
    if not found:
        return Section(title="Slices")
    title = titled(report, metric)
    estimates = {name: one.estimate(metric) for name, one in found.items() if metric in one.values}
    overall = report.chosen.test.mean(metric)
    chart = interval_figure(
        f"{title} of {report.best} by group", f"{title}; the line is all users", estimates, reference=overall
    )
    tables = [_table(report, kind) for kind in _CAPTIONS if any(one.of == kind for one in found.values())]
    blocks: list[Block] = [Figures(figures=(chart,)), *tables]
    return Section(title="Slices", blocks=tuple(blocks))


def _table(report: ReportInput, kind: str) -> Table:
    metric = report.select_by
    columns = [
        words("group"),
        number("users"),
        number("events to find"),
        *(number(f"{titled(report, metric)} {result.label}") for result in report.results),
    ]
    rows: list[list[str | Cell]] = []
    for name, one in report.chosen.test.slices.items():
        if one.of == kind:
            means = [result.test.slices[name].mean(metric) for result in report.results]
            highest = max(means)
            figures = [
                Cell(text=f"{mean:.4f}", is_strong=mean == highest and means.count(highest) == 1) for mean in means
            ]
            label = Cell(text=name, detail=one.definition)
            rows.append([label, f"{len(one.user_B):,}", f"{one.num_relevant:,}", *figures])
    return table(_CAPTIONS[kind], columns, rows)
