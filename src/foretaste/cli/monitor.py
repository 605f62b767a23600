"""`monitor kpis|replay|drift|watch`: how the service does, how another model would, what moved since the training."""

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from foretaste.cli.output import DEFAULT_STORE, JsonOption, StoreOption, console, example, print_json, text_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

    from foretaste.data.log_database import LogDatabase
    from foretaste.evaluation.significance import Estimate
    from foretaste.monitoring.kpis import Group, Kpis
    from foretaste.monitoring.off_policy import OffPolicyEstimate
    from foretaste.monitoring.settings import MonitoringConfig
    from foretaste.monitoring.thresholds import Alert
    from foretaste.pipelines.drift import Drift
    from foretaste.pipelines.replay import Replay

ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="YAML with the log's place and the thresholds.", show_default=False)
]
LogOption = Annotated[
    str | None, typer.Option("--log", metavar="URL", help="Database of the log, as sqlite:///artifacts/service/log.db.")
]
WindowOption = Annotated[
    str | None, typer.Option("--window", metavar="LENGTH", help="Up to now, as 24h, 7d or 4w.", show_default=False)
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a key, as in thresholds.latency_p99_ms=200."),
]
CROSSED = 1
"""Exit code when a threshold is crossed, so that a scheduler can alert."""


def register(app: typer.Typer) -> None:
    """Add the group."""
    from foretaste.cli.watch import watch  # which shares the options of this file

    group = typer.Typer(
        name="monitor", help="How the service does; exits with 1 when a threshold is crossed.", no_args_is_help=True
    )
    group.command(
        epilog=example(
            "foretaste monitor kpis --config configs/monitoring.yaml", "foretaste monitor kpis --window 7d --json"
        )
    )(kpis)
    group.command(
        epilog=example(
            "foretaste monitor replay --bundle 20261120-als-3f9c --window 7d",
            "foretaste monitor replay --serving configs/serving.yaml --json",
        )
    )(replay)
    group.command(
        epilog=example("foretaste monitor drift --window 7d", "foretaste monitor drift --bundle production --json")
    )(drift)
    group.command(
        epilog=example(
            "foretaste monitor watch", "foretaste monitor watch --set watch.hours=48 --set watch.min_requests=1000"
        )
    )(watch)
    app.add_typer(group)


def kpis(
    config: ConfigOption = None,
    log: LogOption = None,
    window: WindowOption = None,
    overrides: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Requests, latency, fallbacks, clicks and coverage of a window, with every limit that is crossed."""
    settings, database = open_log(config, log, window, overrides)
    from foretaste.monitoring.kpis import kpis as kpis_of
    from foretaste.monitoring.windows import Window

    found = kpis_of(database, Window.latest(settings.window), settings.thresholds)
    if as_json:
        print_json({**asdict(found), "window": _window_json(found.window)})
    else:
        _print(console(as_json), found)
    if found.alerts:
        raise typer.Exit(CROSSED)


def replay(
    bundle: Annotated[str, typer.Option(help="Bundle to judge: its id, or production.")] = "production",
    serving: Annotated[
        Path | None,
        typer.Option(help="YAML of a service, for the policy that the bundle would serve by; greedy without."),
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    slots: Annotated[int, typer.Option(min=1, max=100, help="Slots of an answer that count, from the first.")] = 3,
    config: ConfigOption = None,
    log: LogOption = None,
    window: WindowOption = None,
    overrides: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """What a model would have earned on the log of the one that served; refused where the log cannot tell."""
    settings, database = open_log(config, log, window, overrides)
    from foretaste.artifacts.store import BundleStore
    from foretaste.config import load_config
    from foretaste.monitoring.windows import Window
    from foretaste.pipelines.replay import replay_bundle
    from foretaste.serving.settings import ServingConfig

    slate = load_config(serving, ServingConfig).slate if serving else None
    bundles = BundleStore(store)
    bundle_id = bundles.folder(bundle).name
    found = replay_bundle(
        database,
        bundles,
        bundle_id,
        Window.latest(settings.window),
        settings.replay,
        slate=slate,
        num_slots=slots,
    )
    if as_json:
        print_json({"bundle_id": bundle_id, **asdict(found)})
    else:
        _print_replay(console(as_json), bundle_id, found)
    if not found.estimates:
        raise typer.Exit(CROSSED)


def drift(
    bundle: Annotated[str, typer.Option(help="Bundle that serves: its id, or production.")] = "production",
    store: StoreOption = DEFAULT_STORE,
    config: ConfigOption = None,
    log: LogOption = None,
    window: WindowOption = None,
    overrides: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """What came in and went out against what the model was trained on; what moved, and since when."""
    settings, database = open_log(config, log, window, overrides)
    from foretaste.artifacts.store import BundleStore
    from foretaste.monitoring.windows import Window
    from foretaste.pipelines.drift import drift_of_bundle

    found = drift_of_bundle(database, BundleStore(store), bundle, Window.latest(settings.window), settings.drift)
    if as_json:
        print_json(asdict(found))
    else:
        _print_drift(console(as_json), found, settings.drift.min_rows)
    if found.since:
        raise typer.Exit(CROSSED)


def _print_drift(out: "Console", found: "Drift", min_rows: int) -> None:
    out.print(f"[bold]{'against':<10}[/bold]{found.bundle_id}, by {found.num_requests:,} answers", soft_wrap=True)
    for share in found.shares:
        told = f"{share.share:.1%} of {share.num_rows:,} (at most {share.limit:.0%})"
        out.print(f"[bold]{'new ' + share.of:<10}[/bold]{told}", soft_wrap=True)
    if found.features:
        table = text_table("feature", "PSI", "p", "then", "now", numbers=True)
        for one in found.features:
            rows = f"{one.reference_rows:,}", f"{one.current_rows:,}"
            table.add_row(one.feature, f"{one.psi:.3f}", f"{one.p:.2g}", *rows)
        out.print()
        out.print(table)
    else:
        told = f"no feature is compared: none has {min_rows:,} rows then and now (drift.min_rows); take a longer window"
        out.print(f"[bold]{'too few':<10}[/bold]{told}", soft_wrap=True)
    for name, day in found.since.items():
        what = f"more new {name} than allowed" if name in ("users", "items") else f"{name} drifted"
        out.print(f"[bold red]{'alert':<10}[/bold red]{what}, since {day}", soft_wrap=True)


def _print_replay(out: "Console", bundle_id: str, found: "Replay") -> None:
    served = f"an item shown in the first {found.num_slots} slots earned {_rate(found.served)}"
    out.print(f"[bold]{'served':<10}[/bold]{found.num_requests:,} answers; {served}", soft_wrap=True)
    out.print(f"[bold]{'':<10}[/bold]{found.hit_rate:.1%} of the answers earned anything\n", soft_wrap=True)
    if found.estimates:
        table = text_table(f"had {bundle_id} served", "would have earned", "as many rows of its own")
        for one in found.estimates:
            table.add_row(one.estimator, _rate(one), f"{one.effective_rows:,.0f} of {one.num_rows:,}")
        out.print(table)
    for reason, names in _by_reason(found.refused).items():
        out.print(f"[bold yellow]{'refused':<10}[/bold yellow]{', '.join(names)}: {reason}", soft_wrap=True)


def _by_reason(refused: "Mapping[Any, str]") -> dict[str, list[str]]:
    reasons: dict[str, list[str]] = {}
    for name, reason in refused.items():
        reasons.setdefault(reason, []).append(name)
    return reasons


def open_log(
    config: Path | None, log: str | None, window: str | None, overrides: list[str] | None
) -> "tuple[MonitoringConfig, LogDatabase]":
    """The settings of a command, and the database that they name."""
    from foretaste.data.log_database import LogDatabase

    settings = settings_of(config, log, window, overrides)
    return settings, LogDatabase(settings.log)


def settings_of(
    config: Path | None, log: str | None, window: str | None, overrides: list[str] | None
) -> "MonitoringConfig":
    """The options of a command laid over the file, and the file over the defaults."""
    from foretaste.config import config_of, load_config
    from foretaste.monitoring.settings import MonitoringConfig

    options = [f"{key}={value}" for key, value in (("log", log), ("window", window)) if value is not None]
    values = [*(overrides or []), *options]
    return load_config(config, MonitoringConfig, values) if config else config_of(values, MonitoringConfig)


def print_alerts(out: "Console", alerts: "tuple[Alert, ...]") -> None:
    """What is crossed, by how much and since when."""
    for alert in alerts:
        since = alert.since[:16].replace("T", " ")
        beyond = "below" if alert.figure.startswith("min_") else "above"
        told = f"{alert.figure.removeprefix('min_')} is {alert.value:.4g}, {beyond} {alert.limit:g}, since {since} UTC"
        out.print(f"[bold red]{'alert':<10}[/bold red]{told}", soft_wrap=True)


def _window_json(window: Any) -> dict[str, Any]:
    times = (window.start_seconds, window.end_seconds)
    start, end = (datetime.fromtimestamp(seconds, UTC).isoformat() for seconds in times)
    return {"start": start, "end": end, "hours": window.num_hours}


def _print(out: "Console", found: "Kpis") -> None:
    traffic, shown = found.traffic, found.exposure
    start, end = (text[:16].replace("T", " ") for text in list(_window_json(found.window).values())[:2])
    lines = [("window", f"{start} to {end} UTC, {found.window.num_hours} hours")]
    lines.append(("traffic", f"{traffic.num_requests:,} requests, {traffic.requests_per_second:.3g} a second"))
    if traffic.latency:
        latency = traffic.latency
        lines.append(("latency", f"p50 {latency.p50_ms:.3g} ms · p95 {latency.p95_ms:.3g} · p99 {latency.p99_ms:.3g}"))
    lines.append(("failures", f"errors {traffic.error_share:.2%} · refused under overload {traffic.refused_share:.2%}"))
    cold = "" if traffic.cold_share is None else f" · users new to the model {traffic.cold_share:.1%}"
    lines.append(("fallback", f"{traffic.fallback_share:.1%} of answers{cold}"))
    lines += [("", f"{count:,} × {reason}") for reason, count in list(traffic.fallback_reasons.items())[:3]]
    told = f"{shown.num_items:,} items in {shown.num_answers:,} answers{' (a sample)' if shown.is_sample else ''}"
    lines.append(("shown", f"{told} · Gini {shown.gini:.2f} · a tenth of them takes {shown.top_tenth_share:.0%}"))
    lines.append(("outcome", _outcome_line(found.outcome)))
    for label, text in lines:
        out.print(f"[bold]{label:<10}[/bold]{text}", soft_wrap=True)
    for column, groups in found.groups.items():
        if len(groups) > 1:
            _print_groups(out, column, groups)
    print_alerts(out, found.alerts)


def _outcome_line(outcome: Any) -> str:
    told = f"{outcome.num_shown:,} items shown · clicked {_rate(outcome.click_through)}"
    told += f" · bought {_rate(outcome.conversion)}" if outcome.num_purchased else ""
    return told + (f" · rated {outcome.mean_rating:.2f} ({outcome.num_ratings:,})" if outcome.num_ratings else "")


def _print_groups(out: "Console", column: str, groups: "dict[str, Group] | Any") -> None:
    table = text_table(column, "requests", "p99 ms", "errors", "fallback", "clicked", numbers=True)
    for value, group in groups.items():
        traffic, outcome = group.traffic, group.outcome
        cells = ["", "", "", ""]
        if traffic is not None:
            p99 = f"{traffic.latency.p99_ms:.3g}" if traffic.latency else ""
            cells = [f"{traffic.num_requests:,}", p99, f"{traffic.error_share:.2%}", f"{traffic.fallback_share:.1%}"]
        table.add_row(value or "(none)", *cells, _rate(outcome.click_through if outcome else None))
    out.print()
    out.print(table)


def _rate(rate: "Estimate | OffPolicyEstimate | None") -> str:
    return "–" if rate is None else f"{rate.mean:.2%} \\[{rate.low:.2%} {rate.high:.2%}]"
