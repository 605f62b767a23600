"""The parts of a running service, put together from its config."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from foretaste.artifacts.store import BundleStore
from foretaste.serving.admission import Gate
from foretaste.serving.engine import Engine
from foretaste.serving.exchange import Exchange
from foretaste.serving.json_log import JsonLog
from foretaste.serving.live_models import LiveModels, Loaded, Served
from foretaste.serving.logs.service import ServiceLogs
from foretaste.serving.metrics import Metrics, SharedFigures
from foretaste.serving.security.guard import Guard, check_exposure
from foretaste.serving.security.key_stores import KeyStore, key_store
from foretaste.serving.security.rate_limits import RateLimits
from foretaste.serving.security.roles import PERMISSIONS
from foretaste.serving.settings import ServingConfig

BUCKETS_FILE = "buckets"
"""In the folder that workers share: how often each caller has asked."""


@dataclass
class Service:
    """What the calls work with."""

    config: ServingConfig
    models: LiveModels
    guard: Guard
    keys: KeyStore
    gate: Gate
    metrics: Metrics
    log: JsonLog
    logs: ServiceLogs
    worker: int = 0
    others: SharedFigures | None = None
    """Figures of the other workers; None where there is one alone."""
    clock: Callable[[], float] = time.time
    """UTC seconds, for all that is logged."""
    is_draining: bool = field(default=False)
    """True once the service is asked to stop: `/ready` then says no."""

    def serves(self, exchange: Exchange, user_id: str | None, variant: str | None = None) -> Served:
        """What answers a user now; the exchange learns it.

        Args:
            exchange: of the request.
            user_id: None for somebody without an id.
            variant: instead of the user's own.

        Raises:
            RequestError: there is no such variant.
        """
        loaded = self.models.current
        served = loaded.choose(user_id) if variant is None else loaded.named(variant)
        exchange.model_version, exchange.variant = served.engine.model_version, served.variant
        return served

    def count_refusal(self, path: str) -> None:
        """Count a request that was refused before it became an exchange."""
        endpoint = path if ("POST", path) in PERMISSIONS or ("GET", path) in PERMISSIONS else "other"
        self.metrics.observe(endpoint, "", "", 503, 0.0)

    def problems(self) -> dict[str, str]:
        """What is amiss although the service answers: by variant, and of the log's database under `log`."""
        found = dict(self.models.current.problems)
        if problem := self.logs.status().database_problem:
            found["log"] = f"{problem} Rows wait in the journal."
        return found


def check_config(config: ServingConfig) -> None:
    """Find what is wrong before anything is loaded.

    Raises:
        ConfigError: the keys cannot be read, the secret for tokens is too short, or others could reach the service
            without a key.
    """
    check_exposure(config, Guard(config.security, key_store(config.security.keys).records()))


def open_service(
    config: ServingConfig,
    worker: int = 0,
    shared: Path | None = None,
    *,
    clock: Callable[[], float] = time.time,
    log: JsonLog | None = None,
) -> Service:
    """A service, ready to answer.

    Args:
        config: how it runs.
        worker: number of this process among the workers.
        shared: folder where the workers leave figures and count requests; None where there is one alone.
        clock: UTC seconds, for what is logged and how long it stays.
        log: where the service tells what it does; None for stdout.

    Raises:
        ConfigError: the keys cannot be read, or the secret for tokens is too short.
        ArtifactError: the bundle cannot be served.
    """
    keys = key_store(config.security.keys)
    burst_seconds = config.security.rate_limit.burst_seconds
    limits = RateLimits(burst_seconds, shared / BUCKETS_FILE if shared else None)
    guard = Guard(config.security, keys.records(), limits)
    metrics, log = Metrics(), log or JsonLog()
    models = LiveModels(
        BundleStore(config.store), config, make_engine=lambda bundle: Engine(bundle, slate=config.slate)
    )

    def on_swap(before: Loaded, after: Loaded) -> None:
        metrics.keep_versions(before.versions | after.versions)
        log.write("info", "models", {"before": sorted(before.versions), "after": sorted(after.versions)})

    models.on_swap = on_swap
    return Service(
        config=config,
        models=models,
        guard=guard,
        keys=keys,
        gate=Gate(config.limits.queue, config.limits.deadline_ms / 1000),
        metrics=metrics,
        log=log,
        logs=ServiceLogs(config.log, since=_oldest(models.current), clock=clock),
        worker=worker,
        others=SharedFigures(shared, worker) if shared else None,
        clock=clock,
    )


def _oldest(loaded: Loaded) -> float | None:
    """The last moment that all models know of; None where one knows of no times."""
    times = [each.trained_until for each in loaded.served]
    return None if None in times else min(time for time in times if time is not None)
