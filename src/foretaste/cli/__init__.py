"""The `foretaste` command: one module per group of commands, each with a `register(app)`.

These modules import nothing heavy at their top: a command imports what it needs when it runs, so that `--help` is
quick.
"""

import sys
from importlib import import_module
from typing import Annotated

import typer

from foretaste import __version__
from foretaste.cli.system_errors import in_words
from foretaste.errors import ConfigError, ForetasteError

COMMAND_MODULES = (
    "experiments",
    "estimate",
    "evaluation",
    "comparison",
    "report",
    "tune",
    "tracking",
    "data",
    "serving",
    "ui",
    "keys",
    "bundles",
    "logs",
    "monitor",
    "retrain",
    "simulation",
    "doctor",
)
"""In the order of the help page."""

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it: 128 + SIGINT."""


def create_app() -> typer.Typer:
    """The command line with every command registered."""
    app = typer.Typer(
        name="foretaste",
        help="From raw interaction logs to recommendations that people see.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_global_options)
    for name in COMMAND_MODULES:
        import_module(f"{__name__}.{name}").register(app)
    return app


def main() -> None:
    """Run the command of `sys.argv` and exit: 0 done, 1 failed, 2 wrong use, 130 interrupted.

    An error that the user can fix is printed as its message alone, and so is what the operating system refuses.
    """
    try:
        create_app()()
    except ForetasteError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2 if isinstance(error, ConfigError) else 1)
    except SystemExit as exit_request:
        if exit_request.code == INTERRUPTED:
            typer.echo("interrupted", err=True)
        raise
    except Exception as error:
        if (told := in_words(error)) is None:
            raise
        typer.echo(f"error: {told}", err=True)
        sys.exit(1)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"foretaste {__version__}")
        raise typer.Exit


def _global_options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Take the options that come before a command."""
