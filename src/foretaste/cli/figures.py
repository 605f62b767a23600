"""Figures as people read them: the table of models with intervals, and the warnings below it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from foretaste.cli.output import text_table

if TYPE_CHECKING:
    from rich.console import Console

    from foretaste.evaluation.protocol import Evaluation
    from foretaste.evaluation.warnings import EvaluationWarning


def print_warnings(out: "Console", warnings: "Sequence[EvaluationWarning]") -> None:
    """What makes the figures less than they seem; nothing where nothing does."""
    from rich.text import Text

    for warning in warnings:
        out.print(Text.assemble(("warning   ", "bold yellow"), warning.text), soft_wrap=True)
    if warnings:
        out.print()


def print_figures(
    out: "Console",
    select_by: str,
    rows: "Sequence[tuple[str, Evaluation, float | None]]",
    best: str | None = None,
) -> None:
    """A row a model: label, evaluation, and the seconds of its fit where there was one; the best in green."""
    from foretaste.evaluation.metrics import metric_title

    cutoff = select_by.partition("@")[2]
    shown = dict.fromkeys([select_by, f"recall@{cutoff}", f"hit_rate@{cutoff}"])
    metrics = [metric for metric in shown if metric in rows[0][1].values]
    table = text_table("model", *(metric_title(metric, rows[0][1].candidates) for metric in metrics))
    if rows[0][2] is not None:
        table.add_column("fit s", justify="right", no_wrap=True)
    for label, evaluation, seconds in rows:
        estimates: Any = [evaluation.estimates[metric] for metric in metrics]
        cells = [f"{one.mean:.3f} [dim]\\[{_short(one.low)} {_short(one.high)}][/dim]" for one in estimates]
        fit = [] if seconds is None else [f"{seconds:.1f}"]
        table.add_row(f"[bold green]{label}[/]" if label == best else label, *cells, *fit)
    out.print()
    out.print(table)
    out.print(f"[dim]means over test users, 95 % intervals in brackets{_ranked_against(rows[0][1])}[/dim]\n")


def print_windows(out: "Console", metric: str, windows: "Mapping[str, Sequence[Evaluation]]") -> None:
    """A row a model: one metric in each test window of a rolling split, oldest first, and its average."""
    from foretaste.evaluation.metrics import metric_title
    from foretaste.evaluation.windows import average

    first = next(iter(windows.values()))
    places = (f"window {place + 1}" for place in range(len(first)))
    table = text_table(metric_title(metric, first[0].candidates), *places, "average")
    for label, judged in windows.items():
        whole = average(judged)[metric]
        means = [f"{window.mean(metric):.3f}" for window in judged]
        table.add_row(label, *means, f"{whole.mean:.3f} [dim]\\[{_short(whole.low)} {_short(whole.high)}][/dim]")
    out.print(table)
    out.print(f"[dim]test windows, oldest first; the table above is of window {len(first)}[/dim]\n")


def _ranked_against(evaluation: "Evaluation") -> str:
    """What must not be forgotten where not every item was ranked."""
    return {
        "all": "",
        "given": "; ranked against the given candidates alone",
        "sampled": "; ranked against sampled candidates alone, which flatters every model",
    }[evaluation.candidates]


def _short(value: float) -> str:
    """Three digits without the leading zero, as .123."""
    return f"{value:.3f}".removeprefix("0")
