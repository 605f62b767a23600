"""`evaluate`: how good a bundle is, or the lists of any tool; and what each metric means."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from foretaste.cli.experiments import BadRowsOption, ConsoleNarrator, SetOption, load_experiment
from foretaste.cli.figures import print_figures, print_warnings
from foretaste.cli.output import JsonOption, StoreOption, console, example, print_json
from foretaste.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import Console

    from foretaste.evaluation.protocol import Evaluation

_CONFIG_SUFFIXES = (".yaml", ".yml")


def register(app: typer.Typer) -> None:
    """Add the command."""
    examples = example(
        "foretaste evaluate configs/movielens-100k.yaml --bundle production",
        "foretaste evaluate lists.csv --against test.csv --history train.csv --items items.csv",
        "foretaste evaluate --explain",
    )
    app.command(epilog=examples)(evaluate)


def evaluate(
    what: Annotated[
        Path | None,
        typer.Argument(
            metavar="CONFIG | RECOMMENDATIONS",
            help="YAML of an experiment, to judge a bundle; or a table of user, item, and rank or score: CSV, TSV, "
            "JSON lines or Parquet.",
            show_default=False,
        ),
    ] = None,
    bundle: Annotated[str, typer.Option(help="With a config: id of the bundle, or production.")] = "production",
    against: Annotated[
        Path | None, typer.Option(metavar="TEST", help="With recommendations: the held-out events, user and item.")
    ] = None,
    history: Annotated[
        Path | None, typer.Option(metavar="TRAIN", help="Events that were known when the lists were made.")
    ] = None,
    items: Annotated[Path | None, typer.Option(metavar="ITEMS", help="The catalogue, with genres.")] = None,
    min_rating: Annotated[
        float | None, typer.Option(help="Held-out events rated below are not hoped for; all are by default.")
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Print the exact definition of every metric.")] = False,
    overrides: SetOption = None,
    on_bad_rows: BadRowsOption = None,
    store: StoreOption = Path("artifacts/bundles"),
    as_json: JsonOption = False,
) -> None:
    """Judge a bundle on the test part of its data, or the recommendations of any tool, by the same protocol."""
    if explain:
        _explain(as_json)
        return
    if what is None:
        raise ConfigError(
            "nothing to judge: give a config, as in foretaste evaluate configs/demo.yaml, or a table of "
            "recommendations, as in foretaste evaluate lists.csv --against test.csv; or ask for --explain."
        )
    tables = {"--against": against, "--history": history, "--items": items, "--min-rating": min_rating}
    if what.suffix in _CONFIG_SUFFIXES:
        given = [option for option, value in tables.items() if value is not None]
        if given:
            raise ConfigError(f"{', '.join(given)}: goes with a table of recommendations, and {what} is a config.")
        _evaluate_bundle(what, bundle, overrides, on_bad_rows, store, as_json)
        return
    if against is None:
        raise ConfigError(
            f"{what}: the held-out events are missing; say where they are, as in --against test.csv. "
            "A config, to judge a bundle, ends in .yaml."
        )
    settings = [*(overrides or []), *([] if on_bad_rows is None else [f"bad_rows.on_bad_rows={on_bad_rows}"])]
    if min_rating is not None:
        settings.append(f"min_rating={min_rating}")
    _judge_lists(what, against, history, items, settings, as_json)


def _evaluate_bundle(
    config: Path, bundle: str, overrides: list[str] | None, on_bad_rows: str | None, store: Path, as_json: bool
) -> None:
    loaded = load_experiment(config, overrides, on_bad_rows)
    from foretaste.artifacts.store import BundleStore
    from foretaste.pipelines.run_json import metrics_json
    from foretaste.pipelines.train import evaluate_bundle

    opened = BundleStore(store).open(bundle)
    evaluation = evaluate_bundle(loaded, opened, ConsoleNarrator(console(as_json)))
    if as_json:
        print_json(
            {
                "bundle_id": opened.id,
                "users": len(evaluation.user_B),
                "candidates": evaluation.candidates,
                "metrics": metrics_json(evaluation),
            }
        )
    else:
        print_figures(console(as_json), loaded.evaluation.select_by, [(opened.id, evaluation, None)])


def _judge_lists(
    lists: Path, against: Path, history: Path | None, items: Path | None, settings: list[str], as_json: bool
) -> None:
    from foretaste.config.reading import config_of
    from foretaste.pipelines.judge import JudgeConfig, judge_lists, judgement_json
    from foretaste.pipelines.run_json import metrics_json

    config = config_of(settings, JudgeConfig)
    judged = judge_lists(lists, against, config, history, items)
    if as_json:
        print_json(
            {"recommendations": str(lists), **judgement_json(judged), "metrics": metrics_json(judged.evaluation)}
        )
        return
    out = console(as_json)
    print_figures(out, config.evaluation.select_by, [(lists.stem, judged.evaluation, None)])
    _print_beyond(out, judged.evaluation, config.evaluation.select_by)
    for remark in judged.audit.remarks():
        out.print(f"[bold]{'lists':<10}[/bold]{remark}", soft_wrap=True)
    for note in judged.rejected:
        out.print(f"[bold]{'rows':<10}[/bold]{note.count:,} {note.reason}", soft_wrap=True)
    print_warnings(out, judged.warnings)


def _explain(as_json: bool) -> None:
    from foretaste.evaluation.metrics import METRICS, definitions

    if as_json:
        print_json(definitions())
        return
    out = console(as_json)
    for name, definition in definitions().items():
        at = "" if METRICS[name].kind == "ranking" else "@K"
        out.print(f"[bold]{METRICS[name].title}{at}[/bold]   [dim]{name}[/dim]")
        for paragraph in definition.split("\n\n"):
            out.print(f"    {paragraph}", markup=False, soft_wrap=True)
        out.print()


def _print_beyond(out: "Console", evaluation: "Evaluation", select_by: str) -> None:
    """A line with what the lists are beside accurate, where it could be measured."""
    from foretaste.evaluation.metrics import METRICS, metric_title, name_of

    cutoff = select_by.partition("@")[2]
    means = {metric: estimate.mean for metric, estimate in evaluation.estimates.items()} | evaluation.catalogue
    told = [
        f"{metric_title(metric, evaluation.candidates)} {value:.3f}"
        for metric, value in means.items()
        if metric.endswith(f"@{cutoff}") and METRICS[name_of(metric)].kind in ("list", "catalogue")
    ]
    if told:
        out.print(f"[bold]{'beyond':<10}[/bold]{' · '.join(told)}", soft_wrap=True)
