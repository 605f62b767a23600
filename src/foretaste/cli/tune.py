"""`tune`: from a config with a search space to a better config."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from foretaste.cli.experiments import (
    DEFAULT_ARTIFACTS,
    ArtifactsOption,
    BadRowsOption,
    ConfigArgument,
    ConsoleNarrator,
    SetOption,
    load_experiment,
)
from foretaste.cli.output import JsonOption, console, example, print_json, text_table

if TYPE_CHECKING:
    from rich.console import Console

_CONFIG = "configs/tune-movielens-100k.yaml"
_PARTS = ("valid", "test")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=example(f"foretaste tune {_CONFIG}", f"foretaste tune {_CONFIG} --trials 40 --json"))(tune)


def tune(
    config: ConfigArgument,
    trials: Annotated[
        int | None, typer.Option(min=1, help="Trials in all, earlier starts included.", show_default="tune.trials")
    ] = None,
    overrides: SetOption = None,
    on_bad_rows: BadRowsOption = None,
    artifacts: ArtifactsOption = DEFAULT_ARTIFACTS,
    as_json: JsonOption = False,
) -> None:
    """Try hyperparameters on valid, judge the best on test, and write it as a config.

    The same command continues a study that was interrupted; started several times at once, the processes share it.
    """
    total = [] if trials is None else [f"tune.trials={trials}"]
    loaded = load_experiment(config, [*(overrides or []), *total], on_bad_rows)
    from foretaste.pipelines.tune import tune as tune_pipeline

    out = console(as_json)
    result = tune_pipeline(loaded, artifacts, ConsoleNarrator(out))
    if as_json:
        print_json(result)
    elif result["trials"]["running"]:
        out.print(f"{result['trials']['running']} trials still run in other processes; the last one tells the result.")
    else:
        _print_result(out, result)


def _print_result(out: "Console", result: dict[str, Any]) -> None:
    from foretaste.evaluation.metrics import metric_title
    from foretaste.pipelines.tune import shown

    best, defaults, gain, metric = result["best"], result["defaults"], result["gain"], result["metric"]
    titles = (f"{metric_title(metric, best[part][metric].get('candidates', 'all'))} {part}" for part in _PARTS)
    table = text_table(result["model"], *titles)
    if defaults is not None:
        table.add_row("defaults", *(_estimate(defaults[part][metric]) for part in _PARTS))
    table.add_row("[bold green]best[/]", *(_estimate(best[part][metric]) for part in _PARTS))
    if gain is not None:
        table.add_row("gain", *(_gain(gain[part]) for part in _PARTS))
    out.print()
    out.print(table)
    out.print("[dim]means over users, 95 % intervals; valid chose among the trials, which flatters it[/dim]\n")
    counts = " · ".join(f"{count} {state}" for state, count in result["trials"].items() if count)
    found = "the config's own values" if best == defaults else f"trial {best['trial']}: {shown(best['values'])}"
    for stage, text in (("study", f"{result['folder']}  {counts}"), ("best", found)):
        out.print(f"[bold]{stage:<10}[/bold]{text}", soft_wrap=True)
    out.print(f"[bold]{'next':<10}[/bold]foretaste run {result['config']}", soft_wrap=True)


def _estimate(estimate: Mapping[str, float]) -> str:
    return f"{estimate['mean']:.4f} [dim]\\[{estimate['low']:.4f} {estimate['high']:.4f}][/dim]"


def _gain(gain: Mapping[str, float]) -> str:
    return f"{gain['mean']:+.4f} [dim]\\[{gain['low']:+.4f} {gain['high']:+.4f}] p {gain['p']:.3f}[/dim]"
