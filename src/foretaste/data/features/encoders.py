"""One column as features: numbers as z-scores, categories as multi-hots or bags, text as its shape and its words.

What an encoder learns from the training rows is in its fields, so that it can be written down as JSON. `encode` treats
each row by itself and takes whatever a row lacks.
"""

from typing import Annotated, Literal, Self, TypeAlias

import numpy as np
import polars as pl
from pydantic import Field
from scipy import sparse

from foretaste.arrays import DoubleArray
from foretaste.data.features.slots import Slots, as_lists
from foretaste.data.features.table import ColumnKind, DenseColumn, FeatureTable, row_shares
from foretaste.settings import Settings

_LARGEST_Z = 10.0
"""Where z-scores are cut: one mistyped price must not drown out the rest."""
_WORD = r"[\p{L}\p{N}]+"


class NumberEncoder(Settings):
    """(value - mean) / standard deviation, 0 where it is missing; and whether it is missing, if it ever was."""

    kind: Literal["number"] = "number"
    column: str
    """Where the values come from."""
    name: str
    """What the feature is called."""
    mean: float
    """Of the training rows that have a value."""
    stdev: float
    """Of the same rows, around their mean; 0 for a constant column, which comes out as 0."""
    flags_missing: bool
    """True where a training row had no value: only then can be learnt what its absence means."""

    @classmethod
    def fit(cls, column: str, values: pl.Series, *, name: str | None = None, flags_missing: bool = True) -> Self:
        """Learn from the values of the training rows."""
        number_X = _numbers(values)
        known_X = number_X[np.isfinite(number_X)]
        mean = float(known_X.mean()) if len(known_X) else 0.0
        # Rounding leaves a constant column a little off its mean; that is no spread.
        stdev = float(known_X.std()) if len(known_X) and np.ptp(known_X) > 0 else 0.0
        is_flagged = flags_missing and len(known_X) < len(number_X)
        return cls(column=column, name=name or column, mean=mean, stdev=stdev, flags_missing=is_flagged)

    def encode(self, values: pl.Series, kind: ColumnKind = "number") -> FeatureTable:
        """One or two dense columns; values that are no numbers count as missing."""
        number_X = _numbers(values)
        is_known_X = np.isfinite(number_X)
        z_X = np.zeros(len(number_X))
        if self.stdev > 0:
            np.divide(number_X - self.mean, self.stdev, out=z_X, where=is_known_X)
        columns, parts = [DenseColumn(self.name, kind, self.column)], [z_X.clip(-_LARGEST_Z, _LARGEST_Z)]
        if self.flags_missing:
            columns.append(DenseColumn(f"{self.name} is missing", "missing", self.column))
            parts.append(1.0 - is_known_X)
        return FeatureTable(tuple(columns), np.stack(parts, axis=1).astype(np.float32), {})


class CategoryEncoder(Settings):
    """The values of a cell, one or many: a multi-hot, or a bag for learned embeddings."""

    kind: Literal["category"] = "category"
    column: str
    """Where the values come from."""
    separator: str | None
    """What stands between the values of a cell; None where a cell is one value, or a list."""
    slots: Slots
    """Which slot each value has."""
    embedded: bool
    """True for a bag."""

    @classmethod
    def fit(
        cls,
        column: str,
        values: pl.Series,
        *,
        separator: str | None,
        top_k: int,
        hash_buckets: int,
        min_rows: int,
        embed_above: int,
    ) -> Self:
        """Learn from the values of the training rows; the arguments are those of `FeaturesConfig`."""
        lists = as_lists(values, separator)
        slots = Slots.fit(lists, top_k, hash_buckets, min_rows)
        return cls(column=column, separator=separator, slots=slots, embedded=len(slots) > embed_above)

    def encode(self, values: pl.Series) -> FeatureTable:
        """A multi-hot as dense columns, or a bag named like the column."""
        hot_XV = self.slots.encode(as_lists(values, self.separator))
        if self.embedded:
            return _bag_alone(self.column, hot_XV)
        columns = tuple(DenseColumn(f"{self.column}={name}", "category", self.column) for name in self.slots.names)
        return FeatureTable(columns, hot_XV.toarray(), {})


class TextEncoder(Settings):
    """How long a text is and how it is written, as z-scores; and its n-grams of words as a bag of hashed slots."""

    kind: Literal["text"] = "text"
    column: str
    """Where the text comes from."""
    shape: tuple[NumberEncoder, ...]
    """One for each of `text_shape`, in its order."""
    ngram_words: int
    """Longest n-gram, in words."""
    ngrams: Slots
    """Which slot each n-gram has."""

    @classmethod
    def fit(cls, column: str, values: pl.Series, *, ngram_words: int, ngram_buckets: int, min_rows: int) -> Self:
        """Learn from the texts of the training rows; the arguments are those of `FeaturesConfig`."""
        shape = text_shape(values)
        return cls(
            column=column,
            # All of them are missing together, so that one flag says it.
            shape=tuple(
                NumberEncoder.fit(column, shape[name], name=f"{column} {name}", flags_missing=place == 0)
                for place, name in enumerate(shape.columns)
            ),
            ngram_words=ngram_words,
            ngrams=Slots.fit(word_ngrams(values, ngram_words), 0, ngram_buckets, min_rows),
        )

    def encode(self, values: pl.Series) -> FeatureTable:
        """The shape as dense columns, and a bag named like the column."""
        shape = text_shape(values)
        parts = [
            encoder.encode(shape[name], kind="text") for encoder, name in zip(self.shape, shape.columns, strict=True)
        ]
        if len(self.ngrams):
            parts.append(_bag_alone(self.column, self.ngrams.encode(word_ngrams(values, self.ngram_words))))
        return FeatureTable.beside(len(values), parts)


Encoder: TypeAlias = Annotated[NumberEncoder | CategoryEncoder | TextEncoder, Field(discriminator="kind")]


def text_shape(values: pl.Series) -> pl.DataFrame:
    """Of each text: words, characters, characters a word, and the share of characters that are capitals and digits."""
    text = pl.col("text")
    characters = text.str.len_chars()
    return (
        values.cast(pl.String)
        .alias("text")
        .to_frame()
        .select(
            text.str.count_matches(_WORD).alias("words"),
            characters.alias("characters"),
            (text.str.extract_all(_WORD).list.join("").str.len_chars() / text.str.count_matches(_WORD)).alias(
                "characters a word"
            ),
            (text.str.count_matches(r"\p{Lu}") / characters).alias("share of capitals"),
            (text.str.count_matches(r"\p{Nd}") / characters).alias("share of digits"),
        )
    )


def word_ngrams(values: pl.Series, longest: int) -> pl.Series:
    """Lists of the runs of 1 to `longest` words of each text, lower case, joined by a space."""
    words = values.cast(pl.String).str.to_lowercase().str.extract_all(_WORD).alias("words")
    run = pl.element()
    runs = [words]
    for n in range(1, longest):
        run = run + " " + pl.element().shift(-n)
        runs.append(words.list.eval(run.drop_nulls()).alias(f"words {n}"))
    return pl.DataFrame(runs).select(pl.concat_list(pl.all()).alias("ngrams")).to_series()


def _bag_alone(name: str, hot_XV: sparse.csr_array) -> FeatureTable:
    return FeatureTable((), np.zeros((hot_XV.shape[0], 0), dtype=np.float32), {name: row_shares(hot_XV)})


def _numbers(values: pl.Series) -> DoubleArray:
    """float64, NaN where a value is missing or no number; dates as the days or moments since 1970."""
    physical = values.to_physical() if values.dtype.is_temporal() else values
    return physical.cast(pl.Float64, strict=False).fill_null(float("nan")).to_numpy()
