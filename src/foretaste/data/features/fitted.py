"""Features fitted on training events: which columns, what was learnt of each, and how any row is encoded."""

from typing import Any, Self

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import sparse

from foretaste.arrays import LongArray
from foretaste.data.features.config import FeaturesConfig
from foretaste.data.features.encoders import CategoryEncoder, Encoder, NumberEncoder, TextEncoder
from foretaste.data.features.table import FeatureTable
from foretaste.data.interactions import Dataset
from foretaste.data.schemas import AUTHOR, GENRES, ITEM_ID, TITLE, USER_ID, YEAR
from foretaste.errors import DataError
from foretaste.settings import Settings

POPULARITY = "popularity"
_STATE = "features"
_ALWAYS = (TITLE, YEAR, GENRES, AUTHOR)
_MOST_UNIQUE = 0.5
"""Share of rows with a value of their own above which a column of text or whole numbers is taken for an identifier."""


class HistoryScale(Settings):
    """Mean and standard deviation of the dense history means over the training users, one entry a column."""

    mean: tuple[float, ...]
    """Mean of each column."""
    stdev: tuple[float, ...]
    """Standard deviation of each column; 0 for a constant one, which comes out as 0."""


class FittedFeatures(Settings):
    """All that the training events taught about the features. Items and users that come later are encoded alike."""

    items: tuple[Encoder, ...]
    """Of columns of the catalogue."""
    users: tuple[Encoder, ...]
    """Of columns of the users table."""
    popularity: NumberEncoder | None
    """Of the logarithm of the events; None leaves it out."""
    history: HistoryScale | None
    """Of the means over a user's items; None leaves them out."""

    def encode_items(self, catalogue: pl.DataFrame, count_I: LongArray | None = None) -> FeatureTable:
        """The features of items, whether the training saw them or not.

        Args:
            catalogue: one row an item; a column that it lacks counts as missing.
            count_I: training events of each item. One without any has no popularity, which is not to say that it is
                unpopular: it stands at the mean.
        """
        tables = _encode(self.items, catalogue)
        if self.popularity is not None:
            events_I = np.zeros(len(catalogue), dtype=np.int64) if count_I is None else count_I
            tables.append(self.popularity.encode(_log_events(events_I), kind="popularity"))
        return FeatureTable.beside(len(catalogue), tables)

    def encode_users(
        self, attributes: pl.DataFrame | None, history_BI: sparse.csr_array, items: FeatureTable
    ) -> FeatureTable:
        """The features of users.

        Args:
            attributes: one row a user; None where nothing is known of them.
            history_BI: weights of the items that each has met. An empty history stands at the mean of the users.
            items: the features of the I items, from `encode_items`.
        """
        num_rows = history_BI.shape[0]
        tables = _encode(self.users, pl.DataFrame({USER_ID: [None] * num_rows}) if attributes is None else attributes)
        if self.history is not None:
            means = items.means_over(history_BI)
            is_empty_B = np.diff(history_BI.indptr) == 0
            scale_F = np.asarray(self.history.stdev)
            z_BF = np.divide(
                means.dense_XF - np.asarray(self.history.mean),
                scale_F,
                out=np.zeros(means.dense_XF.shape),
                where=(scale_F > 0) & ~is_empty_B[:, None],
            )
            tables.append(FeatureTable(means.columns, z_BF.astype(np.float32), means.bags))
        return FeatureTable.beside(num_rows, tables)

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """One array: JSON as UTF-8 bytes."""
        return {_STATE: np.frombuffer(self.model_dump_json().encode(), dtype=np.uint8)}

    @classmethod
    def from_state(cls, state: dict[str, npt.NDArray[Any]]) -> Self:
        """What `state` was taken from; it encodes alike, to the bit."""
        return cls.model_validate_json(np.asarray(state[_STATE]).tobytes())


def fit_features(dataset: Dataset, config: FeaturesConfig) -> FittedFeatures:
    """Learn from the events of `dataset`, and from the rows of the items and users in them; from no other row.

    Raises:
        DataError: a column that the config names is not there, or is of a type that cannot become a feature.
    """
    events = dataset.interactions
    count_I, count_U = events.item_counts(), events.user_counts()
    popularity = (
        NumberEncoder.fit(POPULARITY, _log_events(count_I[count_I > 0]), flags_missing=False)
        if config.popularity
        else None
    )
    items = _fit_columns(dataset.catalogue.filter(count_I > 0), config.item_columns, "item_columns", config)
    users = (
        ()
        if dataset.users is None
        else _fit_columns(dataset.users.filter(count_U > 0), config.user_columns, "user_columns", config)
    )
    without_scale = FittedFeatures(items=items, users=users, popularity=popularity, history=None)
    if not config.history_means:
        return without_scale
    table = without_scale.encode_items(dataset.catalogue, count_I)
    means_XF = table.means_over(events.to_csr()[count_U > 0]).dense_XF.astype(np.float64)
    return without_scale.model_copy(update={"history": _history_scale(means_XF)})


def _history_scale(means_XF: npt.NDArray[np.float64]) -> HistoryScale:
    if not len(means_XF):
        means_XF = np.zeros((1, means_XF.shape[1]))
    is_constant_F = np.ptp(means_XF, axis=0) == 0
    stdev_F = np.where(is_constant_F, 0.0, means_XF.std(axis=0))
    return HistoryScale(mean=tuple(means_XF.mean(axis=0).tolist()), stdev=tuple(stdev_F.tolist()))


def _log_events(count_I: LongArray) -> pl.Series:
    """log(1 + events), null where there are none."""
    return pl.Series(POPULARITY, np.log1p(count_I)).set(pl.Series(count_I == 0), None)


def _encode(encoders: tuple[Encoder, ...], frame: pl.DataFrame) -> list[FeatureTable]:
    nothing = pl.Series(values=[None] * len(frame), dtype=pl.String)
    return [
        encoder.encode(frame[encoder.column] if encoder.column in frame.columns else nothing) for encoder in encoders
    ]


def _fit_columns(
    rows: pl.DataFrame, wanted: tuple[str, ...] | None, key: str, config: FeaturesConfig
) -> tuple[Encoder, ...]:
    attributes = rows.select(pl.exclude(ITEM_ID, USER_ID))
    if wanted is None:
        return tuple(_fit_column(values, config) for values in attributes if _is_worth_encoding(values, config))
    for name in wanted:
        if name not in attributes.columns:
            raise DataError(
                f"features.{key} names '{name}', which the data does not have; expected some of: "
                f"{', '.join(attributes.columns) or 'no columns at all'}. Take it out or correct its name."
            )
        if not _can_be_encoded(attributes[name].dtype):
            raise DataError(
                f"features.{key} names '{name}', whose values are {attributes[name].dtype}; expected numbers, dates, "
                f"text or lists of text. Take it out or convert the column."
            )
    return tuple(_fit_column(attributes[name], config) for name in wanted)


def _can_be_encoded(dtype: pl.DataType) -> bool:
    if isinstance(dtype, pl.List):
        return dtype.inner in (pl.String, pl.Null)
    return dtype.is_numeric() or dtype.is_temporal() or dtype in (pl.Boolean, pl.String, pl.Categorical, pl.Enum)


def _is_worth_encoding(values: pl.Series, config: FeaturesConfig) -> bool:
    num_known = len(values) - values.null_count()
    if not num_known or not _can_be_encoded(values.dtype):
        return False
    if values.name in (*_ALWAYS, *config.text_columns) or isinstance(values.dtype, pl.List):
        return True
    may_identify = values.dtype.is_integer() or not (values.dtype.is_numeric() or values.dtype.is_temporal())
    return not may_identify or int(values.drop_nulls().is_unique().sum()) <= _MOST_UNIQUE * num_known


def _fit_column(values: pl.Series, config: FeaturesConfig) -> Encoder:
    name = values.name
    if name in config.text_columns and values.dtype == pl.String:
        return TextEncoder.fit(
            name,
            values,
            ngram_words=config.ngram_words,
            ngram_buckets=config.ngram_buckets,
            min_rows=config.min_rows,
        )
    if values.dtype.is_numeric() or values.dtype.is_temporal() or values.dtype == pl.Boolean:
        return NumberEncoder.fit(name, values)
    return CategoryEncoder.fit(
        name,
        values,
        separator=config.separators.get(name),
        top_k=config.top_k,
        hash_buckets=config.hash_buckets,
        min_rows=config.min_rows,
        embed_above=config.embed_above,
    )
