"""A real service for an arm: a store, a log and a port of its own, in one folder, by the simulated clock."""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from foretaste.artifacts.store import BundleStore
from foretaste.data.sources.synthetic_world import World
from foretaste.errors import ArtifactError
from foretaste.pipelines.simulation.arms import ServiceArm
from foretaste.pipelines.simulation.weeks import SimulatedClock
from foretaste.serving.json_log import JsonLog
from foretaste.serving.logs.settings import LogConfig
from foretaste.serving.server import listen, running
from foretaste.serving.service import Service, open_service
from foretaste.serving.settings import HotSwapSettings, SecuritySettings, ServingConfig, TokenSettings
from foretaste.serving.slate_settings import SlateConfig

BUNDLES, LOG_FILE = "bundles", "log.db"
_POLL_SECONDS = 0.1
_SWAP_SECONDS = 30.0
"""How long a service may take to serve what was promoted."""
_MOVE_SECONDS = 1.0


@dataclass(frozen=True)
class LiveArm:
    """A service that answers, and the way to it."""

    folder: Path
    """Of its artifacts."""
    arm: ServiceArm
    service: Service

    def store(self, clock: SimulatedClock) -> BundleStore:
        """What it serves from; moves are dated by the clock."""
        return BundleStore(self.folder / BUNDLES, clock=lambda: datetime.fromtimestamp(clock(), UTC))

    @property
    def log_url(self) -> str:
        """Database of its log."""
        return self.service.config.log.url

    def wait_until_it_serves_what_is_live(self) -> None:
        """Return when the service has noticed a move of the live link by itself, as it looks for it.

        Raises:
            ArtifactError: it does not.
        """
        wanted, deadline = BundleStore(self.folder / BUNDLES).production_id(), time.monotonic() + _SWAP_SECONDS
        while self.arm.model_version() != wanted:
            if time.monotonic() > deadline:
                problems = " ".join(self.service.problems().values())
                raise ArtifactError(
                    f"{self.folder}: the service does not take '{wanted}' after {_SWAP_SECONDS:.0f} s. {problems}"
                )
            time.sleep(_POLL_SECONDS / 2)


@contextmanager
def open_arm(
    world: World, folder: Path, first_store: Path, clock: SimulatedClock, slate: SlateConfig
) -> Iterator[LiveArm]:
    """Serve from a copy of a store for as long as the block lasts.

    Args:
        world: whose people will ask.
        folder: for all that the service writes; it is made.
        first_store: bundles to begin with, one of them live.
        clock: of the service.
        slate: how it makes an answer of the best items.
    """
    folder.mkdir(parents=True)
    shutil.copytree(first_store, folder / BUNDLES, symlinks=True)
    config = ServingConfig(
        store=folder / BUNDLES,
        slate=slate,
        log=LogConfig(
            url=f"sqlite:///{(folder / LOG_FILE).absolute()}",
            journal_dir=folder / "journal",
            move_every_seconds=_MOVE_SECONDS,
        ),
        # Nobody but the people of the world asks: keys and secrets that this machine may have are none of theirs.
        security=SecuritySettings(
            keys=str(folder / "keys.json"), tokens=TokenSettings(secret_env="FORETASTE_SIMULATION_HAS_NO_TOKENS")
        ),
        hot_swap=HotSwapSettings(poll_seconds=_POLL_SECONDS),
        access_log=False,
    )
    descriptor = os.open(folder / "service.jsonl", os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o644)
    try:
        service = open_service(config, clock=clock, log=JsonLog(descriptor))
        with (
            listen("127.0.0.1", 0) as listener,
            running(service, listener) as url,
            ServiceArm(world, url) as arm,
        ):
            yield LiveArm(folder, arm, service)
    finally:
        os.close(descriptor)
