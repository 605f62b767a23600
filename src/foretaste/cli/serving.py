"""`recommend`, `similar`, `serve`: from a bundle to answers."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from foretaste.cli.output import DEFAULT_STORE, JsonOption, StoreOption, console, example, note_console, print_json

if TYPE_CHECKING:
    from collections.abc import Sequence
    from socket import socket

    from foretaste.serving.engine import Engine, ScoredItem
    from foretaste.serving.filters import FilterValue
    from foretaste.serving.settings import ServingConfig
    from foretaste.serving.slate_settings import SlateConfig

BundleOption = Annotated[str, typer.Option("--bundle", help="Id of the bundle, or production.")]
CountOption = Annotated[int, typer.Option("--k", "-k", min=1, max=1000, help="How many items.")]
GenreOption = Annotated[list[str] | None, typer.Option("--genre", help="Only items of any of these.")]
YearMinOption = Annotated[int | None, typer.Option(help="Only items of this year or later.")]
YearMaxOption = Annotated[int | None, typer.Option(help="Only items of this year or earlier.")]
FilterOption = Annotated[
    list[str] | None,
    typer.Option("--filter", metavar="ATTRIBUTE=VALUE", help="Any attribute of the catalogue, as in price_max=20."),
]
_HISTORY_SHOWN = 5
_TITLES_SHOWN = 5


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(
        epilog=example(
            "foretaste recommend --user 196",
            "foretaste recommend --user 196 -k 5 --genre Comedy --year-min 1990 --json",
        )
    )(recommend)
    app.command(epilog=example("foretaste similar --item 50", 'foretaste similar --title "star wars" -k 5'))(similar)
    app.command(
        epilog=example("foretaste serve --port 8000", "foretaste serve --config configs/serving.yaml --workers 2")
    )(serve)


def recommend(
    user: Annotated[str, typer.Option("--user", help="Id of the user.", show_default=False)],
    k: CountOption = 10,
    genre: GenreOption = None,
    year_min: YearMinOption = None,
    year_max: YearMaxOption = None,
    filters: FilterOption = None,
    history: Annotated[
        list[str] | None, typer.Option("--history", help="Id of an item that the user has met; can be repeated.")
    ] = None,
    include_seen: Annotated[bool, typer.Option("--include-seen", help="Keep what is in the history.")] = False,
    bundle: BundleOption = "production",
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """The best items for a user."""
    engine = _open_engine(store, bundle)
    from foretaste.serving.engine import RecommendRequest
    from foretaste.serving.rendering import recommendations_json

    answer = engine.recommend(
        RecommendRequest(
            user_id=user,
            k=k,
            exclude_seen=not include_seen,
            filters=_filters(genre, year_min, year_max, filters),
            history=history or (),
        )
    )
    if as_json:
        print_json(recommendations_json(answer, engine.item_noun))
        return
    out = console(as_json)
    if met := engine.history(user, _HISTORY_SHOWN):
        out.print(f"[bold]liked last[/bold]  {_escaped(' · '.join(card['title'] for card in met))}", soft_wrap=True)
    if answer.fallback_reason:
        out.print(f"[bold]note[/bold]        {_escaped(answer.fallback_reason)}", soft_wrap=True)
    _print_items(f"for user {user}, by {answer.model_version}", answer.items, engine)


def similar(
    item: Annotated[str | None, typer.Option("--item", help="Id of the item.")] = None,
    title: Annotated[str | None, typer.Option("--title", help="Part of its title, instead of the id.")] = None,
    k: CountOption = 10,
    genre: GenreOption = None,
    year_min: YearMinOption = None,
    year_max: YearMaxOption = None,
    filters: FilterOption = None,
    bundle: BundleOption = "production",
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """The items most like one."""
    if (item is None) == (title is None):
        raise typer.BadParameter("give one of them, as in --item 50", param_hint="--item or --title")
    engine = _open_engine(store, bundle)
    from foretaste.serving.rendering import similar_json

    item_id = item if item is not None else _item_by_title(engine, title or "")
    answer = engine.similar(item_id, k, _filters(genre, year_min, year_max, filters))
    if as_json:
        print_json(similar_json(answer, engine.item_noun))
    else:
        _print_items(f"like {answer.title}, by {answer.model_version}", answer.items, engine)


def serve(
    config: Annotated[Path | None, typer.Option("--config", help="YAML of the service.", show_default=False)] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.", show_default="127.0.0.1")] = None,
    port: Annotated[int | None, typer.Option(help="TCP port; 0 takes a free one.", show_default="8000")] = None,
    bundle: Annotated[str | None, typer.Option(help="Id of the bundle.", show_default="production")] = None,
    store: Annotated[Path | None, typer.Option(help="Folder of the bundles.", show_default=str(DEFAULT_STORE))] = None,
    workers: Annotated[int | None, typer.Option(help="Processes, one a core.", show_default="1")] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a key of the config.")
    ] = None,
) -> None:
    """Answer over HTTP, with documentation at /docs; Ctrl-C stops it."""
    from foretaste.serving.processes import one_thread_each

    one_thread_each()
    options = {"host": host, "port": port, "bundle": bundle, "store": store, "workers": workers}
    settings = _serving_config(config, overrides or [], options)
    from foretaste.artifacts.store import BundleStore
    from foretaste.serving.server import listen, run
    from foretaste.serving.service import check_config, open_service
    from foretaste.serving.workers import run_workers

    check_config(settings)
    with listen(settings.host, settings.port) as listener:
        if settings.workers == 1:
            service = open_service(settings)
            _say_where(listener, service.models.current.default.engine.model_version)
            run(service, listener)
        else:
            _say_where(listener, BundleStore(settings.store).folder(settings.bundle).name)
            raise typer.Exit(run_workers(settings, listener))


def _say_where(listener: "socket", model_version: str) -> None:
    address, port = listener.getsockname()[:2]
    shown = f"[{address}]" if ":" in address else address
    out = note_console()
    out.print(f"[bold]serving[/bold]  {model_version}", soft_wrap=True)
    out.print(f"[bold]at[/bold]       http://{_escaped(shown)}:{port}", soft_wrap=True)
    out.print("[bold]next[/bold]     /docs describes the calls   ·   Ctrl-C stops it")


def _serving_config(path: Path | None, overrides: list[str], options: dict[str, Any]) -> "ServingConfig":
    """The options laid over the file, and the file over the defaults."""
    from foretaste.config import check, config_of, load_config
    from foretaste.serving.settings import ServingConfig

    given = {name: value for name, value in options.items() if value is not None}
    base = load_config(path, ServingConfig, overrides) if path else config_of(overrides, ServingConfig)
    return check({**base.resolved(), **given}, ServingConfig, where="options")


def _open_engine(store: Path, bundle: str, slate: "SlateConfig | None" = None) -> "Engine":
    from foretaste.artifacts.store import BundleStore
    from foretaste.serving.engine import Engine

    return Engine(BundleStore(store).open(bundle), slate=slate)


def _filters(
    genre: list[str] | None, year_min: int | None, year_max: int | None, others: list[str] | None
) -> "dict[str, FilterValue]":
    """The filters of all options together.

    Raises:
        ConfigError: a `--filter` is not `attribute=value`.
    """
    filters: dict[str, FilterValue] = {"genres": genre, "year_min": year_min, "year_max": year_max}
    for each in others or []:
        name, value = _parsed(each)
        filters[name] = value
    return {name: value for name, value in filters.items() if value is not None}


def _parsed(text: str) -> "tuple[str, FilterValue]":
    import yaml

    from foretaste.errors import ConfigError

    name, equals, value = text.partition("=")
    try:
        parsed = yaml.safe_load(value)
    except (yaml.YAMLError, ValueError):  # the second of a date that is none
        parsed = None
    if not (name and equals and isinstance(parsed, bool | int | float | str | list)):
        raise ConfigError(f"--filter {text}: expected ATTRIBUTE=VALUE, as in price_max=20 or genres=[War,Drama].")
    return name, parsed


def _item_by_title(engine: "Engine", text: str) -> str:
    """The id of the item that `text` means; what else it could mean goes to stderr.

    Raises:
        UnknownItemError: no title holds `text`.
    """
    from foretaste.errors import UnknownItemError

    found = engine.cards.titles_like(text, limit=_TITLES_SHOWN)
    if not found:
        raise UnknownItemError(f"no {engine.item_noun} has '{text}' in its title; try a shorter part of it.")
    meant = next((card for card in found if card["title"].casefold() == text.casefold()), found[0])
    others = [f"{card['title']} (--item {card['item_id']})" for card in found if card is not meant]
    if others:
        note_console().print(f"'{_escaped(text)}' is taken for {_escaped(meant['title'])}; there is also:")
        note_console().print("\n".join(f"  {_escaped(other)}" for other in others))
    return str(meant["item_id"])


def _print_items(title: str, items: "Sequence[ScoredItem]", engine: "Engine") -> None:
    out = console(as_json=False)
    if not items:
        genres = ", ".join(engine.filters.values("genres"))
        known = f" Genres of the catalogue: {genres}." if genres else ""
        out.print(f"No {engine.item_noun} is left after the filters.{_escaped(known)}", soft_wrap=True)
        return
    from rich import box
    from rich.table import Table

    table = Table(title=_escaped(title), title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("", justify="right")
    table.add_column("item")
    table.add_column("title")
    shown = [name for name in ("year", "genres", "author") if any(item.attributes.get(name) for item in items)]
    for name in (*shown, "score"):
        table.add_column(name, justify="right" if name in ("year", "score") else "left")
    for place, item in enumerate(items, start=1):
        score = f"{item.score:.4g}" if item.source == "model" else f"{item.score:,.0f} events"
        described = (_shown(item.attributes.get(name)) for name in shown)
        table.add_row(str(place), _escaped(item.item_id), _escaped(item.title), *described, score)
    out.print(table)


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return _escaped(", ".join(value) if isinstance(value, list) else str(value))


def _escaped(text: str) -> str:
    """Text as it stands, though it may look like markup."""
    from rich.markup import escape

    return escape(text)
