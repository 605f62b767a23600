"""Whoever keeps the retrained service: trains after every week, and looks at the live model after every day."""

from collections.abc import Sequence

import polars as pl

from foretaste.config import ExperimentConfig
from foretaste.data.feedback import FeedbackConfig
from foretaste.data.log_database import LogDatabase
from foretaste.data.sources.synthetic_world import World
from foretaste.pipelines.narration import Silence
from foretaste.pipelines.promotion import promote
from foretaste.pipelines.retraining.retrain import retrain
from foretaste.pipelines.retraining.settings import RetrainConfig
from foretaste.pipelines.retraining.watch import watch
from foretaste.pipelines.simulation.outcome import Decision, Event
from foretaste.pipelines.simulation.service_arm import LiveArm
from foretaste.pipelines.simulation.settings import DAYS_PER_WEEK, Fault, SimulationConfig
from foretaste.pipelines.simulation.shop import export, shuffled, truncated
from foretaste.pipelines.simulation.unjudged import unjudged
from foretaste.pipelines.simulation.weeks import SimulatedClock
from foretaste.serving.settings import ServingConfig

_SHOP = "shop"


class Keeper:
    """Keeps one service through the weeks.

    Args:
        world: whose people use it.
        rows: the events of before the first week.
        config: how it is kept.
        kept: the service.
        clock: of the service and of all that is decided on it.
    """

    def __init__(
        self, world: World, rows: pl.DataFrame, config: SimulationConfig, kept: LiveArm, clock: SimulatedClock
    ) -> None:
        self.events: list[Event] = []
        """What was decided, oldest first."""
        self._world, self._rows, self._config, self._kept, self._clock = world, rows, config, kept, clock
        self._faults = {plant.after_week: plant.fault for plant in config.plants}

    def after_day(self, day: int) -> None:
        """Do what is due when a day is over, before the next one begins."""
        self._kept.service.logs.move_now()
        self._watch(day)
        week, is_over = divmod(day, DAYS_PER_WEEK)
        if is_over == 0 and week < self._config.weeks:
            self._train(day, self._faults.get(week))
        self._kept.wait_until_it_serves_what_is_live()

    def _watch(self, day: int) -> None:
        database = LogDatabase(self._kept.log_url)
        try:
            seen = watch(self._kept.store(self._clock), database, self._config.watch, Silence(), now=self._clock())
        finally:
            database.close()
        if seen.state == "rolled back":
            self._note(day, "rolled back", seen.reasons)

    def _train(self, day: int, fault: Fault | None) -> None:
        experiment = self._experiment(fault)
        if fault == "unguarded":
            store = self._kept.store(self._clock)
            bundle = store.publish(unjudged(experiment), promote=False)
            promote(store, bundle.id, "by hand, past the guard", Silence())
            self._note(day, "promoted by hand", ("nobody asked the guard.",), fault)
            return
        told = retrain(
            RetrainConfig(
                experiment=experiment,
                feedback=FeedbackConfig(log=self._kept.log_url),
                serving=ServingConfig(slate=self._config.slate),
                holdout=self._config.holdout,
                guard=self._config.guard,
            ),
            self._kept.folder,
            Silence(),
            asked_by="the end of the week",
            clock=self._clock,
        )
        self._note(day, told.outcome, told.reasons, fault)

    def _experiment(self, fault: Fault | None) -> ExperimentConfig:
        """Around the tables that the shop has now, spoiled where a fault is planted."""
        rows = self._rows
        if fault == "truncated":
            rows = truncated(rows)
        elif fault is not None:
            rows = shuffled(rows, self._world.config.seed)
        data = export(self._world, rows, self._kept.folder / _SHOP, self._clock())
        return self._config.experiment.model_copy(update={"data": data})

    def _note(self, day: int, decision: Decision, reasons: Sequence[str], planted: Fault | None = None) -> None:
        self.events.append(Event(day, decision, tuple(reasons), planted))
