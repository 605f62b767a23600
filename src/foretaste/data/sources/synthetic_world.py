"""The synthetic world itself: who its users and items are, and what each user would like.

A user and an item have an affinity: the product of the user's taste at that moment and what the item offers, over
genres and over a finer style that no genre tells, plus the item's quality. The probability of liking is its logistic.
"""

from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
import polars as pl
from pydantic import Field, model_validator

from foretaste.arrays import SECONDS_PER_DAY, BoolArray, DoubleArray, FloatArray, IntArray, LongArray
from foretaste.data.schemas import GENRES, ITEM_ID, USER_ID
from foretaste.data.sources.synthetic_titles import GENRE_NAMES, titles
from foretaste.settings import Settings

BEGIN_SECONDS = 1_672_531_200
"""The first second of the world: 2023-01-01 00:00 UTC."""

_STYLE_DIM = 10
"""Dimensions of taste that no genre tells: what makes collaborative filtering better than counting genres."""
_GENRE_STRENGTH, _STYLE_STRENGTH, _QUALITY_STRENGTH = 1.6, 3.0, 0.4
"""Standard deviations, over users and items, of the three parts of affinity."""
_MEAN_AFFINITY = -3.0
"""Most people would not care for most items."""
_EARLY_ARRIVAL = 0.5
"""Share of the days within which early users come, unless late ones come sooner."""
_ATTENTION_EXPONENT = 1.0
"""Attention falls with the rank of an item to this power (Zipf)."""
_ACTIVITY_SPREAD = 0.7
"""Standard deviation of the logarithm of a user's events per day."""
_SHELF_PLACES_PER_ITEM = 32
"""Places of the shelf for an item of average exposure."""
COUNTRIES = ("DE", "FR", "GB", "IN", "JP", "US")
AGE_BANDS = ("18-24", "25-34", "35-49", "50-64", "65+")


class SyntheticConfig(Settings):
    """The built-in world. The same settings always give the same rows."""

    source: Literal["synthetic"] = "synthetic"
    num_users: int = Field(default=2_000, ge=1)
    """Users."""
    num_items: int = Field(default=800, ge=12)
    """Items of the catalogue."""
    num_interactions: int = Field(default=80_000, ge=1)
    """Rows of the log; at most a quarter of all pairs of a user and an item."""
    seed: int = Field(default=0, ge=0, lt=2**63)
    """Seed of everything that is random."""
    days: int = Field(default=730, ge=1)
    """Days that the log covers, from 2023-01-01."""
    taste_drift: float = Field(default=0.3, ge=0, le=1)
    """One minus the correlation of a user's tastes on the first and on the last day; 0 for tastes that stay."""
    exposure_bias: float = Field(default=0.75, ge=0, le=2)
    """Exponent on attention when a slate is drawn: 0 shows all items alike, 1 in proportion to attention."""
    slate_size: int = Field(default=40, ge=1)
    """Items that are shown for each event; the user takes one."""
    late_user_share: float = Field(default=0.1, ge=0, le=0.9)
    """Share of the users that appear only when `late_after` of the days are over."""
    late_item_share: float = Field(default=0.1, ge=0, le=0.9)
    """Share of the items that are released only then."""
    late_after: float = Field(default=0.8, gt=0, lt=1)
    """Share of the days after which late users and items come."""
    truth_items: int = Field(default=0, ge=0)
    """Items drawn at random for each user when the log ends, and rated by taste alone: a test without the bias of the
    shelf. 0 for none."""

    @model_validator(mode="after")
    def _is_sparse(self) -> Self:
        limit = self.num_users * self.num_items // 4
        if self.num_interactions > limit:
            raise ValueError(
                f"num_interactions is {self.num_interactions:,}, but {self.num_users:,} users and {self.num_items:,} "
                f"items give at most {limit:,}, a quarter of all pairs; raise num_users or num_items."
            )
        return self

    @model_validator(mode="after")
    def _has_so_many_items(self) -> Self:
        if self.truth_items > self.num_items:
            raise ValueError(
                f"truth_items is {self.truth_items:,}, of {self.num_items:,} items; give no more than that"
            )
        return self

    @property
    def end_seconds(self) -> int:
        """The first second after the log, UTC."""
        return BEGIN_SECONDS + self.days * SECONDS_PER_DAY


@dataclass(frozen=True, eq=False)
class World:
    """The truth behind the rows. Users and items are indices here; item i is `item_ids[i]`."""

    config: SyntheticConfig
    taste_start_UD: FloatArray
    """Taste on the first day."""
    taste_end_UD: FloatArray
    """Taste on the last day; between, it moves in a straight line."""
    item_ID: FloatArray
    """What the items have to offer to a taste: genres first, then style."""
    quality_I: FloatArray
    """What everybody likes in an item; added to the affinity."""
    attention_I: FloatArray
    """Share of the public attention of each item; sums to 1."""
    arrival_seconds_U: LongArray
    """When a user first appears, UTC seconds."""
    release_seconds_I: LongArray
    """When an item comes out, UTC seconds."""
    num_events_U: LongArray
    """Events of each user in the log."""
    age_band_U: IntArray
    """Index into the age bands; tastes lean a little on it."""
    country_U: IntArray
    """Index into the countries; without any influence, which a model should find out."""
    has_genre_IG: BoolArray
    """Which of `GENRE_NAMES` an item has, one to three."""
    titles: pl.Series
    """Unique titles."""

    @property
    def user_ids(self) -> pl.Series:
        """`u1`, `u2` …"""
        return _ids("u", self.config.num_users, USER_ID)

    @property
    def item_ids(self) -> pl.Series:
        """`m1`, `m2` …"""
        return _ids("m", self.config.num_items, ITEM_ID)

    @property
    def genres(self) -> pl.Series:
        """The list of genres of each item."""
        item, genre = np.nonzero(self.has_genre_IG)
        pairs = pl.DataFrame({"item": item, GENRES: pl.Series(GENRE_NAMES).gather(genre)})
        return pairs.group_by("item", maintain_order=True).agg(GENRES)[GENRES]

    def preference(self, users: IntArray | LongArray, at_seconds: int | LongArray) -> FloatArray:
        """preference_BI: probability that each of `users` likes each item once it is shown, released or not.

        The expected rating is 1 + 4 × preference, and from a slate a user takes an item with probability proportional
        to preference / (1 - preference).

        Args:
            users: B user indices.
            at_seconds: UTC seconds, one for all or one for each user.
        """
        moved_B = (np.asarray(at_seconds) - BEGIN_SECONDS) / (self.config.end_seconds - BEGIN_SECONDS)
        moved_B1 = np.broadcast_to(moved_B, len(users)).astype(np.float32)[:, None]
        taste_BD = self.taste_start_UD[users] + moved_B1 * (self.taste_end_UD[users] - self.taste_start_UD[users])
        return np.asarray(1 / (1 + np.exp(-(taste_BD @ self.item_ID.T + self.quality_I))), dtype=np.float32)

    def shelf(self) -> IntArray:
        """Item indices, each as often as it is exposed: a uniform draw from it is a draw of what is shown."""
        exposure_I = self.attention_I.astype(np.float64) ** self.config.exposure_bias
        upto_I = np.cumsum(exposure_I)
        num_places = _SHELF_PLACES_PER_ITEM * len(upto_I)
        places = (np.arange(num_places) + 0.5) / num_places * upto_I[-1]
        return np.asarray(np.searchsorted(upto_I, places), dtype=np.int32)


def make_world(config: SyntheticConfig) -> World:
    """The world of a config: the same for the same settings."""
    rng = np.random.default_rng(config.seed)
    num_users, num_items, num_genres = config.num_users, config.num_items, len(GENRE_NAMES)

    age_band_U = rng.integers(len(AGE_BANDS), size=num_users, dtype=np.int32)
    leaning_AG = rng.standard_normal((len(AGE_BANDS), num_genres), dtype=np.float32)

    def draw_tastes() -> FloatArray:
        own_UG = rng.standard_normal((num_users, num_genres), dtype=np.float32)
        genre_UG = np.float32(0.9) * own_UG + np.float32(np.sqrt(0.19)) * leaning_AG[age_band_U]
        style_UD = rng.standard_normal((num_users, _STYLE_DIM), dtype=np.float32)
        return np.hstack([_GENRE_STRENGTH * genre_UG, _STYLE_STRENGTH * style_UD]).astype(np.float32)

    start_UD, fresh_UD = draw_tastes(), draw_tastes()
    drift = np.float32(config.taste_drift)
    # Weights whose squares add to one keep a taste as strong at the end as it was at the start.
    end_UD = (1 - drift) * start_UD + np.sqrt(1 - (1 - drift) ** 2) * fresh_UD

    has_genre_IG = _draw_genres(rng, num_items)
    genre_IG = has_genre_IG / np.sqrt(has_genre_IG.sum(axis=1, keepdims=True))
    style_ID = rng.standard_normal((num_items, _STYLE_DIM)) / np.sqrt(_STYLE_DIM)
    quality_I = rng.standard_normal(num_items, dtype=np.float32)
    # Attention follows quality, but only loosely: it is what exposure feeds on, and not what people like.
    rank_I = np.argsort(np.argsort(-(quality_I + rng.standard_normal(num_items))))
    attention_I = (rank_I + 1.0) ** -_ATTENTION_EXPONENT

    arrival_U = _draw_arrivals(rng, config, num_users)
    rate_U = rng.lognormal(sigma=_ACTIVITY_SPREAD, size=num_users)
    return World(
        config=config,
        taste_start_UD=start_UD,
        taste_end_UD=end_UD.astype(np.float32),
        item_ID=np.hstack([genre_IG, style_ID]).astype(np.float32),
        quality_I=_MEAN_AFFINITY + _QUALITY_STRENGTH * quality_I,
        attention_I=(attention_I / attention_I.sum()).astype(np.float32),
        arrival_seconds_U=arrival_U,
        release_seconds_I=_draw_releases(rng, config),
        num_events_U=_apportion(rate_U * (config.end_seconds - arrival_U), config.num_interactions),
        age_band_U=age_band_U,
        country_U=rng.integers(len(COUNTRIES), size=num_users, dtype=np.int32),
        has_genre_IG=has_genre_IG,
        titles=titles(has_genre_IG.argmax(axis=1).astype(np.int32)),
    )


def _ids(prefix: str, count: int, name: str) -> pl.Series:
    return pl.Series([prefix]).rename(name) + pl.int_range(1, count + 1, eager=True).cast(pl.String)


def _draw_genres(rng: np.random.Generator, num_items: int) -> BoolArray:
    """has_genre_IG: one to three genres each, some genres more common than others."""
    share_G = 1 / np.sqrt(np.arange(1, len(GENRE_NAMES) + 1))
    # The largest keys of log(share) + Gumbel noise are a draw without replacement (Gumbel top-k).
    keys_IG = np.log(rng.permutation(share_G)) + rng.gumbel(size=(num_items, len(GENRE_NAMES)))
    place_IG = np.argsort(np.argsort(-keys_IG, axis=1), axis=1)
    num_genres_I1 = rng.choice([1, 2, 3], p=[0.4, 0.4, 0.2], size=(num_items, 1))
    return np.asarray(place_IG < num_genres_I1)


def _is_late(rng: np.random.Generator, count: int, share: float) -> BoolArray:
    """True for exactly a share of `count`, at random places."""
    return np.asarray(rng.permutation(count) < round(share * count))


def _draw_arrivals(rng: np.random.Generator, config: SyntheticConfig, count: int) -> LongArray:
    late_U = _is_late(rng, count, config.late_user_share)
    late_after = config.late_after
    early_until = min(_EARLY_ARRIVAL, late_after)
    share_U = rng.random(count) * np.where(late_U, 1 - late_after, early_until) + np.where(late_U, late_after, 0)
    return (BEGIN_SECONDS + share_U * (config.days * SECONDS_PER_DAY)).astype(np.int64)


def _draw_releases(rng: np.random.Generator, config: SyntheticConfig) -> LongArray:
    """Back catalogue from 1960 on, more of it recent; late items after `late_after` of the days. Whole days."""
    late_I = _is_late(rng, config.num_items, config.late_item_share)
    days_before_I = 1 + np.minimum(rng.exponential(14 * 365, size=config.num_items), 63 * 365)
    days_after_I = config.days * (config.late_after + (1 - config.late_after) * rng.random(config.num_items))
    day_I = np.where(late_I, days_after_I, -days_before_I).astype(np.int64)
    return np.asarray(BEGIN_SECONDS + day_I * SECONDS_PER_DAY)


def _apportion(weight_U: DoubleArray, total: int) -> LongArray:
    """Whole numbers in proportion to the weights that sum to `total`, by largest remainder."""
    exact_U = weight_U / weight_U.sum() * total
    count_U: LongArray = np.floor(exact_U).astype(np.int64)
    missing = total - int(count_U.sum())
    count_U[np.argsort(count_U - exact_U, kind="stable")[:missing]] += 1
    return count_U
