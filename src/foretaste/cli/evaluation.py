"""`evaluate`: how good a bundle is."""

from pathlib import Path
from typing import Annotated

import typer

from foretaste.cli.experiments import BadRowsOption, ConfigArgument, ConsoleNarrator, SetOption, load_experiment
from foretaste.cli.figures import print_figures
from foretaste.cli.output import JsonOption, StoreOption, console, example, print_json


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=example("foretaste evaluate configs/movielens-100k.yaml --bundle production"))(evaluate)


def evaluate(
    config: ConfigArgument,
    bundle: Annotated[str, typer.Option(help="Id of the bundle, or production.")] = "production",
    overrides: SetOption = None,
    on_bad_rows: BadRowsOption = None,
    store: StoreOption = Path("artifacts/bundles"),
    as_json: JsonOption = False,
) -> None:
    """Judge a bundle on the test part of the data that it was trained on."""
    loaded = load_experiment(config, overrides, on_bad_rows)
    from foretaste.artifacts.store import BundleStore
    from foretaste.pipelines.run import metrics_json
    from foretaste.pipelines.train import evaluate_bundle

    opened = BundleStore(store).open(bundle)
    evaluation = evaluate_bundle(loaded, opened, ConsoleNarrator(console(as_json)))
    if as_json:
        metrics = metrics_json(evaluation)
        print_json(
            {
                "bundle_id": opened.id,
                "users": len(evaluation.user_B),
                "candidates": evaluation.candidates,
                "metrics": metrics,
            }
        )
    else:
        print_figures(console(as_json), loaded.evaluation.select_by, [(opened.id, evaluation, None)])
