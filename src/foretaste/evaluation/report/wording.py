"""How figures are written, in the report and on the console."""

from collections.abc import Iterable

from foretaste.arrays import DoubleArray
from foretaste.evaluation.metrics import METRICS, metric_title, name_of
from foretaste.evaluation.report.contents import ReportInput
from foretaste.evaluation.report.document import Cell
from foretaste.evaluation.significance import Estimate
from foretaste.evaluation.windows import by_user


def titled(report: ReportInput, metric: str) -> str:
    """A metric as people write it, with the word that says what was ranked where that was not every item."""
    return metric_title(metric, report.chosen.test.candidates)


def titled_on_valid(report: ReportInput, metric: str) -> str:
    """The same for its figure on valid; where there is none, the choice was made on test."""
    return metric_title(metric, (report.chosen.valid or report.chosen.test).candidates)


def values_by_user(report: ReportInput) -> dict[str, DoubleArray]:
    """Label → the metric of the choice for each user: the mean over the windows of the user, where the split rolls."""
    return {result.label: by_user([*result.earlier, result.test], report.select_by) for result in report.results}


def metrics_of(report: ReportInput, *kinds: str) -> list[str]:
    """The few metrics of a table for people: those of the kinds, at the cut-off by which the model was chosen."""
    cutoff = report.select_by.partition("@")[2]
    test = report.chosen.test
    named = [metric for metric in (*test.values, *test.catalogue) if METRICS[name_of(metric)].kind in kinds]
    return [metric for metric in named if metric.partition("@")[2] in ("", cutoff)]


def interval(estimate: Estimate, decimals: int = 4) -> str:
    """`0.1234 [0.1000 0.1500]`."""
    return f"{estimate.mean:.{decimals}f} [{estimate.low:.{decimals}f} {estimate.high:.{decimals}f}]"


def interval_cell(estimate: Estimate, decimals: int = 4, *, is_strong: bool = False) -> Cell:
    """A mean, and its interval in smaller letters."""
    detail = f"[{estimate.low:.{decimals}f} {estimate.high:.{decimals}f}]"
    return Cell(text=f"{estimate.mean:.{decimals}f}", detail=detail, is_strong=is_strong)


def listed(names: Iterable[str], last: str = "and") -> str:
    """`a, b and c`."""
    *before, final = names
    return f"{', '.join(before)} {last} {final}" if before else final
