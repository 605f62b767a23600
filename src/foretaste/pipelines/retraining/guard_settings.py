"""What a challenger must come up to."""

from pydantic import Field, field_validator

from foretaste.evaluation.metrics import HIT_METRICS
from foretaste.monitoring.off_policy import OffPolicyConfig
from foretaste.settings import Settings


class DataLimits(Settings):
    """What new training data must not have lost against that of the champion; null checks nothing."""

    min_event_share: float | None = Field(default=0.7, ge=0, le=1)
    """Pairs of a user and an item, over those that the champion was trained on; at least."""
    min_item_share: float | None = Field(default=0.8, ge=0, le=1)
    """Items of the champion that still have events; at least."""
    min_user_share: float | None = Field(default=0.7, ge=0, le=1)
    """Users of the champion that still have events; at least."""
    min_pair_share: float | None = Field(default=0.7, ge=0, le=1)
    """Pairs of a user and an item that the champion learnt, of the time that the data covers, that are still in it; at
    least. Ids that were dealt out anew, or columns that were swapped, leave next to none."""
    continuity_p: float | None = Field(default=0.01, gt=0, lt=1)
    """Chance at most that the items of the new events have nothing to do with those before, as after ids were dealt
    out anew: one-sided p of the rank correlation of events an item. Null for news, where nothing lasts."""
    max_user_share: float | None = Field(default=0.2, gt=0, le=1)
    """Events of one user over all; at most. More is no person."""
    max_hours_ahead: float | None = Field(default=24, ge=0)
    """How far the newest event may lie in the future, in hours: clocks differ, but not by days."""


class ListLimits(Settings):
    """How far the lists of all users may narrow against those of the champion."""

    min_coverage_share: float = Field(default=0.5, ge=0, le=1)
    """Different items in the lists, over those in the champion's lists; at least."""
    min_evenness_share: float = Field(default=0.5, ge=0, le=1)
    """1 - Gini of how often items are shown, over that of the champion; at least."""


class Budgets(Settings):
    """What the challenger may cost to serve; null checks nothing."""

    latency_p99_cpu_ms: float | None = Field(default=50, gt=0)
    """Processor time of a recommendation, in milliseconds: of 100 users all but one get theirs within it."""
    requests: int = Field(default=300, ge=20)
    """Recommendations that are timed."""
    size_mib: float | None = Field(default=4096, gt=0)
    """Files of the bundle together, in MiB."""


class ReplayLimits(Settings):
    """The challenger on the log of what served, where the log can tell."""

    window: str = Field(default="7d", pattern=r"^\d{1,6}[hdw]$")
    """Hours, days or weeks of the log, up to now."""
    slots: int = Field(default=3, ge=1, le=100)
    """Slots of an answer that count, from the first."""
    max_loss: float = Field(default=0.1, ge=0, le=1)
    """Share of what was earned that the challenger may at most lose: refused where all of both estimates' intervals
    lies below."""
    estimates: OffPolicyConfig = OffPolicyConfig()
    """How estimates are made, and when they are refused."""


class GuardConfig(Settings):
    """When a challenger takes the place of the champion."""

    metric: str = "ndcg@10"
    """What accuracy is measured by: a metric of hits and its cut-off."""
    margin: float = Field(default=0.05, ge=0, lt=1)
    """Share of the champion's figure that the challenger may lose and count as no worse."""
    min_users: int = Field(default=100, ge=2)
    """Users of the fresh holdout; with fewer, nothing is decided."""
    max_users: int = Field(default=20_000, ge=2)
    """Users who are ranked for; of more, as many drawn at random."""
    slice_margin: float = Field(default=0.1, ge=0, lt=1)
    """The same share within a group of users or items."""
    min_slice_users: int = Field(default=50, ge=2)
    """Users that a group needs to be judged by itself."""
    exclude_seen: bool = True
    """Leave out of the lists what the user had met before."""
    data: DataLimits = DataLimits()
    lists: ListLimits = ListLimits()
    budgets: Budgets = Budgets()
    replay: ReplayLimits | None = ReplayLimits()
    """Null asks no log."""
    rest_hours_after_rollback: float = Field(default=24, ge=0)
    """Hours after a roll-back in which nothing is promoted but by a person, so that a fault that only shows live is not
    promoted over and over."""

    @field_validator("metric")
    @classmethod
    def _of_hits(cls, metric: str) -> str:
        name, at, cutoff = metric.partition("@")
        if name not in HIT_METRICS or not at or not cutoff.isdigit() or not 1 <= int(cutoff) <= 1000:
            raise ValueError(f"'{metric}': expected one of {', '.join(HIT_METRICS)} and a cut-off, as in ndcg@10")
        return metric

    @property
    def cutoff(self) -> int:
        """Length of the lists that are judged."""
        return int(self.metric.partition("@")[2])
