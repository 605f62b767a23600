"""How the models that learn by gradient got there: loss and validation, epoch by epoch."""

import numpy as np
import polars as pl

from foretaste.evaluation.learning_curve import EPOCH, FIT, REFIT, TRAIN
from foretaste.evaluation.metrics import metric_title
from foretaste.evaluation.report.contents import ModelResult, ReportInput
from foretaste.evaluation.report.document import Block, Curve, Figure, Figures, LineChart, Section, number, table, words

_LOSS, _SPEED, _SECONDS = "loss", "samples_per_second", "seconds"


def learning_curves(report: ReportInput) -> Section:
    """Charts of loss and validation, and a table of what each training took; empty where no model has epochs."""
    learnt = [result for result in report.results if len(result.learning_curve)]
    if not learnt:
        return Section(title="Learning curves")
    figures = [_losses(result) for result in learnt]
    metrics = {name: None for one in learnt for name in one.learning_curve.columns if "@" in name}
    figures += [_validation(metric, learnt) for metric in metrics]
    blocks: list[Block] = [Figures(figures=tuple(figures)), _times(learnt)]
    return Section(title="Learning curves", blocks=tuple(blocks))


def _losses(result: ModelResult) -> Figure:
    """One chart a model: losses of different kinds have no common scale."""
    curves = [
        (fit, label, result.learning_curve.filter(pl.col(FIT) == fit))
        for fit, label in ((TRAIN, "train"), (REFIT, "train and valid"))
    ]
    shown = [(label, rows) for _, label, rows in curves if len(rows)]
    summary = "; ".join(
        f"fitted on {label}, {rows[_LOSS][0]:.4g} after the first epoch and {rows[_LOSS][-1]:.4g} after {len(rows)}"
        for label, rows in shown
    )
    chart = LineChart(
        x_axis="epoch", y_axis="mean loss", curves=tuple(_curve(label, rows, _LOSS) for label, rows in shown)
    )
    return Figure(title=f"Loss of {result.label}", summary=f"{summary}.".capitalize(), chart=chart)


def _validation(metric: str, learnt: list[ModelResult]) -> Figure:
    measured = [
        (result.label, rows)
        for result in learnt
        if metric in result.learning_curve.columns
        and len(rows := result.learning_curve.filter((pl.col(FIT) == TRAIN) & pl.col(metric).is_not_null()))
    ]
    peaks = []
    for label, rows in measured:
        peak = int(rows[metric].arg_max() or 0)
        peaks.append(f"{label} is highest after epoch {rows[EPOCH][peak]}, with {rows[metric][peak]:.4f}")
    title = f"{metric_title(metric)} on valid"
    chart = LineChart(
        x_axis="epoch", y_axis=title, curves=tuple(_curve(label, rows, metric) for label, rows in measured)
    )
    return Figure(title=title, summary=f"{'; '.join(peaks)}.", chart=chart)


def _curve(label: str, rows: pl.DataFrame, column: str) -> Curve:
    return Curve(label=label, x=tuple(rows[EPOCH].cast(pl.Float64)), y=tuple(rows[column]))


def _times(learnt: list[ModelResult]) -> Block:
    rows = []
    for result in learnt:
        for (fit,), part in result.learning_curve.group_by(FIT, maintain_order=True):
            name = f"{result.label}, fitted again on train and valid" if fit == REFIT else result.label
            speed, seconds = np.median(part[_SPEED].to_numpy()), part[_SECONDS].sum()
            rows.append([name, f"{len(part)}", f"{speed:,.0f}", f"{seconds:.1f}"])
    columns = [words("training"), number("epochs"), number("samples/s, median"), number("seconds in all")]
    return table("What the trainings took, validation included in the seconds.", columns, rows)
