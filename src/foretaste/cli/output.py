"""What every command shares: where text goes, JSON, progress bars, and the options that mean the same everywhere.

Results go to stdout: as text for people, or, with `--json`, as one line of JSON and nothing else. Whatever else is said
goes to stderr.
"""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as one line of JSON on stdout.")]
StoreOption = Annotated[Path, typer.Option("--store", help="Folder of the bundles.", show_default=True)]

DEFAULT_STORE = Path("artifacts/bundles")
_WIDTH_OF_FILES = 160
"""Columns of tables that go to a file or a pipe, where nothing says how wide they may be."""

Report = Callable[[int, int, dict[str, float]], None]
"""Called with (steps done, steps in all, figures of the step), as `models.protocol.Progress` is."""


def example(*commands: str) -> str:
    """The epilog of a command's help: commands that run as they stand."""
    return "\n\n".join(("Example:" if len(commands) == 1 else "Examples:", *commands))


def result_console() -> "Console":
    """For results that people read: stdout."""
    from rich.console import Console

    return Console(highlight=False, width=None if sys.stdout.isatty() else _WIDTH_OF_FILES)


def note_console() -> "Console":
    """For all that is not the result: stderr."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def console(as_json: bool) -> "Console":
    """For text that people read; beside it stdout stays free for JSON where that was asked for."""
    return note_console() if as_json else result_console()


def text_table(first: str, *others: str, numbers: bool = False) -> "Table":
    """A table without lines, of these headings. In a narrow terminal cells wrap, and no figure is cut off.

    Args:
        first: heading of the column to the left.
        others: headings of the rest.
        numbers: align the rest to the right.
    """
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    table.add_column(first, overflow="fold")
    for heading in others:
        table.add_column(heading, justify="right" if numbers else "left", overflow="fold")
    return table


def print_json(value: Any) -> None:
    """One line of JSON on stdout.

    Raises:
        ValueError: `value` holds NaN or infinity, which JSON cannot say.
    """
    typer.echo(json.dumps(value, ensure_ascii=False, allow_nan=False))


@contextmanager
def progress_bar(description: str) -> Iterator[Report]:
    """A bar on stderr with steps, rate and time left; silent where stderr is not a terminal.

    Yields a function to call after each step; it takes its total from the call.
    """
    if not sys.stderr.isatty():
        yield _silent
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[figures]}"),
    )
    with Progress(*columns, console=note_console(), transient=True) as bar:
        task = bar.add_task(description, total=None, rate="", figures="")

        def report(done: int, total: int, figures: dict[str, float]) -> None:
            bar.update(
                task,
                completed=done,
                total=total,
                rate=_rate(done, bar.tasks[task].elapsed),
                figures="  ".join(f"{name} {value:.4g}" for name, value in figures.items()),
            )

        yield report


def _silent(done: int, total: int, figures: dict[str, float]) -> None:
    """Report nothing."""


def _rate(done: int, elapsed_seconds: float | None) -> str:
    return f"{done / elapsed_seconds:,.3g}/s" if elapsed_seconds else ""
