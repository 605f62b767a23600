"""What people see of an item: its title and all that the catalogue knows of it, as JSON types.

Each item's JSON is encoded once, when the catalogue is loaded, into one block of memory.
"""

import re
from io import BytesIO
from typing import Any

import numpy as np
import polars as pl

from foretaste.arrays import IntArray
from foretaste.artifacts.bundle import POPULARITY
from foretaste.data.schemas import GENRES, ITEM_ID, TITLE, YEAR

_FIRST = (ITEM_ID, TITLE, YEAR, GENRES)
_OF_THE_ANSWER = ("score", "source")
"""What an answer says of an item; an attribute that is called so gives way."""


def noun_id(item_noun: str) -> str:
    """What the id of an item is also called: `movie_id` for `movie`."""
    return re.sub(r"\W+", "_", item_noun.strip().lower()) + "_id"


class ItemCards:
    """The catalogue as it is shown."""

    def __init__(self, catalogue: pl.DataFrame, item_noun: str = "item") -> None:
        title = pl.coalesce(TITLE, ITEM_ID) if TITLE in catalogue.columns else pl.col(ITEM_ID)
        shown = [_as_json(name, dtype) for name, dtype in catalogue.schema.items() if name not in (ITEM_ID, TITLE)]
        table = catalogue.select(ITEM_ID, title.alias(TITLE), *(each for each in shown if each is not None))
        first = [name for name in _FIRST if name in table.columns]
        self._table = table.select(*first, pl.exclude(first))
        self._id_I = table[ITEM_ID].to_numpy()
        self._titles: list[str] = self._table[TITLE].to_list()
        noun = noun_id(item_noun)
        kept = pl.exclude(ITEM_ID, noun, *_OF_THE_ANSWER)
        encoded = BytesIO()
        by_noun = [] if noun == ITEM_ID else [pl.col(ITEM_ID).alias(noun)]
        self._table.select(ITEM_ID, *by_noun, kept).write_ndjson(encoded)
        self._json = encoded.getvalue()
        ends_I = np.flatnonzero(np.frombuffer(self._json, dtype=np.uint8) == ord("\n"))
        assert len(ends_I) == len(table)
        self._start_I = np.concatenate([[0], ends_I + 1])

    def at(self, item_K: IntArray) -> list[dict[str, Any]]:
        """Item id, title, year, genres and the other attributes of each item."""
        return self._table[item_K].to_dicts()

    def ids(self, item_K: IntArray) -> list[str]:
        """External ids."""
        ids: list[str] = self._id_I[item_K].tolist()
        return ids

    def title(self, item: int) -> str:
        """The title of an item; its id where it has none."""
        return self._titles[item]

    def with_score(self, item: int, score: bytes, source: str) -> bytes:
        """The JSON of an item, with its score, a JSON number, and where it comes from."""
        card = self._json[self._start_I[item] : self._start_I[item + 1] - 2]  # without the brace and the line's end
        return b'%b,"score":%b,"source":"%b"}' % (card, score, source.encode())

    def titles_like(self, text: str, limit: int) -> list[dict[str, Any]]:
        """The items with `text` in their title, without regard to case, the most popular first."""
        pattern = f"(?i){re.escape(text)}"
        return (
            self._table.filter(pl.col(TITLE).str.contains(pattern))
            .sort(POPULARITY, descending=True, maintain_order=True)
            .head(limit)
            .to_dicts()
        )


def _as_json(name: str, dtype: pl.DataType) -> pl.Expr | None:
    """The column as numbers, text or lists of them; None for what JSON has no word for."""
    inner = dtype.inner if isinstance(dtype, pl.List) else dtype
    if inner.is_float():
        # As double: the digits of an answer are then the same, however it is written.
        column = pl.col(name).cast(pl.List(pl.Float64) if isinstance(dtype, pl.List) else pl.Float64)
        finite = pl.element() if isinstance(dtype, pl.List) else column
        finite = pl.when(finite.is_finite()).then(finite)
        return column.list.eval(finite) if isinstance(dtype, pl.List) else finite.alias(name)
    if inner.is_temporal() or inner.is_decimal() or inner in (pl.Categorical, pl.Enum):
        return pl.col(name).cast(pl.List(pl.String) if isinstance(dtype, pl.List) else pl.String)
    return pl.col(name) if inner.is_integer() or inner in (pl.String, pl.Boolean) else None
