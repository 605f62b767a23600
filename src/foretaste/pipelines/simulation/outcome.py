"""What a simulation came to: the figures of every world, arm and week, and what they say together."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np

from foretaste.evaluation.significance import Estimate, student
from foretaste.pipelines.retraining.records import Outcome
from foretaste.pipelines.simulation.settings import Fault, SimulationConfig
from foretaste.pipelines.simulation.weeks import WeekFigures

ArmName = Literal["never retrained", "retrained", "oracle"]
NEVER: ArmName = "never retrained"
LOOP: ArmName = "retrained"
ORACLE: ArmName = "oracle"
ARMS: tuple[ArmName, ...] = (NEVER, LOOP, ORACLE)

Decision: TypeAlias = Outcome | Literal["rolled back", "promoted by hand"]

_FINAL_SHARE = 4
"""The end is the last quarter of the weeks, one at least."""


@dataclass(frozen=True)
class Event:
    """What was decided on a model of the retrained arm."""

    day: int
    """After which day, from 1 on."""
    decision: Decision
    reasons: tuple[str, ...]
    """As they are recorded, the decisive ones first."""
    planted: Fault | None = None
    """How the training was spoiled on purpose."""

    @property
    def week(self) -> float:
        """Where it stands between the middles of the weeks, which are whole numbers: after week 1 is 1.5."""
        return self.day / 7 + 0.5


@dataclass(frozen=True)
class WorldOutcome:
    """One world."""

    seed: int
    arms: Mapping[ArmName, Sequence[WeekFigures]]
    events: Sequence[Event]


Measure = Callable[[WeekFigures], float | None]


@dataclass(frozen=True, eq=False)
class SimulationResult:
    """All worlds together."""

    folder: Path
    config: SimulationConfig
    worlds: Sequence[WorldOutcome]
    seconds: float
    """Wall time."""

    @property
    def page(self) -> Path:
        """The result as a page for browsers."""
        return self.folder / "report.html"

    @property
    def final_weeks(self) -> int:
        """How many weeks the end has: a quarter of them, one at least."""
        return max(1, self.config.weeks // _FINAL_SHARE)

    def weekly(self, arm: ArmName, measure: Measure) -> list[float | None]:
        """A measure week by week, the mean over those worlds that have it."""
        told: list[float | None] = []
        for week in range(self.config.weeks):
            values = [value for world in self.worlds if (value := measure(world.arms[arm][week])) is not None]
            told.append(float(np.mean(values)) if values else None)
        return told

    def regrets(self, arm: ArmName) -> list[float]:
        """Expected clicks a visit that the arm missed, against the oracle, week by week; the mean over worlds."""
        missed_SW = [
            [
                best.expected_clicks_per_visit - week.expected_clicks_per_visit
                for best, week in zip(world.arms[ORACLE], world.arms[arm], strict=True)
            ]
            for world in self.worlds
        ]
        return [float(value) for value in np.mean(missed_SW, axis=0)]

    def final_click_through(self, arm: ArmName) -> list[float]:
        """Clicks per slot shown in the last weeks, of each world."""
        return [_click_through(world.arms[arm][-self.final_weeks :]) for world in self.worlds]

    @property
    def gain(self) -> Estimate:
        """By how much the click-through of the retrained arm is higher in the end, world by world."""
        pairs = zip(self.final_click_through(LOOP), self.final_click_through(NEVER), strict=True)
        return student([loop - never for loop, never in pairs])

    @property
    def closed(self) -> Estimate:
        """Share of what an oracle would add to the arm that never learns, that retraining does add in the end."""
        arms = (self.final_click_through(arm) for arm in (LOOP, NEVER, ORACLE))
        return student([(loop - never) / (oracle - never) for loop, never, oracle in zip(*arms, strict=True)])

    @property
    def planted(self) -> list[tuple[int, Event]]:
        """Seed and decision of every training that was spoiled on purpose."""
        return [(world.seed, event) for world in self.worlds for event in world.events if event.planted]

    @property
    def days_until_rolled_back(self) -> list[int]:
        """Of each model that was promoted by hand and then rolled back, for how many days it was live."""
        days = []
        for world in self.worlds:
            for bad, after in itertools.pairwise(world.events):
                if bad.decision == "promoted by hand" and after.decision == "rolled back":
                    days.append(after.day - bad.day)
        return days

    def to_json(self) -> dict[str, Any]:
        """What `foretaste simulate --json` prints, and `result.json` holds."""
        return {
            "page": str(self.page),
            "weeks": self.config.weeks,
            "final_weeks": self.final_weeks,
            "seeds": [world.seed for world in self.worlds],
            "final_click_through": {arm: float(np.mean(self.final_click_through(arm))) for arm in ARMS},
            "gain": asdict(self.gain),
            "gap_closed": asdict(self.closed),
            "days_until_rolled_back": self.days_until_rolled_back,
            "seconds": round(self.seconds, 1),
            "worlds": [
                {
                    "seed": world.seed,
                    "arms": {arm: [_week_json(week) for week in weeks] for arm, weeks in world.arms.items()},
                    "events": [{**asdict(event), "reasons": list(event.reasons)} for event in world.events],
                }
                for world in self.worlds
            ],
        }


def _click_through(weeks: Sequence[WeekFigures]) -> float:
    shown = sum(week.num_shown for week in weeks)
    return sum(week.num_clicks for week in weeks) / shown if shown else 0.0


def _week_json(week: WeekFigures) -> dict[str, Any]:
    return {
        **asdict(week),
        "click_through": week.click_through,
        "expected_clicks_per_visit": week.expected_clicks_per_visit,
        "coverage": week.coverage,
        "new_item_share": week.new_item_share,
        "clicks_per_visit_of_new_users": week.clicks_per_visit_of_new_users,
    }
