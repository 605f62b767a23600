"""How a newly promoted model does live: against fixed limits, and against the model that it took the place of.

A release is looked at again and again, and whatever sends it back holds at all looks together: clicks are compared by a
confidence sequence (`experiments.py`), shares of requests and slow answers by a test to match (`sequential.py`).
Where the model before answers nobody any more, two times of one service are compared (`times.py`): limits are wide, so
that a weekend is no fault of the model.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, TypeAlias

from pydantic import Field

from foretaste.data.log_database import LogDatabase
from foretaste.monitoring.experiments import ENOUGH_USERS, Arm, always_valid_margin, compare
from foretaste.monitoring.outcomes import proportion
from foretaste.monitoring.sequential import is_above
from foretaste.monitoring.thresholds import Thresholds, beyond
from foretaste.monitoring.times import Dip, arm, dip, same_hours
from foretaste.monitoring.traffic import Traffic, slower_than, traffic_by
from foretaste.monitoring.windows import SECONDS_PER_HOUR, Window
from foretaste.settings import Settings

_SLOWEST = 0.01
"""Of the answers those above the p99."""
_LEAST_HELD_BACK = 0.02
"""Of what the new model shows: with less, the model before is not held back for a comparison but about to go, as with
workers that have not swapped yet."""
_NO_CONTROL = (
    "Too few users went on with the model before: a holiday or a fault elsewhere that began with the promotion would "
    "look the same."
)
_AreSlow: TypeAlias = Callable[[float], bool]
"""Whether it is shown that more than one in a hundred answers takes longer than so many milliseconds."""


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
    """Share of requests that fail, above that of the model before. Crossed when it is larger, and is shown."""
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
    begin = since - config.before_hours * SECONDS_PER_HOUR
    window = _hours(since, until)
    ours = traffic_by(database, window, "model_version").get(version)
    theirs = None if before is None else traffic_by(database, _hours(begin, until), "model_version").get(before)
    counts = (ours.num_requests if ours else 0, theirs.num_requests if theirs else 0)
    if ours is None or ours.num_requests < config.min_requests:
        return Release(*counts, ())

    def are_slow(limit_ms: float) -> bool:
        return is_above(*slower_than(database, window, version, limit_ms), _SLOWEST)

    settled = min(until, now - config.settle_minutes * 60)
    our_arm = arm(database, version, since, settled)
    figures = [*_own(ours, our_arm, are_slow, config)]
    if before is not None and theirs is not None and theirs.num_requests >= config.min_requests:
        figures += _against(ours, theirs, are_slow, config)
        if config.max_click_through_loss is not None and our_arm is not None:
            beside = arm(database, before, since, settled)
            if beside is not None and beside.num_shown < _LEAST_HELD_BACK * our_arm.num_shown:
                beside = None
            if beside is not None and beside.num_shown >= config.min_requests / ours.num_requests * our_arm.num_shown:
                figures += _clicks(our_arm, beside, config.max_click_through_loss, "beside {} at the same time")
            else:
                times = (begin, since, settled)
                found = _clicks_since(database, version, our_arm, before, times, config.max_click_through_loss)
                figures += (_borne_out(each, beside, config.max_click_through_loss) for each in found)
    return Release(*counts, tuple(figures))


def _own(ours: Traffic, shown: Arm | None, are_slow: _AreSlow, config: WatchConfig) -> Iterator[LiveFigure]:
    counts = {"fallback_share": ours.num_showing}
    for name, value, most in beyond(ours, config.thresholds):
        count = counts.get(name, ours.num_requests)
        is_shown = are_slow(most) if name == "latency_p99_ms" else is_above(round(value * count), count, most)
        told = f"{name} is {value:.4g} over {ours.num_requests:,} requests, above {most:g}"
        yield LiveFigure(name, value, most, is_shown, f"{told}." if is_shown else f"{told}, which may be chance.")
    limit = config.thresholds.min_click_through
    if limit is not None and shown is not None and shown.num_users >= ENOUGH_USERS:
        margin = always_valid_margin(shown.user_variance, shown.num_users)
        low, high = max(shown.rate - margin, 0.0), shown.rate + margin
        told = f"{shown.rate:.2%} [{low:.2%} {high:.2%}] of what is shown is clicked; at least {limit:.2%}."
        yield LiveFigure("min_click_through", shown.rate, limit, high < limit, told)


def _against(ours: Traffic, theirs: Traffic, are_slow: _AreSlow, config: WatchConfig) -> Iterator[LiveFigure]:
    fall_back = "of answers are popular items for want of better"
    rises = (
        (
            "error_rise",
            ours.error_share,
            theirs.error_share,
            ours.num_requests,
            theirs.num_requests,
            "of requests fail",
        ),
        ("fallback_rise", ours.fallback_share, theirs.fallback_share, ours.num_showing, theirs.num_showing, fall_back),
    )
    for name, now, then, count, count_then, words in rises:
        rise: float | None = getattr(config, f"max_{name}")
        if rise is not None:
            told = f"{now:.1%} {words}, after {then:.1%}; at most {rise:.0%} more."
            # The model before may have been lucky: of few requests its share is uncertain, too.
            before = proportion(round(then * count_then), count_then)
            is_shown = is_above(round(now * count), count, (before.high if before else then) + rise)
            yield LiveFigure(name, now, then + rise, is_shown, told, then)
    if config.max_latency_ratio is not None and ours.latency is not None and theirs.latency is not None:
        now_ms, then_ms = ours.latency.p99_ms, theirs.latency.p99_ms
        most_ms = max(config.max_latency_ratio * then_ms, config.quick_ms)
        told = f"p99 of the latency is {now_ms:.3g} ms, after {then_ms:.3g} ms; at most {most_ms:.3g} ms."
        yield LiveFigure("latency_ratio", now_ms, most_ms, now_ms > most_ms and are_slow(most_ms), told, then_ms)


def _clicks_since(
    database: LogDatabase, version: str, ours: Arm, before: str, times: tuple[float, float, float], loss: float
) -> Iterator[LiveFigure]:
    """Clicks of the new model and of the one before, each in its own time: before, promotion and now in `times`.

    The same hours of the days before are compared, where these have as much to tell as the hours since. What fell
    later than the promotion did not come with the model; such hours are left out.
    """
    begin, since, until = times
    past, words = arm(database, before, begin, since, same_hours(since, until)), "after {} in these hours of the day"
    is_by_hour = past is not None and past.num_shown >= ours.num_shown
    if not is_by_hour:
        past, words = arm(database, before, begin, since), "after {}"
    figures = [] if past is None else list(_clicks(ours, past, loss, words))
    later = ""
    if any(figure.is_crossed for figure in figures) and (fell := dip(database, version, since, until)) is not None:
        usual = None
        if is_by_hour:
            in_dip = same_hours(fell.start, fell.end)
            past = arm(database, before, begin, since, same_hours(since, until) & ~in_dip)
            usual = arm(database, before, begin, since, in_dip)
        if past is not None and (usual is None or _is_deeper(fell, usual.rate / past.rate, loss)):
            figures = list(_clicks(fell.outside, past, loss, words))
            start, end = (datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M") for at in (fell.start, fell.end))
            later = (
                f" From {start} to {end} UTC {fell.inside.rate:.2%} was, which does not count: what falls hours after "
                "a promotion did not come with the model."
            )
    for figure in figures:
        yield replace(figure, sentence=f"{figure.sentence}{later}{f' {_NO_CONTROL}' if figure.is_crossed else ''}")


def _is_deeper(fell: Dip, usual: float, loss: float) -> bool:
    """Whether clicks fell further than they do at these hours on other days, to `usual` of the rest."""
    return fell.inside.rate < (1 - loss) * usual * fell.outside.rate


def _borne_out(figure: LiveFigure, beside: Arm | None, loss: float) -> LiveFigure:
    """A figure that is crossed only if the few users who go on with the model before speak for it, too, as far as they
    can."""
    if beside is None or not figure.is_crossed or figure.value < beside.rate * (1 - loss):
        return figure
    told = f"Where the model before still answers it is {beside.rate:.2%}, which does not bear that out."
    return replace(figure, is_crossed=False, sentence=f"{figure.sentence.removesuffix(_NO_CONTROL)}{told}")


def _clicks(ours: Arm, theirs: Arm, loss: float, words: str) -> Iterator[LiveFigure]:
    found = compare(theirs, ours, max(loss * theirs.rate, 1e-6))
    if found is None:
        return
    difference, limit = found.difference, theirs.rate * (1 - loss)
    is_crossed = difference.high < 0 and ours.rate < limit
    beside = words.format(f"{theirs.rate:.2%}")
    told = (
        f"{ours.rate:.2%} of what is shown is clicked, {beside}: difference {difference.mean:+.2%} "
        f"[{difference.low:+.2%} {difference.high:+.2%}]; at least {limit:.2%} is expected."
    )
    yield LiveFigure("click_through", ours.rate, limit, is_crossed, told, theirs.rate)


def _hours(start: float, end: float) -> Window:
    """The hours that a stretch of time lies in."""
    return Window(int(start // SECONDS_PER_HOUR), int(max(start, end) // SECONDS_PER_HOUR))
