"""`bundles list|show|history|verify|promote|rollback|prune`: what is published, and what is live."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from foretaste.cli.experiments import ConsoleNarrator
from foretaste.cli.output import DEFAULT_STORE, JsonOption, StoreOption, console, example, note_console, print_json

if TYPE_CHECKING:
    from foretaste.artifacts.store import BundleStore

BundleArgument = Annotated[str, typer.Argument(metavar="BUNDLE", help="Id of the bundle.", show_default=False)]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why, for the log of promotions.")]
_SOME_ID = "20261120-als-3f9c"


def register(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(name="bundles", help="What is published, and what is live.", no_args_is_help=True)
    group.command("list", epilog=example("foretaste bundles list"))(list_bundles)
    group.command(epilog=example("foretaste bundles show production"))(show)
    group.command(epilog=example("foretaste bundles history", f"foretaste bundles history {_SOME_ID} --json"))(history)
    group.command(epilog=example("foretaste bundles verify", "foretaste bundles verify production"))(verify)
    group.command(epilog=example(f"foretaste bundles promote {_SOME_ID} --reason 'better on new users'"))(promote)
    group.command(epilog=example("foretaste bundles rollback --reason 'slower than the one before'"))(rollback)
    group.command(epilog=example("foretaste bundles prune --keep 5"))(prune)
    app.add_typer(group)


def list_bundles(store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """Every bundle, oldest first, and how accurate it was found to be."""
    listings = _open(store).list()
    if as_json:
        fields = (each.manifest.model_dump(mode="json", include=_LISTED) if each.manifest else {} for each in listings)
        print_json(
            [
                {"bundle_id": each.bundle_id, "is_production": each.is_production, "problem": each.problem, **rest}
                for each, rest in zip(listings, fields, strict=True)
            ]
        )
        return
    from rich import box
    from rich.table import Table

    out = console(as_json)
    if not listings:
        out.print(f"{store}: no bundle yet; run `foretaste demo` or `foretaste run CONFIG` first.", soft_wrap=True)
        return
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("bundle", no_wrap=True, min_width=max(len(each.bundle_id) for each in listings))
    for heading in ("model", "data", "users", "items", "created", "accuracy", ""):
        table.add_column(heading)
    for each in listings:
        note = "production" if each.is_production else ""
        if each.manifest is None:
            table.add_row(each.bundle_id, "[red]damaged[/red]", "", "", "", "", "", note)
            continue
        counts = (f"{each.manifest.num_users:,}", f"{each.manifest.num_items:,}")
        created = each.manifest.created_at[:16].replace("T", " ")
        metric, figures = each.manifest.headline or ("not judged", {})
        mean = f" {_estimate({'mean': figures['mean'], 'candidates': figures.get('candidates')})}" if figures else ""
        row = (
            each.bundle_id,
            each.manifest.model,
            each.manifest.source.name,
            *counts,
            created,
            f"{metric}{mean}",
            note,
        )
        table.add_row(*row)
    out.print(table)


_LISTED = {"model", "created_at", "num_users", "num_items", "source", "metrics", "run_id"}


def show(
    bundle: Annotated[str, typer.Argument(metavar="BUNDLE", help="Id of the bundle, or production.")] = "production",
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """What a bundle says of itself."""
    from foretaste.artifacts.manifest import Manifest

    manifest = Manifest.read(_open(store).folder(bundle))
    if as_json:
        print_json(manifest.model_dump(mode="json"))
        return
    rows = _described(manifest.model_dump(mode="json", exclude={"files", "digest", "experiment"}))
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        console(as_json).print(f"{name:<{width}}   {value}", soft_wrap=True, markup=False)


def history(
    bundle: Annotated[str | None, typer.Argument(metavar="BUNDLE", help="Id; every bundle by default.")] = None,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """What was decided on bundles and which went live, oldest first, each with its reasons."""
    opened = _open(store)
    lines = [("move", move.timestamp, move.to_json(), {move.before, move.after}) for move in opened.history()]
    lines += [("verdict", one.timestamp, one.to_json(), {one.bundle_id, one.against}) for one in opened.verdicts()]
    chosen = sorted((line for line in lines if bundle is None or bundle in line[3]), key=lambda line: line[1])
    if as_json:
        print_json([{"kind": kind, **fields} for kind, _, fields, _ in chosen])
        return
    out = console(as_json)
    for kind, timestamp, fields, _ in chosen:
        if kind == "move":
            told = f"{fields['action']:<10}{fields['from'] or 'nothing'} → {fields['to']}"
            reasons = [fields["reason"]] if fields["reason"] and not fields["reason"].startswith(_TOLD_BY) else []
        else:
            against = f" against {fields['against']}" if fields["against"] else ""
            told = f"{fields['by']:<10}{fields['decision']} {fields['bundle_id']}{against}"
            reasons = fields["reasons"]
        out.print(f"{timestamp[:16].replace('T', ' ')}  {told}", soft_wrap=True, markup=False, highlight=False)
        for reason in reasons:
            out.print(f"{'':<28}{reason}", soft_wrap=True, markup=False, highlight=False)
    if not chosen:
        out.print(f"nothing was decided{f' on {bundle}' if bundle else ''} yet", markup=False, highlight=False)


_TOLD_BY = ("guard: ", "watch: ")
"""Beginnings of reasons that a verdict beside the move tells as well."""


def verify(
    bundle: Annotated[str | None, typer.Argument(metavar="BUNDLE", help="Id; every bundle by default.")] = None,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Read every file of one or all bundles, compare it with its hash, and restore the model."""
    opened = _open(store)
    ids = [opened.folder(bundle).name] if bundle else [each.bundle_id for each in opened.list()]
    problems = {bundle_id: _problem(opened, bundle_id) for bundle_id in ids}
    if as_json:
        print_json([{"bundle_id": bundle_id, "problem": problem} for bundle_id, problem in problems.items()])
    else:
        for bundle_id, problem in problems.items():
            console(as_json).print(f"{bundle_id}   {problem or 'intact'}", soft_wrap=True, markup=False)
    if any(problems.values()):
        raise typer.Exit(1)


def promote(
    bundle: BundleArgument, reason: ReasonOption = "", store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False
) -> None:
    """Make a bundle the live one, after verifying it."""
    opened = _open(store)
    from foretaste.pipelines.promotion import promote as promote_everywhere

    before = opened.production_id()
    promote_everywhere(opened, bundle, reason, ConsoleNarrator(note_console()))
    _say_moved(before, opened.production_id(), as_json)


def rollback(reason: ReasonOption = "", store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """Make the bundle that was live before the live one again."""
    opened = _open(store)
    from foretaste.pipelines.promotion import rollback as roll_back_everywhere

    before = opened.production_id()
    _say_moved(before, roll_back_everywhere(opened, reason, ConsoleNarrator(note_console())), as_json)


def prune(
    keep: Annotated[int, typer.Option(min=0, help="How many of the newest stay.")] = 5,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Delete old bundles, but never the live one, the one before it, or a damaged one."""
    deleted = list(_open(store).prune(keep))
    if as_json:
        print_json({"deleted": deleted})
        return
    for bundle_id in deleted:
        console(as_json).print(f"deleted  {bundle_id}", markup=False)
    if not deleted:
        console(as_json).print("nothing to delete")


def _open(store: Path) -> "BundleStore":
    from foretaste.artifacts.store import BundleStore

    return BundleStore(store)


def _problem(store: "BundleStore", bundle_id: str) -> str | None:
    from foretaste.errors import ArtifactError

    try:
        store.check(bundle_id)
    except ArtifactError as error:
        return str(error)
    return None


def _say_moved(before: str | None, after: str | None, as_json: bool) -> None:
    if as_json:
        print_json({"from": before, "to": after})
    else:
        console(as_json).print(f"production  {before or 'nothing'} → {after}", soft_wrap=True, markup=False)


def _described(fields: dict[str, Any], path: str = "") -> list[tuple[str, str]]:
    """Nested fields as rows: dotted names, and values as text."""
    rows = []
    for name, value in fields.items():
        if isinstance(value, dict) and "mean" in value:
            rows.append((f"{path}{name}", _estimate(value)))
        elif isinstance(value, dict):
            rows += _described(value, f"{path}{name}.")
        else:
            rows.append((f"{path}{name}", "" if value is None else str(value)))
    return rows


def _estimate(told: dict[str, Any]) -> str:
    """Mean and interval, and against what was ranked where not all items were."""
    low, high, candidates = (told.get(name) for name in ("low", "high", "candidates"))
    interval = "" if low is None or high is None else f" [{low:.4f} {high:.4f}]"
    return f"{told['mean']:.4f}{interval}" + (f", {candidates} candidates" if candidates else "")
