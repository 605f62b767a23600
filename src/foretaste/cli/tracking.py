"""`track`: runs that are done are sent to MLflow."""

from typing import Annotated

import typer

from foretaste.cli.experiments import DEFAULT_ARTIFACTS, ArtifactsOption, ConsoleNarrator, TrackingUriOption
from foretaste.cli.output import JsonOption, console, example, print_json


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=example("foretaste track latest", "foretaste track"))(track)


def track(
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="RUN",
            help="Ids of runs, unique beginnings, folders, or latest. Left out: all runs, and challengers "
            "of retrainings, that could not be sent.",
            show_default=False,
        ),
    ] = None,
    tracking_uri: TrackingUriOption = None,
    artifacts: ArtifactsOption = DEFAULT_ARTIFACTS,
    as_json: JsonOption = False,
) -> None:
    """Send runs to MLflow, and let its registry know which bundles are live and what was decided on them."""
    from foretaste.artifacts.store import BundleStore
    from foretaste.errors import ArtifactError, TrackingError
    from foretaste.pipelines.promotion import tell_registries, tell_verdicts
    from foretaste.pipelines.retraining.registered import register_again, unregistered
    from foretaste.pipelines.run_record import find_runs
    from foretaste.pipelines.tracking import BUNDLES_WITHOUT_RUN, RUNS, check_installed, send, unsent, where_to

    check_installed()
    out, store = console(as_json), BundleStore(artifacts / "bundles")
    if runs:
        folders = [run.folder for run in find_runs(runs, artifacts / RUNS)]
    else:
        folders = [*unsent(artifacts / RUNS), *unregistered(store)]
    sent, problems = [], []
    for folder in folders:
        is_run = folder.parent.name != BUNDLES_WITHOUT_RUN
        try:
            to = where_to(folder, artifacts, tracking_uri)
            registration = send(folder, to, artifacts) if is_run else register_again(store, folder, to)
        except (TrackingError, ArtifactError) as error:
            problems.append(f"{folder.name}: {error}")
            continue
        name = {"run_id": folder.name} if is_run else {"bundle_id": folder.name}
        sent.append({**name, "model": registration.model, "version": registration.version})
        out.print(f"{folder.name} → {registration.model} version {registration.version}", soft_wrap=True, markup=False)
    tell_registries(store, ConsoleNarrator(out))
    tell_verdicts(store, ConsoleNarrator(out))
    if as_json:
        print_json({"sent": sent, "problems": problems})
    elif not folders:
        out.print("all that was to be tracked has been sent")
    if problems:
        raise TrackingError("\n".join(problems))
