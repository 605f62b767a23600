"""`retrain`: what people did becomes a better model, once or again and again."""

import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from foretaste.cli.experiments import DEFAULT_ARTIFACTS, ArtifactsOption, ConsoleNarrator
from foretaste.cli.output import JsonOption, console, example, print_json

if TYPE_CHECKING:
    from rich.console import Console

    from foretaste.pipelines.retraining.records import Retraining

_CONFIG = "configs/retrain.yaml"
_FAILED = 1
"""Exit code where the challenger was refused."""
_STYLES = {"promoted": "bold green", "kept": "bold", "skipped": "bold", "planned": "bold", "refused": "bold red"}

ConfigArgument = Annotated[Path, typer.Argument(metavar="CONFIG", help="YAML of the loop.", show_default=False)]


SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a key of the config, as in schedule.every_hours=6."),
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        epilog=example(
            f"foretaste retrain {_CONFIG} --dry-run",
            f"foretaste retrain {_CONFIG} --warm-start --json",
            f"foretaste retrain {_CONFIG} --watch --set schedule.new_events=5000",
        ),
    )(retrain)


def retrain(
    config: ConfigArgument,
    watch: Annotated[
        bool, typer.Option("--watch/--once", help="Train whenever the schedule asks, until Ctrl-C, or once.")
    ] = False,
    warm_start: Annotated[
        bool | None,
        typer.Option("--warm-start/--cold-start", help="Begin where the live model ended.", show_default="warm_start"),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Merge and check, and say what would be trained; write nothing.")
    ] = False,
    overrides: SetOption = None,
    artifacts: ArtifactsOption = DEFAULT_ARTIFACTS,
    as_json: JsonOption = False,
) -> None:
    """Join the log's feedback to the data, train, and promote what is no worse than what is live.

    Exit code 0 when the new model was promoted, or the live one kept; 1 when the new one was refused.
    """
    from foretaste.config import load_config
    from foretaste.errors import ConfigError
    from foretaste.pipelines.retraining.settings import RetrainConfig

    if watch and dry_run:
        raise ConfigError("--watch trains and --dry-run does not; leave one out.")
    begins = [] if warm_start is None else [f"warm_start={str(warm_start).lower()}"]
    loaded = load_config(config, RetrainConfig, [*(overrides or []), *begins])
    out = console(as_json)
    narrator = ConsoleNarrator(out)
    if watch:
        from foretaste.pipelines.retraining.schedule import keep_training

        def tell(record: "Retraining") -> None:
            _tell(out, record, as_json)

        signal.signal(signal.SIGTERM, signal.default_int_handler)  # an orchestrator's wish, as clean as Ctrl-C
        try:
            keep_training(loaded, artifacts, narrator, on_end=tell)
        except KeyboardInterrupt:
            out.print(f"[bold]{'stopped':<10}[/bold]nothing was left half done")
        return
    from foretaste.pipelines.retraining.retrain import retrain as retrain_once

    record = retrain_once(loaded, artifacts, narrator, dry_run=dry_run)
    _tell(out, record, as_json)
    if record.outcome == "refused":
        raise typer.Exit(_FAILED)


def _tell(out: "Console", record: "Retraining", as_json: bool) -> None:
    if as_json:
        print_json(record.to_json())
        return
    live = f"{record.champion} goes on serving" if record.champion else "nothing is live"
    told = {
        "promoted": f"{record.challenger} → production" + (f", after {record.champion}" if record.champion else ""),
        "kept": live,
        "refused": live,
        "skipped": live,
        "planned": " ".join(record.reasons),
    }
    out.print(f"[{_STYLES[record.outcome]}]{record.outcome:<10}[/]{told[record.outcome]}", soft_wrap=True)
    if record.challenger is None and record.outcome != "planned":  # else the guard has said why
        for reason in record.reasons:
            out.print(f"{'':<10}{reason}", soft_wrap=True, markup=False)
