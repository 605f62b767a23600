"""`demo`, `run`, `train`: from a config to results."""

import shlex
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from foretaste.cli.figures import print_figures, print_warnings, print_windows
from foretaste.cli.output import (
    JsonOption,
    Report,
    console,
    example,
    print_json,
    progress_bar,
)

if TYPE_CHECKING:
    from rich.console import Console

    from foretaste.config import ExperimentConfig
    from foretaste.pipelines.run import RunResult

DEFAULT_ARTIFACTS = Path("artifacts")

ConfigArgument = Annotated[Path, typer.Argument(metavar="CONFIG", help="YAML of the experiment.", show_default=False)]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Override a key of the config, as in models.als.embedding_dim=128."
    ),
]
ArtifactsOption = Annotated[Path, typer.Option("--artifacts", help="Folder for bundles and runs.")]
BadRowsOption = Annotated[
    str | None,
    typer.Option("--on-bad-rows", metavar="quarantine|drop|fail", help="What happens to rows that cannot be read."),
]
TrackingUriOption = Annotated[
    str | None,
    typer.Option(
        "--tracking-uri", metavar="URI", help="MLflow store or server, as in sqlite:///mlflow.db.", show_default=False
    ),
]
_RUN_CONFIG = "configs/movielens-100k.yaml"


class ConsoleNarrator:
    """Tells each stage as a line, and long ones by a progress bar."""

    def __init__(self, to: "Console") -> None:
        self._console = to

    def say(self, stage: str, text: str) -> None:
        """Print the stage and what came out of it."""
        self._console.print(f"[bold]{stage:<10}[/bold]", text, sep="", soft_wrap=True)

    def progress(self, description: str) -> AbstractContextManager[Report]:
        """Show a bar while the stage lasts."""
        return progress_bar(description)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog=example("foretaste demo"))(demo)
    app.command(epilog=example(f"foretaste run {_RUN_CONFIG}", f"foretaste run {_RUN_CONFIG} --set seed=1 --json"))(run)
    app.command(
        epilog=example(
            f"foretaste train {_RUN_CONFIG} --model als",
            f"foretaste train {_RUN_CONFIG} --model als --warm-start production",
        )
    )(train)


def demo(artifacts: ArtifactsOption = DEFAULT_ARTIFACTS, as_json: JsonOption = False) -> None:
    """From built-in data to recommendations, in under a minute."""
    out = console(as_json)
    result = show_demo(out, ConsoleNarrator(out), artifacts)
    if as_json:
        print_json(result.to_json())


def show_demo(out: "Console", narrator: ConsoleNarrator, artifacts: Path) -> "RunResult":
    """Run the demo and tell it on a console."""
    from foretaste.pipelines.demo import demo_config, typical_user
    from foretaste.pipelines.run import run as run_pipeline

    config = demo_config()
    out.print("A small world of people and films, made up, so that their true tastes are known.\n", soft_wrap=True)
    result = run_pipeline(config, artifacts, ["foretaste", "demo"], narrator)
    _print_comparison(out, config, result)
    print_warnings(out, result.warnings)
    user_id = typical_user(result)
    _print_recommendations(out, result, user_id)
    out.print()
    _print_next(out, "foretaste serve", f"foretaste recommend --user {user_id}", "README.md")
    return result


def run(
    config: ConfigArgument,
    overrides: SetOption = None,
    on_bad_rows: BadRowsOption = None,
    artifacts: ArtifactsOption = DEFAULT_ARTIFACTS,
    promote: Annotated[bool, typer.Option(help="Make the published bundle the live one.")] = True,
    track: Annotated[
        bool | None, typer.Option(help="Send the run to MLflow.", show_default="where the config says so")
    ] = None,
    tracking_uri: TrackingUriOption = None,
    as_json: JsonOption = False,
) -> None:
    """Prepare, split, train, compare, publish the best and write a report."""
    loaded = load_experiment(config, overrides, on_bad_rows)
    from foretaste.pipelines.run import run as run_pipeline
    from foretaste.pipelines.tracking import destination

    track_to = destination(loaded, artifacts, uri=tracking_uri, wanted=track)
    out = console(as_json)
    command = ["foretaste", "run", str(config), *_repeated(overrides, on_bad_rows)]
    result = run_pipeline(loaded, artifacts, command, ConsoleNarrator(out), promote=promote, track_to=track_to)
    _print_comparison(out, loaded, result)
    print_warnings(out, result.warnings)
    if as_json:
        print_json(result.to_json())
        return
    at = "" if artifacts == DEFAULT_ARTIFACTS else f" --store {shlex.quote(str(artifacts / 'bundles'))}"
    if not promote:
        _print_next(out, f"foretaste bundles promote {result.bundle_id}{at}")
        return
    user_id = shlex.quote(result.divided.prepared.dataset.interactions.users.id(0))
    _print_next(out, f"foretaste recommend --user {user_id}{at}", f"foretaste serve{at}")


def train(
    config: ConfigArgument,
    model: Annotated[str | None, typer.Option(help="Label of the model; all of the config by default.")] = None,
    overrides: SetOption = None,
    on_bad_rows: BadRowsOption = None,
    artifacts: ArtifactsOption = DEFAULT_ARTIFACTS,
    promote: Annotated[bool, typer.Option(help="Make the last bundle the live one.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Continue a training that was interrupted.")] = False,
    warm_start: Annotated[
        str | None,
        typer.Option(
            "--warm-start", metavar="BUNDLE|production", help="Begin where this bundle ended.", show_default=False
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Fit models on all events before test and write a bundle of each, without judging them."""
    loaded = load_experiment(config, overrides, on_bad_rows)
    from foretaste.pipelines.train import CHECKPOINTS
    from foretaste.pipelines.train import train as train_pipeline
    from foretaste.training.processes import is_writer

    out = ConsoleNarrator(console(as_json))
    try:
        bundles = train_pipeline(
            loaded, artifacts, out, label=model, promote=promote, resume=resume, warm_start=warm_start
        )
    except KeyboardInterrupt:
        if is_writer() and any((artifacts / CHECKPOINTS).glob(f"{loaded.name}-*/**/*.pt")):
            out.say("stopped", "the same command with --resume continues where it was")
        raise
    if as_json:
        print_json({"bundles": [{"model": label, "bundle_id": bundle.id} for label, bundle in bundles.items()]})


def load_experiment(path: Path, overrides: list[str] | None, on_bad_rows: str | None) -> "ExperimentConfig":
    """The config of a command, its options laid over the file; refused before any data is read."""
    from foretaste.config import ExperimentConfig, load_config

    bad_rows = [] if on_bad_rows is None else [f"bad_rows.on_bad_rows={on_bad_rows}"]
    return load_config(path, ExperimentConfig, [*(overrides or []), *bad_rows])


def _repeated(overrides: list[str] | None, on_bad_rows: str | None) -> Iterator[str]:
    """The options as they were typed."""
    for override in overrides or []:
        yield from ("--set", override)
    if on_bad_rows is not None:
        yield from ("--on-bad-rows", on_bad_rows)


def _print_comparison(out: "Console", config: "ExperimentConfig", result: "RunResult") -> None:
    rows = [(one.label, one.test, one.fit_seconds) for one in result.judged]
    print_figures(out, config.evaluation.select_by, rows, best=result.best)
    if result.divided.earlier:
        windows = {one.label: [window.test for window in one.windows] for one in result.judged}
        print_windows(out, config.evaluation.select_by, windows)


def _print_next(out: "Console", *commands: str) -> None:
    from rich.text import Text

    out.print(Text.assemble((f"{'next':<10}", "bold"), "   ·   ".join(commands)), soft_wrap=True)


def _print_recommendations(out: "Console", result: "RunResult", user_id: str) -> None:
    from foretaste.pipelines.demo import recommendations_with_reasons

    told = recommendations_with_reasons(result, user_id, k=10)
    out.print(f"[bold]For user {user_id}[/bold], who last chose: {', '.join(told.last_titles)}\n", soft_wrap=True)
    for slot, (title, reason) in enumerate(told.rows, 1):
        out.print(f"{slot:>4}  {title:<34}[dim]because of[/dim] {reason}")
