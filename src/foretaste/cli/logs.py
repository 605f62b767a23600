"""`logs`, `users forget`: what the service wrote down, and who wants to be forgotten."""

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from foretaste.cli.output import JsonOption, console, example, print_json

if TYPE_CHECKING:
    from foretaste.serving.logs.settings import LogConfig

ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="YAML of the service, for its section log.", show_default=False)
]
OverrideOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a key of the config, as log.url=sqlite:///log.db."),
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog=example("foretaste logs", "foretaste logs --config configs/serving.yaml --json"))(logs)
    group = typer.Typer(name="users", help="People who use the service.", no_args_is_help=True)
    group.callback()(_users)
    group.command(epilog=example("foretaste users forget 196 --config configs/serving.yaml"))(forget)
    app.add_typer(group)


def _users() -> None:
    """Make the group a group, though it has one command."""


def logs(config: ConfigOption = None, overrides: OverrideOption = None, as_json: JsonOption = False) -> None:
    """What the service's logs hold: rows in the database, and journals that are not moved yet."""
    settings = _log_config(config, overrides)
    from foretaste.serving.logs.contents import contents

    found = contents(settings)
    if as_json:
        print_json(asdict(found))
        return
    out = console(as_json)
    rows = {
        "database": found.database + (f" ({found.problem})" if found.problem else ""),
        "requests": f"{found.requests:,}{_period(found.first_request_at, found.last_request_at)}",
        "feedback": f"{found.feedback:,}, of which {found.feedback_of_unknown_requests:,} name an unknown request",
        "users": f"{found.registrations:,} registered, {found.erased_users:,} forgotten",
        "journals": f"{found.journals} of running services, {found.abandoned_journals} of killed ones, "
        f"{found.journal_bytes:,} bytes not yet in the database",
        "rejected": f"{found.rejected_rows:,} rows that the database cannot hold",
    }
    for name, value in rows.items():
        out.print(f"{name:<10}{value}", soft_wrap=True, markup=False)


def forget(
    user: Annotated[str, typer.Argument(metavar="USER_ID", help="Id of the user.", show_default=False)],
    config: ConfigOption = None,
    overrides: OverrideOption = None,
    as_json: JsonOption = False,
) -> None:
    """Erase what the service wrote down of a user; running services need not be stopped.

    Exit code 1 when nothing was found.
    """
    settings = _log_config(config, overrides)
    from foretaste.serving.logs.erasure import forget as forget_user

    erased = forget_user(settings, user)
    if as_json:
        print_json({"user_id": user, **asdict(erased)})
    else:
        out = console(as_json)
        if erased.is_nothing:
            out.print(f"nothing was found of user '{user}'", markup=False, soft_wrap=True)
        else:
            out.print(
                f"removed   {erased.requests:,} requests, {erased.feedback:,} events, {erased.registrations:,} "
                f"registrations, {erased.in_journals:,} rows on their way to the database",
                soft_wrap=True,
            )
        if erased.still_in_journals:
            out.print(
                f"waiting   {erased.still_in_journals:,} rows are still in the journal of a running service; they are "
                f"dropped when it moves them (foretaste logs tells how much is waiting)",
                soft_wrap=True,
            )
        out.print(
            "remains   what published bundles learned; a training whose config names the log in `erasures` forgets it"
        )
    if erased.is_nothing:
        raise typer.Exit(1)


def _log_config(path: Path | None, overrides: list[str] | None) -> "LogConfig":
    from foretaste.config import load_config
    from foretaste.config.reading import config_of
    from foretaste.serving.settings import ServingConfig

    if path is None:
        return config_of(overrides or [], ServingConfig).log
    return load_config(path, ServingConfig, overrides or []).log


def _period(first: float | None, last: float | None) -> str:
    if first is None or last is None:
        return ""
    days = [datetime.fromtimestamp(each, UTC).strftime("%Y-%m-%d %H:%M") for each in (first, last)]
    return f", from {days[0]} to {days[1]} UTC"
