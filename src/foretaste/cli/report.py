"""`report`: where the report of a run is, and what it says first."""

from pathlib import Path
from typing import Annotated

import typer

from foretaste.cli.experiments import DEFAULT_ARTIFACTS, ArtifactsOption
from foretaste.cli.output import JsonOption, console, example, print_json


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=example("foretaste report latest", "foretaste report latest --to report.html"))(report)


def report(
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="Id of a run, its unique beginning, its folder, or latest.")
    ] = "latest",
    to: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Render it anew to a file that ends in .html or .md.")
    ] = None,
    open_: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    artifacts: ArtifactsOption = DEFAULT_ARTIFACTS,
    as_json: JsonOption = False,
) -> None:
    """Tell what the report of a run says first, and where it is."""
    from foretaste.pipelines.report_files import REPORT_FILE, REPORT_HTML_FILE, read_document, render_to, summary
    from foretaste.pipelines.run_record import find_runs

    (record,) = find_runs([run], artifacts / "runs")
    document = read_document(record.folder)
    page = record.folder / REPORT_HTML_FILE
    if to is not None:
        render_to(to, document)
        page = to if to.suffix == ".html" else page
    if not page.exists():
        render_to(page, document)
    if as_json:
        files = {"report": str(record.folder / REPORT_FILE), "report_html": str(page)}
        print_json({"run_id": record.run_id, **files, "summary": summary(document)})
    else:
        out = console(as_json)
        for said in summary(document):
            out.print(said, soft_wrap=True, markup=False)
        out.print(f"\n[bold]{'report':<10}[/bold]{page}", soft_wrap=True)
    if open_:
        typer.launch(page.resolve().as_uri())
