"""How far the test is from the truth, where the data tells it: the order of models on randomly drawn items."""

from foretaste.evaluation.metrics import metric_title
from foretaste.evaluation.report.contents import ReportInput
from foretaste.evaluation.report.document import Block, Bullets, Cell, Paragraph, Section, line, number, table, words
from foretaste.evaluation.report.wording import interval_cell, titled


def off_line_truth(report: ReportInput) -> Section:
    """Each model's figure on both tests, and the pairs that swap; empty where the data brings no truth."""
    return Section(title="How far the test is from the truth", blocks=_blocks(report))


def _blocks(report: ReportInput) -> tuple[Block, ...]:
    found = report.truth
    if found is None:
        return ()
    told = (
        f"The test above holds out what people chose, and they chose from what reached them. The data also has ratings "
        f"of items that were drawn for them at random: a test without that bias, over {found.num_unbiased_users:,} "
        f"users, each user's drawn items ranked among themselves. The levels of the two do not compare; the order of "
        f"the models does."
    )
    columns = [
        words("model"),
        number(titled(report, found.metric)),
        number(f"{metric_title(found.metric)} on random items"),
    ]
    rows: list[list[str | Cell]] = [
        [name, interval_cell(found.biased[name]), interval_cell(found.unbiased[name])] for name in found.biased
    ]
    caption = "Means over users, with 95 % bootstrap intervals in brackets."
    summary = Bullets(items=tuple(line(sentence) for sentence in found.summary()))
    return (Paragraph(text=line(told)), summary, table(caption, columns, rows))
