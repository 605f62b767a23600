"""What a simulation is: the sections and keys of `configs/simulate.yaml`."""

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from foretaste.arrays import SECONDS_PER_DAY
from foretaste.config import ExperimentConfig
from foretaste.data.sources.synthetic_world import SyntheticConfig
from foretaste.monitoring.release import WatchConfig
from foretaste.monitoring.thresholds import Thresholds
from foretaste.pipelines.retraining.guard_settings import GuardConfig
from foretaste.serving.slate_settings import SlateConfig
from foretaste.settings import NAME_PATTERN, Settings

DAYS_PER_WEEK = 7

Fault = Literal["shuffled", "truncated", "unguarded"]


class PeopleConfig(Settings):
    """How the people of the world use the service."""

    visits_per_week: int = Field(default=1_200, ge=1)
    """How often a list is asked for in a week, by all users together; who is active in the world asks more often."""
    slots: int = Field(default=10, ge=1, le=100)
    """Items of a list."""
    examination_exponent: float = Field(default=0.7, ge=0)
    """Slot k, from 1, is looked at with probability k to the power of minus this; 0 looks at every slot."""


class Plant(Settings):
    """A training that is spoiled on purpose, to see whether it is caught."""

    after_week: int = Field(ge=1)
    """The training that follows this week; after the last one there is none."""
    fault: Fault
    """`shuffled`: every event of the data belongs to a random user. `truncated`: the data ends early, and most of it is
    missing. `unguarded`: a shuffled training is promoted by hand, past the guard."""


class SimulationConfig(Settings):
    """Who lives for how many weeks, in how many worlds, and how the service learns from them."""

    name: str = Field(default="simulation", pattern=NAME_PATTERN)
    """Begins the name of the result's folder. Default: the name of the file."""
    weeks: int = Field(default=8, ge=1)
    """Weeks that are simulated: the last of the world's days."""
    seeds: int = Field(default=5, ge=2)
    """Worlds, each with people and items of its own; two at least, or nothing could be said of chance."""
    first_seed: int = Field(default=0, ge=0)
    """Of the first world; the others follow."""
    experiment: ExperimentConfig
    """The world (`data`, of the source `synthetic`), and how models are trained and judged."""
    people: PeopleConfig = PeopleConfig()
    slate: SlateConfig = SlateConfig()
    """How the services make an answer of the best items."""
    holdout: float = Field(default=0.2, gt=0, lt=1)
    """Share of the events since the live model's training by which it and the next one are judged."""
    guard: GuardConfig = GuardConfig()
    """When the next model takes the place of the live one."""
    watch: WatchConfig = WatchConfig(
        hours=144, thresholds=Thresholds(latency_p99_ms=None), max_click_through_loss=0.2, max_latency_ratio=None
    )
    """What sends a promoted model back. Latencies are those of this machine, not of the world: nothing checks them."""
    plants: tuple[Plant, ...] = ()
    """Trainings that are spoiled on purpose."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        world = self.experiment.data
        if not isinstance(world, SyntheticConfig):
            raise ValueError(f"experiment.data: expected source: synthetic, the world to live in, not '{world.source}'")
        if world.days <= self.weeks * DAYS_PER_WEEK:
            raise ValueError(
                f"{self.weeks} weeks of a world of {world.days} days leave none to learn from; expected fewer weeks, "
                f"or more experiment.data.days, as {2 * self.weeks * DAYS_PER_WEEK}"
            )
        if len(self.experiment.models) != 1:
            raise ValueError(f"experiment.models: expected the one model to train, not {len(self.experiment.models)}")
        if self.experiment.feedback is not None:
            raise ValueError("experiment.feedback: expected none; each arm learns from the log of its own service")
        if len({plant.after_week for plant in self.plants}) < len(self.plants):
            raise ValueError("plants: expected at most one for each week")
        return self

    def resolved(self) -> dict[str, Any]:
        """As it stands in the YAML, defaults included."""
        return super().resolved() | {"experiment": self.experiment.resolved()}

    def world(self, seed: int) -> SyntheticConfig:
        """The world of a seed."""
        assert isinstance(self.experiment.data, SyntheticConfig)
        return self.experiment.data.model_copy(update={"seed": seed})

    @property
    def start_seconds(self) -> int:
        """The first second of the first week, UTC."""
        assert isinstance(self.experiment.data, SyntheticConfig)
        return self.experiment.data.end_seconds - self.weeks * DAYS_PER_WEEK * SECONDS_PER_DAY


def built_in() -> dict[str, Any]:
    """The sections of `configs/simulate.yaml`, which an installed package does not have at hand."""
    return {
        "name": "simulate",
        "experiment": {
            "data": {
                "source": "synthetic",
                "num_users": 600,
                "num_items": 600,
                "num_interactions": 40_000,
                "days": 112,
                "taste_drift": 0.7,
                "exposure_bias": 0.5,
                "late_user_share": 0.25,
                "late_item_share": 0.3,
                "late_after": 0.5,
            },
            "prepare": {"half_life_days": 30},
            "models": {"als": {"embedding_dim": 32}},
        },
        "guard": {"min_users": 50},
        "plants": [
            {"after_week": 2, "fault": "shuffled"},
            {"after_week": 3, "fault": "unguarded"},
            {"after_week": 5, "fault": "truncated"},
        ],
    }
