"""What the lists are like beside being right."""

from foretaste.evaluation.metrics import METRICS, metric_title, name_of
from foretaste.evaluation.report.contents import ModelResult, ReportInput
from foretaste.evaluation.report.document import Block, Bullets, Cell, Section, line, number, table, words
from foretaste.evaluation.report.wording import interval_cell, metrics_of, titled

_DECIMALS = 3
_BETTER = {"higher": ", more is better", "lower": ", less is better", None: ""}


def beyond_accuracy(report: ReportInput) -> Section:
    """Novelty, variety, spread over the catalogue and more, of every model; and what could not be measured."""
    metrics = metrics_of(report, "list", "catalogue")
    blocks: list[Block] = []
    if metrics:
        columns = [words("model"), *(number(_heading(report, metric)) for metric in metrics)]
        rows = [
            [Cell(text=result.label, is_strong=result.label == report.best), *(_cell(result, one) for one in metrics)]
            for result in report.results
        ]
        blocks.append(
            table("Of the lists on test; intervals over users where a figure is one of users.", columns, rows)
        )
    if report.chosen.test.omitted:
        told = (f"{metric_title(name)} is left out: {reason}." for name, reason in report.chosen.test.omitted.items())
        blocks.append(Bullets(items=tuple(line(one) for one in told)))
    return Section(title="Beyond accuracy", blocks=tuple(blocks))


def _heading(report: ReportInput, metric: str) -> str:
    return titled(report, metric) + _BETTER[METRICS[name_of(metric)].better]


def _cell(result: ModelResult, metric: str) -> Cell:
    if metric in result.test.catalogue:
        return Cell(text=f"{result.test.catalogue[metric]:.{_DECIMALS}f}")
    estimate = result.test.estimates.get(metric)
    return Cell(text="") if estimate is None else interval_cell(estimate, _DECIMALS)
