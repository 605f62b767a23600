"""How a newly promoted model does live: against fixed limits, and against the model that it took the place of.

Clicks are compared by a confidence sequence, since a release is looked at again and again (see `experiments.py`), and
shares of requests by Wilson's interval. What is compared are two times of one service, not two arms of an experiment:
limits are wide, so that a weekend is no fault of the model.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from foretaste.data.log_database import LogDatabase
from foretaste.monitoring.experiments import Arm, arms, compare
from foretaste.monitoring.outcomes import proportion
from foretaste.monitoring.thresholds import Thresholds, beyond
from foretaste.monitoring.traffic import Traffic, traffic_by
from foretaste.monitoring.windows import SECONDS_PER_HOUR, Window
from foretaste.settings import Settings


class WatchConfig(Settings):
    """How long a promoted model is watched, and what sends it back; null checks nothing."""

    hours: float = Field(default=24, gt=0)
    """Hours after a promotion in which the model is rolled back where a limit is crossed."""
    before_hours: float = Field(default=168, gt=0)
    """Hours before the promotion that the model before is judged by."""
    min_requests: int = Field(default=200, ge=1)
    """Requests to the new model; with fewer nothing is decided. As many are needed of the one before, to compare."""
    settle_minutes: float = Field(default=10, ge=0)
    """Answers younger than so many minutes are left out of the clicks: people have not had the time."""
    thresholds: Thresholds = Thresholds()
    """Limits of the new model's own figures; `min_requests_per_hour` is none of a model's."""
    max_click_through_loss: float | None = Field(default=0.1, ge=0, le=1)
    """Share of the click-through rate before that may be lost. Crossed when the loss is larger, and is shown."""
    max_error_rise: float | None = Field(default=0.01, ge=0, le=1)
    """Share of requests that fail, above that of the model before; crossed when the whole interval lies above."""
    max_fallback_rise: float | None = Field(default=0.2, ge=0, le=1)
    """Share of answers of popular items, likewise."""
    max_latency_ratio: float | None = Field(default=3, ge=1)
    """p99 of the latency over that of the model before."""
    quick_ms: float = Field(default=50, ge=0)
    """A p99 below is quick enough, whatever it was before."""


@dataclass(frozen=True)
class LiveFigure:
    """One figure of the new model beside its limit."""

    name: str
    value: float
    limit: float
    is_crossed: bool
    sentence: str
    before: float | None = None
    """The same of the model before; None where it was not compared."""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return vars(self)


@dataclass(frozen=True)
class Release:
    """How a new model did."""

    num_requests: int
    num_before: int
    """Requests to the model before, in the hours that it is judged by."""
    figures: tuple[LiveFigure, ...]
    """Empty where there are too few requests."""

    @property
    def crossed(self) -> list[LiveFigure]:
        """What speaks for a roll-back."""
        return [figure for figure in self.figures if figure.is_crossed]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        figures = [figure.to_json() for figure in self.figures]
        return {"num_requests": self.num_requests, "num_before": self.num_before, "figures": figures}


def judge_release(
    database: LogDatabase, version: str, before: str | None, since: float, now: float, config: WatchConfig
) -> Release:
    """The figures of a bundle since its promotion, up to the end of its watch.

    Args:
        database: of the log.
        version: the promoted bundle.
        before: the one that was live before; None compares nothing.
        since: when it was promoted, UTC seconds.
        now: UTC seconds.
        config: the limits.
    """
    until = min(now, since + config.hours * SECONDS_PER_HOUR)
    window = _hours(since, until)
    earlier = _hours(since - config.before_hours * SECONDS_PER_HOUR, until)
    ours = traffic_by(database, window, "model_version").get(version)
    theirs = None if before is None else traffic_by(database, earlier, "model_version").get(before)
    counts = (ours.num_requests if ours else 0, theirs.num_requests if theirs else 0)
    if ours is None or ours.num_requests < config.min_requests:
        return Release(*counts, ())
    settled = min(until, now - config.settle_minutes * 60)
    our_arm = arms(database, window, "model_version", until=settled).get(version)
    figures = [*_own(ours, our_arm, config)]
    if before is not None and theirs is not None and theirs.num_requests >= config.min_requests:
        figures += _against(ours, theirs, config)
        their_arm = arms(database, earlier, "model_version", until=settled).get(before)
        figures += _clicks(our_arm, their_arm, config)
    return Release(*counts, tuple(figures))


def _own(ours: Traffic, arm: Arm | None, config: WatchConfig) -> Iterator[LiveFigure]:
    for name, value, most in beyond(ours, config.thresholds):
        told = f"{name} is {value:.4g} over {ours.num_requests:,} requests, above {most:g}."
        yield LiveFigure(name, value, most, True, told)
    limit = config.thresholds.min_click_through
    if limit is not None and arm is not None:
        rate = proportion(round(arm.num_clicked), round(arm.num_shown))
        if rate is not None:
            told = (
                f"{rate.mean:.2%} [{rate.low:.2%} {rate.high:.2%}] of what is shown is clicked; at least {limit:.2%}."
            )
            yield LiveFigure("min_click_through", rate.mean, limit, rate.high < limit, told)


def _against(ours: Traffic, theirs: Traffic, config: WatchConfig) -> Iterator[LiveFigure]:
    rises = (
        (
            "error_rise",
            ours.error_share,
            theirs.error_share,
            ours.num_requests,
            config.max_error_rise,
            "of requests fail",
        ),
        (
            "fallback_rise",
            ours.fallback_share,
            theirs.fallback_share,
            ours.num_answered,
            config.max_fallback_rise,
            "of answers are popular items for want of better",
        ),
    )
    for name, now, then, count, rise, words in rises:
        found = proportion(round(now * count), count)
        if rise is not None and found is not None:
            told = f"{now:.1%} {words}, after {then:.1%}; at most {rise:.0%} more."
            yield LiveFigure(name, now, then + rise, found.low > then + rise, told, then)
    if config.max_latency_ratio is not None and ours.latency is not None and theirs.latency is not None:
        now_ms, then_ms = ours.latency.p99_ms, theirs.latency.p99_ms
        most_ms = max(config.max_latency_ratio * then_ms, config.quick_ms)
        told = f"p99 of the latency is {now_ms:.3g} ms, after {then_ms:.3g} ms; at most {most_ms:.3g} ms."
        yield LiveFigure("latency_ratio", now_ms, most_ms, now_ms > most_ms, told, then_ms)


def _clicks(ours: Arm | None, theirs: Arm | None, config: WatchConfig) -> Iterator[LiveFigure]:
    if config.max_click_through_loss is None or ours is None or theirs is None:
        return
    wanted = max(config.max_click_through_loss * theirs.rate, 1e-6)
    found = compare(theirs, ours, wanted)
    if found is None:
        return
    difference, limit = found.difference, theirs.rate * (1 - config.max_click_through_loss)
    is_crossed = difference.high < 0 and ours.rate < limit
    told = (
        f"{ours.rate:.2%} of what is shown is clicked, after {theirs.rate:.2%}: difference {difference.mean:+.2%} "
        f"[{difference.low:+.2%} {difference.high:+.2%}]; at least {limit:.2%} is expected."
    )
    yield LiveFigure("click_through", ours.rate, limit, is_crossed, told, theirs.rate)


def _hours(start: float, end: float) -> Window:
    """The hours that a stretch of time lies in."""
    return Window(int(start // SECONDS_PER_HOUR), int(max(start, end) // SECONDS_PER_HOUR))
