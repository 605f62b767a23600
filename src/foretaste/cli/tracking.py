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
            metavar="[RUN ...]",
            help="Ids of runs, unique beginnings, folders, or latest; all that could not be sent, if left out.",
            show_default=False,
        ),
    ] = None,
    tracking_uri: TrackingUriOption = None,
    artifacts: ArtifactsOption = DEFAULT_ARTIFACTS,
    as_json: JsonOption = False,
) -> None:
    """Send runs to MLflow, and let its registry know which bundles are live."""
    from foretaste.artifacts.store import BundleStore
    from foretaste.errors import TrackingError
    from foretaste.pipelines.promotion import tell_registries
    from foretaste.pipelines.run_record import find_runs
    from foretaste.pipelines.tracking import check_installed, send, unsent, where_to

    check_installed()
    out = console(as_json)
    folders = [run.folder for run in find_runs(runs, artifacts / "runs")] if runs else unsent(artifacts / "runs")
    sent, problems = [], []
    for folder in folders:
        try:
            registration = send(folder, where_to(folder, artifacts, tracking_uri), artifacts)
        except TrackingError as error:
            problems.append(f"{folder.name}: {error}")
            continue
        sent.append({"run_id": folder.name, "model": registration.model, "version": registration.version})
        out.print(f"{folder.name} → {registration.model} version {registration.version}", soft_wrap=True, markup=False)
    tell_registries(BundleStore(artifacts / "bundles"), ConsoleNarrator(out))
    if as_json:
        print_json({"sent": sent, "problems": problems})
    elif not folders:
        out.print("every run that was to be tracked has been sent")
    if problems:
        raise TrackingError("\n".join(problems))
