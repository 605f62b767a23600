"""Into train, valid and test: by global time, leave-last-out, random per user, or as given."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated, Literal, TypeAlias

import numpy as np
from pydantic import Field, model_validator

from foretaste.arrays import BoolArray, IntArray, LongArray
from foretaste.data.interactions import Interactions, Split
from foretaste.data.prepare import Prepared
from foretaste.data.schemas import PARTS
from foretaste.errors import SplitError
from foretaste.settings import Settings

Share = Annotated[float, Field(ge=0, lt=1)]


class _Splits(Settings):
    drop_unknown: bool = False
    """Drop from valid and test the events of users and items that train does not know. Default: keep and count them."""


class GlobalTimeSplit(_Splits):
    """The oldest events train, the next ones validate, the newest test: no model sees the future."""

    method: Literal["global_time"] = "global_time"
    valid: Share = 0.1
    """Share of all events, the newest before test; 0 for none."""
    test: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """Share of all events, the newest."""
    valid_from: date | None = None
    """First UTC day of valid; with `test_from`, instead of the shares."""
    test_from: date | None = None
    """First UTC day of test."""
    windows: int = Field(default=1, ge=1)
    """Test windows, each of the share `test`, one right after the other up to the newest event (rolling origin). For
    each a model is trained on what was before it. The newest is the split that one window alone would be."""

    @model_validator(mode="after")
    def _shares_or_dates(self) -> "GlobalTimeSplit":
        if self.valid_from is not None and (self.test_from is None or self.valid_from >= self.test_from):
            raise ValueError("valid_from needs a later test_from, as in valid_from: 1998-01-01, test_from: 1998-03-01")
        if self.windows > 1 and self.test_from is not None:
            raise ValueError("windows are cut by shares, not by dates; leave out test_from, or set windows: 1")
        held_out = self.valid + self.windows * self.test
        if held_out > 1 - 1e-9:  # three times 0.3 is a little less than 0.9
            over = f" over {self.windows} windows" if self.windows > 1 else ""
            raise ValueError(f"valid and test take {held_out:g} of the events{over}; leave some to train")
        return self


class LeaveLastOutSplit(_Splits):
    """The last events of each user test, those before them validate. Common in papers; it leaks time between users."""

    method: Literal["leave_last_out"] = "leave_last_out"
    valid: int = Field(default=1, ge=0)
    """Events per user to validate; 0 for none."""
    test: int = Field(default=1, ge=1)
    """Events per user to test. A user needs `valid + test + 1` events; one with fewer only trains."""


class RandomSplit(_Splits):
    """A random share of each user's events tests, another validates."""

    method: Literal["random"] = "random"
    valid: Share = 0.1
    """Share of each user's events; 0 for none."""
    test: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """Share of each user's events."""
    seed: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _leave_some(self) -> "RandomSplit":
        if self.valid + self.test >= 1:
            raise ValueError(f"valid and test take {self.valid + self.test:g} of the events; leave some to train")
        return self


class GivenSplit(_Splits):
    """As the files say, so that figures compare with published ones."""

    method: Literal["given"] = "given"
    valid: Share = 0.0
    """Share of each user's train events to validate on, drawn at random, where the files give no valid part."""
    seed: int = Field(default=0, ge=0)


SplitConfig: TypeAlias = Annotated[
    GlobalTimeSplit | LeaveLastOutSplit | RandomSplit | GivenSplit, Field(discriminator="method")
]

_TRAIN, _VALID, _TEST = range(len(PARTS))
_LATER = -1
"""Part of the events after a window that is not the newest."""


def split(prepared: Prepared, config: SplitConfig, window: int = 0) -> Split:
    """Divide the events; every one lands in exactly one part, or is counted in `dropped`.

    Args:
        prepared: the events.
        config: how to divide.
        window: of a rolling split, how many windows before the newest; what lies after it is in no part.

    Raises:
        SplitError: the data lacks what the method needs, or train or test would be empty.
    """
    return split_events(prepared.dataset.interactions, config, window, prepared.part_N)


def split_events(
    interactions: Interactions, config: SplitConfig, window: int = 0, given_N: IntArray | None = None
) -> Split:
    """Divide events as `split` does.

    Args:
        interactions: the events, oldest first where they have timestamps.
        config: how to divide.
        window: of a rolling split, how many windows before the newest.
        given_N: the part of each event, for `given`.

    Raises:
        SplitError: the data lacks what the method needs, or train or test would be empty.
    """
    match config:
        case GlobalTimeSplit():
            part_N = _by_time(_timestamps(interactions, config.method), config, window)
        case LeaveLastOutSplit():
            _timestamps(interactions, config.method)
            part_N = _last_out(interactions, config)
        case RandomSplit():
            everything = np.ones(len(interactions), dtype=bool)
            part_N = _at_random(interactions, everything, config.valid, config.test, config.seed)
        case GivenSplit():
            part_N = _as_given(interactions, given_N, config)
    train, valid, test = (interactions.select(part_N == part) for part in range(len(PARTS)))
    for name, part in (("train", train), ("test", test)):
        if len(part) == 0:
            raise SplitError(
                f"{config.method} split: {name} is empty, of {len(interactions):,} events by "
                f"{interactions.num_users:,} users; change the shares or dates of the split, or loosen prepare."
            )
    dropped = {}
    if config.drop_unknown:
        knows = [known_to(train, part) for part in (valid, test)]
        dropped = {"unknown to train": int(sum((~known).sum() for known in knows))}
        valid, test = (part.select(known) for part, known in zip((valid, test), knows, strict=True))
    return Split(train, valid if len(valid) else None, test, config.method, dropped)


def num_windows(config: SplitConfig) -> int:
    """Test windows of a split; 1 for all that do not roll."""
    return config.windows if isinstance(config, GlobalTimeSplit) else 1


def known_to(train: Interactions, part: Interactions) -> BoolArray:
    """True for the events of `part` whose user and item both have events in `train`."""
    known: BoolArray = (train.user_counts() > 0)[part.user_N] & (train.item_counts() > 0)[part.item_N]
    return known


@dataclass(frozen=True)
class PartSummary:
    """What a part of a split holds, and how much of it train cannot know."""

    events: int
    users: int
    first: str | None
    """UTC day of the oldest event; None for data without timestamps."""
    last: str | None
    unknown_events: int
    """Events whose user or item has none in train."""
    unknown_users: int
    """Users without an event in train."""
    unknown_items: int
    """Items without an event in train."""


def summarise(result: Split) -> dict[str, PartSummary]:
    """Part → what it holds; valid is absent where the split has none."""
    parts = {"train": result.train, "valid": result.valid, "test": result.test}
    return {name: _summary(result.train, part) for name, part in parts.items() if part is not None}


def _summary(train: Interactions, part: Interactions) -> PartSummary:
    times, has_events_U, has_events_I = part.timestamp_N, part.user_counts() > 0, part.item_counts() > 0
    return PartSummary(
        events=len(part),
        users=int(has_events_U.sum()),
        first=None if times is None else _day(times.min()),
        last=None if times is None else _day(times.max()),
        unknown_events=int((~known_to(train, part)).sum()),
        unknown_users=int((has_events_U & (train.user_counts() == 0)).sum()),
        unknown_items=int((has_events_I & (train.item_counts() == 0)).sum()),
    )


def _day(utc_seconds: int) -> str:
    return datetime.fromtimestamp(int(utc_seconds), UTC).date().isoformat()


def _timestamps(interactions: Interactions, method: str) -> LongArray:
    if interactions.timestamp_N is None:
        raise SplitError(
            f"split.method '{method}' needs timestamps, and the data has none; use 'random', as in "
            f"`--set split.method=random`, or 'given' where the source brings a split."
        )
    return interactions.timestamp_N


def _by_time(timestamp_N: LongArray, config: GlobalTimeSplit, window: int) -> IntArray:
    """Events are oldest first."""
    later_from = np.iinfo(np.int64).max
    if config.test_from is not None:
        test_from = _seconds(config.test_from)
        valid_from = test_from if config.valid_from is None else _seconds(config.valid_from)
    else:
        # The events at one moment go together: a boundary moves back to the first of them.
        def moment(share_after: float) -> int:
            size = len(timestamp_N)
            return int(timestamp_N[min(size - 1, round(size * (1 - share_after)))])

        newer = window * config.test
        if window:
            later_from = moment(newer)
        test_from, valid_from = moment(newer + config.test), moment(newer + config.test + config.valid)
    moments = [later_from, test_from, valid_from]
    return np.select([timestamp_N >= each for each in moments], [_LATER, _TEST, _VALID], _TRAIN).astype(np.int32)


def _seconds(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


def _last_out(interactions: Interactions, config: LeaveLastOutSplit) -> IntArray:
    """Events are oldest first, so a user's rows in order are in order of time."""
    size_U = interactions.user_counts()
    from_end_N = size_U[interactions.user_N] - 1 - _place_within_user(interactions.user_N)
    enough_N = size_U[interactions.user_N] > config.valid + config.test
    held_out = [enough_N & (from_end_N < config.test), enough_N & (from_end_N < config.valid + config.test)]
    return np.select(held_out, [_TEST, _VALID], _TRAIN).astype(np.int32)


def _at_random(interactions: Interactions, rows: BoolArray, valid: float, test: float, seed: int) -> IntArray:
    """Of a user's n chosen rows, round(n · test) test and round(n · valid) validate; all others train."""
    part_N = np.zeros(len(interactions), dtype=np.int32)
    chosen = np.flatnonzero(rows)
    shuffled = np.random.default_rng(seed).permutation(chosen)
    user_N = interactions.user_N[shuffled]
    place_N = _place_within_user(user_N)
    size_N = np.bincount(user_N, minlength=interactions.num_users)[user_N]
    num_test_N, num_valid_N = np.rint(size_N * test), np.rint(size_N * valid)
    part_N[shuffled] = np.select([place_N < num_test_N, place_N < num_test_N + num_valid_N], [_TEST, _VALID], _TRAIN)
    return part_N


def _as_given(interactions: Interactions, given_N: IntArray | None, config: GivenSplit) -> IntArray:
    if given_N is None:
        raise SplitError(
            "split.method 'given' needs a source that brings a split, such as lightgcn or ncf, or a table whose column "
            "of train, valid and test is named, as in columns: {part: set}; otherwise use 'global_time', "
            "'leave_last_out' or 'random'."
        )
    if config.valid == 0 or (given_N == _VALID).any():
        return given_N
    train_N = given_N == _TRAIN
    cut_N = _at_random(interactions, train_N, config.valid, 0.0, config.seed)
    return np.where(train_N, cut_N, given_N).astype(np.int32)


def _place_within_user(user_N: IntArray) -> LongArray:
    """0 for a user's first row, 1 for the second, …"""
    order = np.argsort(user_N, kind="stable")
    sorted_N = user_N[order]
    first_N = np.flatnonzero(np.r_[True, sorted_N[1:] != sorted_N[:-1]])
    lengths = np.diff(np.r_[first_N, len(sorted_N)])
    place_N = np.empty(len(user_N), dtype=np.int64)
    place_N[order] = np.arange(len(user_N)) - np.repeat(first_N, lengths)
    return place_N
