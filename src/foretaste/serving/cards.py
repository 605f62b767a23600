"""What people see of an item: its title and all that the catalogue knows of it, as JSON types."""

import re
from typing import Any

import polars as pl

from foretaste.arrays import IntArray
from foretaste.artifacts.bundle import POPULARITY
from foretaste.data.schemas import GENRES, ITEM_ID, TITLE, YEAR

_FIRST = (ITEM_ID, TITLE, YEAR, GENRES)


class ItemCards:
    """The catalogue as it is shown."""

    def __init__(self, catalogue: pl.DataFrame) -> None:
        title = pl.coalesce(TITLE, ITEM_ID) if TITLE in catalogue.columns else pl.col(ITEM_ID)
        shown = [_as_json(name, dtype) for name, dtype in catalogue.schema.items() if name not in (ITEM_ID, TITLE)]
        table = catalogue.select(ITEM_ID, title.alias(TITLE), *(each for each in shown if each is not None))
        first = [name for name in _FIRST if name in table.columns]
        self._table = table.select(*first, pl.exclude(first))

    def at(self, item_K: IntArray) -> list[dict[str, Any]]:
        """Item id, title, year, genres and the other attributes of each item."""
        return self._table[item_K].to_dicts()

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
        finite = pl.element() if isinstance(dtype, pl.List) else pl.col(name)
        finite = pl.when(finite.is_finite()).then(finite)
        return pl.col(name).list.eval(finite) if isinstance(dtype, pl.List) else finite.alias(name)
    if inner.is_temporal() or inner.is_decimal():
        return pl.col(name).cast(pl.List(pl.String) if isinstance(dtype, pl.List) else pl.String)
    return pl.col(name) if inner.is_integer() or inner in (pl.String, pl.Boolean, pl.Categorical, pl.Enum) else None
