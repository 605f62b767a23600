"""`keys create|list|revoke|token`: who may ask the service."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from foretaste.cli.output import JsonOption, console, example, note_console, print_json

if TYPE_CHECKING:
    from foretaste.serving.security.key_stores import KeyStore

DEFAULT_KEYS = "artifacts/keys.json"
KeysOption = Annotated[str, typer.Option("--keys", help="File of the keys, or URL of a database.")]
_SECONDS_PER_MINUTE = 60
_SOME_ID = "3f9c01ab"


def register(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(name="keys", help="API keys of the service, and tokens of its users.", no_args_is_help=True)
    group.command(
        epilog=example(
            "foretaste keys create --name shop --role read",
            "foretaste keys create --name shop --role write --rate 50 --keys sqlite:///artifacts/service/log.db",
        )
    )(create)
    group.command("list", epilog=example("foretaste keys list"))(list_keys)
    group.command(epilog=example(f"foretaste keys revoke {_SOME_ID}"))(revoke)
    group.command(epilog=example("foretaste keys token --user u5 --minutes 60"))(token)
    app.add_typer(group)


def create(
    name: Annotated[str, typer.Option("--name", help="What the key is for.", show_default=False)],
    role: Annotated[str, typer.Option("--role", help="read, write or admin.")] = "read",
    rate: Annotated[float | None, typer.Option("--rate", help="Requests a second, at most.")] = None,
    keys: KeysOption = DEFAULT_KEYS,
    as_json: JsonOption = False,
) -> None:
    """Make a key and show it, once. A service that runs takes it within seconds."""
    from foretaste.errors import ConfigError
    from foretaste.serving.security.keys import KEY_ROLES, create_key
    from foretaste.serving.security.roles import Role

    if role not in KEY_ROLES:
        raise ConfigError(f"--role {role}: expected one of {', '.join(KEY_ROLES)}.")
    if rate is not None and not 0 < rate < float("inf"):
        raise ConfigError(f"--rate {rate}: expected requests a second, above 0.")
    key, record = create_key(name, Role(role), _now(), rate)
    _open(keys).add(record)
    if as_json:
        print_json({"id": record.id, "name": name, "role": role, "key": key})
        return
    typer.echo(key)
    note_console().print(
        f"key {record.id} for {name}, role {role}. It is shown this once: only a hash of it is kept. "
        f"Send it as 'Authorization: Bearer KEY'.",
        soft_wrap=True,
        markup=False,
    )


def list_keys(keys: KeysOption = DEFAULT_KEYS, as_json: JsonOption = False) -> None:
    """Every key, oldest first, without what would let one use it."""
    records = _open(keys).records()
    if as_json:
        print_json([each.model_dump(mode="json", exclude={"salt", "hash"}) for each in records])
        return
    from rich import box
    from rich.table import Table

    out = console(as_json)
    if not records:
        out.print(f"{keys}: no key yet; make one with `foretaste keys create --name NAME --role read`.", markup=False)
        return
    table = Table(box=box.SIMPLE_HEAD)
    for heading in ("id", "name", "role", "requests a second", "created", "revoked"):
        table.add_column(heading)
    for each in records:
        rate = "" if each.requests_per_second is None else f"{each.requests_per_second:g}"
        table.add_row(each.id, each.name, each.role, rate, each.created_at[:16], (each.revoked_at or "")[:16])
    out.print(table)


def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="As `keys list` shows it.", show_default=False)],
    keys: KeysOption = DEFAULT_KEYS,
    as_json: JsonOption = False,
) -> None:
    """Refuse a key from now on. A service that runs knows within seconds."""
    _open(keys).revoke(key_id, _now())
    if as_json:
        print_json({"revoked": key_id})
    else:
        console(as_json).print(f"revoked  {key_id}", markup=False)


def token(
    user: Annotated[str, typer.Option("--user", help="Id of the user.", show_default=False)],
    minutes: Annotated[float, typer.Option("--minutes", min=0.1, max=525_600, help="How long it is good.")] = 60,
    audience: Annotated[str, typer.Option("--audience", help="security.tokens.audience of the service.")] = "foretaste",
    secret_env: Annotated[
        str, typer.Option("--secret-env", help="Environment variable that holds the secret.")
    ] = "FORETASTE_TOKEN_SECRET",
    as_json: JsonOption = False,
) -> None:
    """Make a token by which a front end speaks for one user, signed with the secret of the service."""
    from foretaste.serving.security.tokens import issue
    from foretaste.serving.settings import TokenSettings

    settings = TokenSettings(audience=audience, secret_env=secret_env)
    made = issue(user, settings, seconds=minutes * _SECONDS_PER_MINUTE)
    if as_json:
        print_json({"user_id": user, "token": made})
    else:
        typer.echo(made)


def _open(keys: str) -> "KeyStore":
    from foretaste.serving.security.key_stores import key_store

    return key_store(keys)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
