"""One world: its first model, and every arm through the same weeks."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl

from foretaste.arrays import BoolArray
from foretaste.artifacts.store import BundleStore
from foretaste.data.schemas import ITEM_ID, TIMESTAMP, USER_ID
from foretaste.data.sources.synthetic_world import World, make_world
from foretaste.pipelines.simulation.arms import Arm, Oracle
from foretaste.pipelines.simulation.keeper import Keeper
from foretaste.pipelines.simulation.outcome import LOOP, NEVER, ORACLE, ArmName, WorldOutcome
from foretaste.pipelines.simulation.people import examination, happenings, index_of, rows_of
from foretaste.pipelines.simulation.service_arm import BUNDLES, open_arm
from foretaste.pipelines.simulation.settings import DAYS_PER_WEEK, SimulationConfig
from foretaste.pipelines.simulation.shop import export
from foretaste.pipelines.simulation.unjudged import unjudged
from foretaste.pipelines.simulation.weeks import SimulatedClock, WeekFigures, live

_FIRST = "first"
"""Folder of the model that every service begins with."""


def simulate_world(config: SimulationConfig, seed: int, folder: Path, tell: Callable[[ArmName], None]) -> WorldOutcome:
    """Lead every arm through the weeks of a world.

    Args:
        config: the simulation.
        seed: of the world.
        folder: for stores, logs and tables; each service has a folder in it.
        tell: called after each week of each arm.
    """
    world = make_world(config.world(seed))
    rows = rows_of(world)
    before = rows.filter(pl.col(TIMESTAMP) < config.start_seconds)
    stream = happenings(world, rows, config.start_seconds, config.weeks, config.people)
    examination_K = examination(config.people.slots, config.people.examination_exponent)
    _first_model(config, world, before, folder / _FIRST)

    def through(name: ArmName, arm: Arm, clock: SimulatedClock, after_day: Callable[[int], None]) -> list[WeekFigures]:
        def day_is_over(day: int) -> None:
            after_day(day)
            if day % DAYS_PER_WEEK == 0:
                tell(name)

        return live(arm, world, stream, config.weeks, examination_K, clock, day_is_over)

    arms: dict[ArmName, list[WeekFigures]] = {}
    first_store, clock = folder / _FIRST / BUNDLES, SimulatedClock(config.start_seconds)
    with open_arm(world, folder / "never-retrained", first_store, clock, config.slate) as kept:
        arms[NEVER] = through(NEVER, kept.arm, clock, _nothing)
    clock = SimulatedClock(config.start_seconds)
    with open_arm(world, folder / "retrained", first_store, clock, config.slate) as kept:
        keeper = Keeper(world, before, config, kept, clock)
        arms[LOOP] = through(LOOP, kept.arm, clock, keeper.after_day)
    oracle = Oracle(world, _met(world, before))
    arms[ORACLE] = through(ORACLE, oracle, SimulatedClock(config.start_seconds), _nothing)
    return WorldOutcome(seed, arms, keeper.events)


def _nothing(day: int) -> None:
    """Nobody looks after this arm."""


def _first_model(config: SimulationConfig, world: World, rows: pl.DataFrame, folder: Path) -> None:
    """Train on all that is known before the first week, and make it the live model of a store in `folder`."""
    data = export(world, rows, folder / "shop", config.start_seconds)
    contents = unjudged(config.experiment.model_copy(update={"data": data}))
    started_at = datetime.fromtimestamp(config.start_seconds, UTC)
    BundleStore(folder / BUNDLES, clock=lambda: started_at).publish(contents, reason="before the first week")


def _met(world: World, rows: pl.DataFrame) -> BoolArray:
    """has_met_UI: which items each user has an event with."""
    has_met_UI = np.zeros((len(world.arrival_seconds_U), len(world.release_seconds_I)), dtype=bool)
    users, items = (rows[name].map_elements(index_of, pl.Int32).to_numpy() for name in (USER_ID, ITEM_ID))
    has_met_UI[users, items] = True
    return has_met_UI
