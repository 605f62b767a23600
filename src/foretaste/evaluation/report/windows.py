"""The test windows of a rolling split, side by side, their average, and what they show together."""

from foretaste.evaluation.report.contents import ReportInput
from foretaste.evaluation.report.document import Cell, Paragraph, Section, line, number, table, words
from foretaste.evaluation.report.wording import interval_cell, titled, values_by_user
from foretaste.evaluation.significance import compare
from foretaste.evaluation.windows import average


def windows(report: ReportInput) -> Section:
    """The metric of the choice in each window; empty where the split does not roll."""
    title, earlier = "Windows", len(report.chosen.earlier)
    if not earlier:
        return Section(title=title)
    told = (
        f"{earlier + 1} test windows, one right after the other; for each a model was trained on what was before it. "
        f"The average counts each window alike, and on valid it chose the model. All other sections are of window "
        f"{earlier + 1}, the newest, but for the differences at the top."
    )
    columns = [words("model"), *(number(f"window {place}") for place in range(1, earlier + 2)), number("average")]
    judged = {result.label: [*result.earlier, result.test] for result in report.results}
    rows: list[list[str | Cell]] = []
    for label, tests in judged.items():
        means = [f"{window.mean(report.select_by):.4f}" for window in tests]
        rows.append([label, *means, interval_cell(average(tests)[report.select_by])])
    if report.others:
        values = values_by_user(report)
        pairs = [(report.best, other.label) for other in report.others]
        against = {one.reference: one for one in compare(pairs, values)}
        told += (
            f" The difference from {report.best} is over the {len(values[report.best]):,} users of all windows, each "
            f"once with the mean of their windows; p by permutation, corrected by Holm."
        )
        columns += [number(f"{report.best} minus it"), number("p")]
        for row in rows:
            one = against.get(str(row[0]))
            row += ["", ""] if one is None else [interval_cell(one.difference), f"{one.corrected_p:.2g}"]
    caption = f"{titled(report, report.select_by)} on test, oldest window first."
    return Section(title=title, blocks=(Paragraph(text=line(told)), table(caption, columns, rows)))
