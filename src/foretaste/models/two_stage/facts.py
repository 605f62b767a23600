"""What the ranker is told of items, whoever asks: numbers, how popular they are and were, and the words they share."""

from typing import NamedTuple, Self

import numpy as np
from scipy import sparse

from foretaste.arrays import SECONDS_PER_DAY, DoubleArray, FloatArray, IntArray
from foretaste.data.features import FeaturesConfig, FeatureTable, fit_features
from foretaste.data.interactions import Dataset, Interactions
from foretaste.models.popularity import decayed_counts
from foretaste.models.protocol import State
from foretaste.models.sparse_rows import Rows, rows_of


class Facts(NamedTuple):
    """Fitted on the events that a model knows, and on no later one."""

    number_IF: FloatArray
    """Numbers of the catalogue as z-scores, and popularity at several time scales."""
    words: Rows
    """How each item divides itself among words: genres, authors, n-grams of its title. A column of the catalogue sums
    to 1 over its words, or to 0 where the item has none."""
    column_V: IntArray
    """The column of the catalogue that each word is of, counted from 0."""
    num_columns: int

    def state(self) -> State:
        """All as arrays."""
        return {
            "fact_numbers": self.number_IF,
            **{f"fact_words_{name}": array for name, array in self.words._asdict().items()},
            "fact_columns": self.column_V,
            "fact_num_columns": np.array([self.num_columns]),
        }

    @classmethod
    def from_state(cls, state: State) -> Self:
        """What `state` was taken from."""
        return cls(
            state["fact_numbers"],
            Rows(*(state[f"fact_words_{name}"] for name in Rows._fields)),
            state["fact_columns"],
            int(state["fact_num_columns"][0]),
        )


class Layout(NamedTuple):
    """Which columns facts have, by name and in order. What there is to tell depends on the events that are known: a
    column may flag what is missing only once an item that lacks it was met."""

    numbers: tuple[str, ...]
    words: tuple[str, ...]

    @classmethod
    def of(cls, table: FeatureTable) -> Self:
        """That of encoded items."""
        return cls(tuple(column.name for column in table.columns), tuple(table.bags))


def encode(dataset: Dataset, config: FeaturesConfig) -> FeatureTable:
    """The columns of the catalogue, learnt from the events of `dataset` alone.

    Raises:
        DataError: a column that the config names is not there, or is of a type that cannot become a feature.
    """
    # Every column of words is compared with the history as a whole, however few words it has.
    config = config.model_copy(update={"embed_above": 0, "history_means": False, "user_columns": ()})
    return fit_features(dataset, config).encode_items(dataset.catalogue, dataset.interactions.item_counts())


def fit_facts(
    dataset: Dataset, config: FeaturesConfig, half_lives_days: tuple[float, ...], layout: Layout | None = None
) -> Facts:
    """The facts of all items of the catalogue, learnt from the events of `dataset` alone.

    Args:
        dataset: the events that are known.
        config: which columns count.
        half_lives_days: time scales of popularity.
        layout: the columns to have; one that these events say nothing of is zero. Without it, those that they give.

    Raises:
        DataError: a column that the config names is not there, or is of a type that cannot become a feature.
    """
    table = encode(dataset, config)
    names, words = layout or Layout.of(table)
    number_I_by_name = dict(zip((column.name for column in table.columns), table.dense_XF.T, strict=True))
    zero_I = np.zeros(len(table), dtype=np.float32)
    numbers = [number_I_by_name.get(name, zero_I)[:, None] for name in names]
    nothing = sparse.csr_array((len(table), 0), dtype=np.float32)
    bags = [table.bags.get(name, nothing) for name in words]
    sizes = [bag.shape[1] for bag in bags]
    return Facts(
        np.hstack([*numbers, recency(dataset.interactions, half_lives_days)]).astype(np.float32),
        rows_of(sparse.hstack([nothing, *bags], format="csr", dtype=np.float32)),
        np.repeat(np.arange(len(bags)), sizes).astype(np.int32),
        len(bags),
    )


def recency(events: Interactions, half_lives_days: tuple[float, ...]) -> DoubleArray:
    """recency_IF: how an item stands among all by its events of the last days, and how long it has been there.

    The logarithm of the days from the item's first event to the newest of all, 0 where it has none. Then for each
    half-life the share of items with less decayed weight, from 0 to 1: it does not grow with the data. No columns where
    the events have no timestamps.
    """
    if events.timestamp_N is None or not len(events):
        return np.zeros((events.num_items, 0))
    newest = events.timestamp_N.max()
    first_I = np.full(events.num_items, newest)
    np.minimum.at(first_I, events.item_N, events.timestamp_N)
    columns = [np.log1p((newest - first_I) / SECONDS_PER_DAY)]
    for half_life_days in half_lives_days:
        decayed_I = decayed_counts(events.item_N, events.weight_N, events.timestamp_N, events.num_items, half_life_days)
        columns.append(np.searchsorted(np.sort(decayed_I), decayed_I) / events.num_items)
    return np.column_stack(columns)
