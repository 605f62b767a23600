"""`monitor watch`: one look at a newly promoted model, which may roll it back."""

from typing import TYPE_CHECKING

import typer

from foretaste.cli.experiments import ConsoleNarrator
from foretaste.cli.monitor import CROSSED, ConfigOption, LogOption, SetOption, open_log
from foretaste.cli.output import DEFAULT_STORE, JsonOption, StoreOption, console, note_console, print_json

if TYPE_CHECKING:
    from rich.console import Console

    from foretaste.pipelines.retraining.watch import Watched


def watch(
    store: StoreOption = DEFAULT_STORE,
    config: ConfigOption = None,
    log: LogOption = None,
    overrides: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Look once at how the newly promoted model does live, and roll it back where a limit is crossed."""
    settings, database = open_log(config, log, None, overrides)
    from foretaste.artifacts.store import BundleStore
    from foretaste.pipelines.retraining.watch import watch as look

    found = look(BundleStore(store), database, settings.watch, ConsoleNarrator(note_console()))
    if as_json:
        print_json(found.to_json())
    else:
        _print(console(as_json), found)
    if found.state in ("rolled back", "stuck"):
        raise typer.Exit(CROSSED)


def _print(out: "Console", found: "Watched") -> None:
    end = f", until {found.until[:16].replace('T', ' ')} UTC" if found.until and found.state == "watching" else ""
    lines = [("watch", f"{found.bundle_id or ''}  {found.state}{end}".strip())]
    lines += [("now live", found.now_live)] if found.now_live else []
    for label, text in [*lines, *(("", reason) for reason in found.reasons)]:
        out.print(f"[bold]{label:<10}[/bold]", end="")
        out.print(text, soft_wrap=True, markup=False, highlight=False)
