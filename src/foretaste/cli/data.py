"""`data download|describe|prepare|features`: from a name to files, and from files to prepared events and features."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from foretaste.cli.experiments import BadRowsOption, ConfigArgument, ConsoleNarrator, SetOption, load_experiment
from foretaste.cli.output import JsonOption, console, example, print_json, progress_bar

if TYPE_CHECKING:
    from rich.console import Console

_CONFIG = "configs/movielens-100k.yaml"


def register(app: typer.Typer) -> None:
    """Add the group of commands."""
    group = typer.Typer(no_args_is_help=True, help="Fetch, look at and prepare data.")
    group.command(
        epilog=example("foretaste data download ml-100k", "foretaste data download ml-100k --from ~/Downloads")
    )(download)
    group.command(epilog=example(f"foretaste data describe {_CONFIG}"))(describe)
    group.command(epilog=example(f"foretaste data prepare {_CONFIG}"))(prepare)
    group.command(epilog=example(f"foretaste data features {_CONFIG}"))(features)
    app.add_typer(group, name="data")


def download(
    name: Annotated[str, typer.Argument(help="Name of the data set; a wrong one lists them all.")],
    source: Annotated[
        Path | None, typer.Option("--from", metavar="FILE_OR_FOLDER", help="Take a local copy instead of fetching.")
    ] = None,
    to: Annotated[Path | None, typer.Option(help="Folder to put it in; default: $FORETASTE_DATA, or data/raw.")] = None,
) -> None:
    """Fetch a public data set, or take a local copy of it; what is there is verified, not fetched again."""
    from foretaste.data.download import download as fetch

    with progress_bar(f"fetch {name}") as progress:
        path = fetch(name, to, source, lambda done, total: progress(done, total or 0, {}))
    console(as_json=False).print(f"{path}")


def describe(
    config: ConfigArgument,
    overrides: SetOption = None,
    on_bad_rows: BadRowsOption = None,
    as_json: JsonOption = False,
) -> None:
    """What the prepared data of a config looks like: sizes, density, time span, activity, the most met items."""
    loaded = load_experiment(config, overrides, on_bad_rows)
    from foretaste.pipelines.datasets import describe as describe_dataset
    from foretaste.pipelines.experiment import prepare_data

    told = describe_dataset(prepare_data(loaded, ConsoleNarrator(console(as_json))))
    if as_json:
        print_json(told)
    else:
        _print_description(console(as_json), told)


def prepare(
    config: ConfigArgument,
    to: Annotated[Path, typer.Option(help="Folder for the prepared tables.")] = Path("artifacts/prepared"),
    overrides: SetOption = None,
    on_bad_rows: BadRowsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the prepared events, catalogue and users as Parquet, with the audit and the part that each event is in."""
    loaded = load_experiment(config, overrides, on_bad_rows)
    from foretaste.artifacts.writable import check_writable
    from foretaste.pipelines.datasets import write_prepared
    from foretaste.pipelines.experiment import divide

    check_writable(to)
    out = console(as_json)
    folder = write_prepared(divide(loaded, ConsoleNarrator(out)), to, loaded.name)
    if as_json:
        print_json({"folder": str(folder), "files": sorted(path.name for path in folder.iterdir())})
    else:
        out.print(f"[bold]{'written':<10}[/bold]{folder}")


def features(
    config: ConfigArgument,
    to: Annotated[Path, typer.Option(help="Folder for the tables of features.")] = Path("artifacts/features"),
    overrides: SetOption = None,
    on_bad_rows: BadRowsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fit the features of items and users on the train part, write them, and tell what each column holds."""
    loaded = load_experiment(config, overrides, on_bad_rows)
    from foretaste.artifacts.writable import check_writable
    from foretaste.pipelines.experiment import divide
    from foretaste.pipelines.features import build_features, describe_features, features_config, write_features

    check_writable(to)
    out = console(as_json)
    divided = divide(loaded, ConsoleNarrator(out))
    built = build_features(divided.dataset(divided.split.train), features_config(loaded))
    columns = describe_features(built)
    folder = write_features(built, to, loaded.name)
    if as_json:
        print_json({"folder": str(folder), "columns": columns})
    else:
        _print_features(out, columns)
        out.print(f"[bold]{'written':<10}[/bold]{folder}")


def _print_features(out: "Console", columns: list[dict[str, Any]]) -> None:
    from rich.table import Table

    table = Table("of", "feature", "kind", box=None, padding=(0, 2, 0, 0))
    for heading in ("missing", "mean", "stdev", "slots"):
        table.add_column(heading, justify="right")
    for column in columns:
        # The zero turns the -0.0 that a small negative number rounds to into 0.0.
        figures = [f"{round(column[key], 3) + 0.0:.3f}" if key in column else "" for key in ("mean", "stdev")]
        slots = f"{column['slots']:,}" if "slots" in column else ""
        missing = f"{column['missing_share']:.1%}"
        table.add_row(column["of"], column["name"], column["kind"], missing, *figures, slots)
    out.print()
    out.print(table)


def _print_description(out: "Console", told: dict[str, Any]) -> None:
    from rich.table import Table

    table = Table(box=None, show_header=False, padding=(0, 3, 0, 0))
    for name, value in told.items():
        if isinstance(value, list):
            text = "\n".join(f"{row['title']}  ({row['events']:,})" for row in value)
        elif isinstance(value, dict):
            text = "   ".join(f"{key} {one:,}" for key, one in value.items())
        else:
            text = f"{value:,}" if isinstance(value, int) else str(value)
        table.add_row(f"[bold]{name.replace('_', ' ')}[/bold]", text)
    out.print()
    out.print(table)
