"""The test windows of a rolling split, side by side, and their average."""

from foretaste.evaluation.report.contents import ReportInput
from foretaste.evaluation.report.document import Cell, Paragraph, Section, line, number, table, words
from foretaste.evaluation.report.wording import interval_cell, titled
from foretaste.evaluation.windows import average


def windows(report: ReportInput) -> Section:
    """The metric of the choice in each window; empty where the split does not roll."""
    title, earlier = "Windows", len(report.chosen.earlier)
    if not earlier:
        return Section(title=title)
    told = (
        f"{earlier + 1} test windows, one right after the other; for each a model was trained on what was before it. "
        f"The average counts each window alike, and on valid it chose the model. All other sections are of window "
        f"{earlier + 1}, the newest."
    )
    columns = [words("model"), *(number(f"window {place}") for place in range(1, earlier + 2)), number("average")]
    rows: list[list[str | Cell]] = []
    for result in report.results:
        judged = [*result.earlier, result.test]
        means = [f"{window.mean(report.select_by):.4f}" for window in judged]
        rows.append([result.label, *means, interval_cell(average(judged)[report.select_by])])
    caption = f"{titled(report, report.select_by)} on test, oldest window first."
    return Section(title=title, blocks=(Paragraph(text=line(told)), table(caption, columns, rows)))
