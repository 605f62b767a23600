"""`estimate`: how long a run will take, and how much memory."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from foretaste.cli.experiments import BadRowsOption, ConfigArgument, ConsoleNarrator, SetOption, load_experiment
from foretaste.cli.output import JsonOption, console, example, print_json, text_table

if TYPE_CHECKING:
    from rich.console import Console

    from foretaste.pipelines.estimate import Estimate

_CONFIG = "configs/compare-movielens-100k.yaml"
_MINUTE, _HOUR = 60, 3600
_GIB = 2**30


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=example(f"foretaste estimate {_CONFIG}", f"foretaste estimate {_CONFIG} --seconds 60 --json"))(
        estimate
    )


def estimate(
    config: ConfigArgument,
    seconds: Annotated[float, typer.Option(help="How long each fit is watched.")] = 10.0,
    overrides: SetOption = None,
    on_bad_rows: BadRowsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell how long a run will take and how much memory: each model is begun on the real data, and soon stopped.

    Nothing is written. A fit that ends while it is watched is measured; the others go on at the pace they had.
    """
    loaded = load_experiment(config, overrides, on_bad_rows)
    from foretaste.pipelines.estimate import estimate as estimate_pipeline

    out = console(as_json)
    found = estimate_pipeline(loaded, seconds, ConsoleNarrator(out))
    if as_json:
        print_json([one.to_json() for one in found])
    else:
        _print(out, found)


def _print(out: "Console", found: "Sequence[Estimate]") -> None:
    table = text_table("model", "one fit", "judged once", "fits", "in all", "memory", numbers=True)
    for one in found:
        about = "" if one.is_measured else "≤ "
        table.add_row(
            one.label,
            _lasting(one.fit_seconds, about),
            _lasting(one.judge_seconds),
            str(one.num_fits),
            _lasting(one.total_seconds, about),
            f"{one.peak_bytes / _GIB:.1f} GiB",
        )
    out.print()
    out.print(table)
    known = [one for one in found if one.total_seconds is not None]
    total = _lasting(
        sum(one.total_seconds or 0 for one in known), "" if all(one.is_measured for one in known) else "≤ "
    )
    unknown = ", ".join(one.label for one in found if one.total_seconds is None)
    out.print(f"\n[bold]{'in all':<10}[/bold]{f'? ({total} without {unknown})' if unknown else total}", soft_wrap=True)
    for one in found:
        if one.refusal:
            out.print(f"[bold yellow]{'warning':<10}[/]{one.label}: {one.refusal}", soft_wrap=True)
        elif one.fit_seconds is None:
            out.print(f"[bold yellow]{'warning':<10}[/]{one.label} did no step in time; watch it longer by --seconds.")


def _lasting(seconds: float | None, about: str = "") -> str:
    if seconds is None:
        return "?"
    if seconds >= _HOUR:
        return f"{about}{seconds / _HOUR:.1f} h"
    return f"{about}{seconds / _MINUTE:.0f} min" if seconds >= 2 * _MINUTE else f"{about}{seconds:.1f} s"
