"""`simulate`: weeks of a made-up world, to see whether retraining helps."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from foretaste.cli.experiments import ConsoleNarrator
from foretaste.cli.output import JsonOption, console, example, print_json

if TYPE_CHECKING:
    from rich.console import Console

    from foretaste.pipelines.simulation.outcome import SimulationResult
    from foretaste.pipelines.simulation.settings import SimulationConfig

SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a key of the config, as in people.visits_per_week=500."),
]
DEFAULT_ROOT = Path("artifacts/simulations")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        epilog=example(
            "foretaste simulate --weeks 8",
            "foretaste simulate configs/simulate.yaml --seeds 2 --set people.visits_per_week=500 --json",
        )
    )(simulate)


def simulate(
    config: Annotated[
        Path | None,
        typer.Argument(metavar="CONFIG", help="YAML of the simulation; the built-in one without.", show_default=False),
    ] = None,
    weeks: Annotated[int | None, typer.Option(help="Weeks that are simulated.", show_default="8")] = None,
    seeds: Annotated[int | None, typer.Option(help="Worlds that live through them.", show_default="5")] = None,
    overrides: SetOption = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the page and all else; it is made.", show_default=f"{DEFAULT_ROOT}/TIME-NAME"),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Let made-up people use a service for weeks: never retrained, retrained, or by an oracle; and compare."""
    options = [f"{key}={value}" for key, value in (("weeks", weeks), ("seeds", seeds)) if value is not None]
    loaded = _config(config, [*(overrides or []), *options])
    from foretaste.pipelines.simulation.simulate import new_folder
    from foretaste.pipelines.simulation.simulate import simulate as run_simulation

    folder = out or new_folder(DEFAULT_ROOT, loaded.name)
    to = console(as_json)
    command = shlex.join(["foretaste", "simulate", *_repeated(config, weeks, seeds, overrides)])
    result = run_simulation(loaded, folder, command, ConsoleNarrator(to))
    if as_json:
        print_json(result.to_json())
    else:
        _print(to, result)


def _config(path: Path | None, overrides: list[str]) -> "SimulationConfig":
    from foretaste.config import config_of, load_config
    from foretaste.pipelines.simulation.settings import SimulationConfig, built_in

    return (
        load_config(path, SimulationConfig, overrides) if path else config_of(overrides, SimulationConfig, built_in())
    )


def _repeated(config: Path | None, weeks: int | None, seeds: int | None, overrides: list[str] | None) -> list[str]:
    """The options as they were typed, without those that tell where to."""
    told = [] if config is None else [str(config)]
    told += [] if weeks is None else ["--weeks", str(weeks)]
    told += [] if seeds is None else ["--seeds", str(seeds)]
    for override in overrides or []:
        told += ["--set", override]
    return told


def _print(out: "Console", result: "SimulationResult") -> None:
    from rich import box
    from rich.table import Table

    from foretaste.evaluation.report.document import Bullets, Paragraph, plain
    from foretaste.pipelines.simulation.outcome import ARMS
    from foretaste.pipelines.simulation.page import opening

    table = Table(title="Clicks per slot shown", title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("week", justify="right")
    for arm in ARMS:
        table.add_column(arm, justify="right")
    columns = [result.weekly(arm, lambda week: week.click_through) for arm in ARMS]
    for week, values in enumerate(zip(*columns, strict=True), 1):
        table.add_row(str(week), *(f"{value:.3f}" for value in values))
    out.print(table)
    for block in opening(result):
        match block:
            case Paragraph():
                out.print(plain(block.text), soft_wrap=True, markup=False)
            case Bullets():
                for item in block.items:
                    out.print(f"- {plain(item)}", soft_wrap=True, markup=False)
