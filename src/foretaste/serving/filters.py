"""Which items may be shown: conditions on any attribute of the catalogue, as one boolean an item."""

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import polars as pl

from foretaste.arrays import BoolArray
from foretaste.data.schemas import ITEM_ID
from foretaste.errors import RequestError

FilterScalar: TypeAlias = bool | int | float | str
FilterValue: TypeAlias = FilterScalar | Sequence[FilterScalar] | None
Filters: TypeAlias = Mapping[str, FilterValue]
"""Attribute → a value, or several of which an item has any; `<attribute>_min` and `_max` → a bound, itself included.

None and an empty list ask for nothing. An item of which the attribute is not known fulfils no condition on it.
"""

_CACHE_BYTES = 64 * 2**20
_FEWEST_CACHED = 16


class _Kind(Enum):
    """How values of an attribute are compared, and how it is called in messages."""

    NUMBER = "a number"
    TEXT = "text"
    """Dates too, as ISO 8601, in which earlier is smaller."""
    FLAG = "true or false"

    @property
    def dtype(self) -> type[pl.DataType]:
        """What columns of this kind are cast to."""
        return {_Kind.NUMBER: pl.Float64, _Kind.TEXT: pl.String, _Kind.FLAG: pl.Boolean}[self]


class _Operator(Enum):
    ANY_OF = ""
    AT_LEAST = "_min"
    AT_MOST = "_max"


class CacheInfo(NamedTuple):
    """The state of a cache of conditions."""

    hits: int
    misses: int
    maxsize: int
    currsize: int


@dataclass(frozen=True)
class _Attribute:
    kind: _Kind
    is_list: bool


@dataclass(frozen=True)
class _Condition:
    attribute: str
    operator: _Operator
    values: tuple[FilterScalar, ...]


class CatalogueFilters:
    """The filters that a catalogue allows. What was asked for once is remembered, within a bound."""

    def __init__(self, catalogue: pl.DataFrame) -> None:
        kinds = {name: _attribute(dtype) for name, dtype in catalogue.schema.items() if name != ITEM_ID}
        self._attributes = {name: attribute for name, attribute in kinds.items() if attribute is not None}
        self._num_items = len(catalogue)
        self._columns = catalogue.select(
            pl.col(name).cast(pl.List(attribute.kind.dtype) if attribute.is_list else attribute.kind.dtype)
            for name, attribute in self._attributes.items()
        ).with_columns(pl.col(pl.Float64).fill_nan(None))
        cached = max(_FEWEST_CACHED, _CACHE_BYTES // max(len(catalogue), 1))
        self._holds = lru_cache(maxsize=cached)(self._evaluate)

    @property
    def attributes(self) -> list[str]:
        """The names that can be filtered by."""
        return sorted(self._attributes)

    def cache_info(self) -> CacheInfo:
        """How often a condition was remembered, and how often compiled; how many are held, and at most."""
        hits, misses, maxsize, currsize = self._holds.cache_info()
        return CacheInfo(hits, misses, maxsize or 0, currsize)

    def values(self, name: str) -> list[str]:
        """The values that a text attribute has, in order; none for an attribute that is unknown or not text."""
        attribute = self._attributes.get(name)
        if attribute is None or attribute.kind is not _Kind.TEXT:
            return []
        column = self._columns[name]
        return (column.explode() if attribute.is_list else column).drop_nulls().unique().sort().to_list()

    def choices(self, most_values: int = 200) -> dict[str, dict[str, Any]]:
        """What may be asked of each attribute: its kind, and the values of text that has few, or the range of numbers.

        Args:
            most_values: an attribute of text with more of them tells none.
        """
        told: dict[str, dict[str, Any]] = {}
        for name, attribute in sorted(self._attributes.items()):
            told[name] = {"kind": attribute.kind.name.lower(), "several": attribute.is_list}
            if attribute.kind is _Kind.TEXT:
                values = self.values(name)
                told[name] |= {"values": values} if len(values) <= most_values else {}
            elif attribute.kind is _Kind.NUMBER:
                column = self._columns[name]
                numbers = (column.explode() if attribute.is_list else column).drop_nulls()
                told[name] |= {"min": numbers.min(), "max": numbers.max()} if len(numbers) else {}
        return told

    def eligible(self, filters: Filters) -> BoolArray:
        """True for each item that fulfils all conditions; the caller's own, to be written to.

        Raises:
            RequestError: an attribute is unknown, or a value is not of its kind.
        """
        asked = [
            self._condition(name, value)
            for name, value in filters.items()
            if value is not None and not (isinstance(value, Sequence) and not isinstance(value, str) and not value)
        ]
        if not asked:
            return np.ones(self._num_items, dtype=bool)
        eligible_I = self._holds(asked[0]).copy()
        for condition in asked[1:]:
            eligible_I &= self._holds(condition)
        return eligible_I

    def _condition(self, name: str, value: FilterValue) -> _Condition:
        attribute, operator = self._parse(name)
        kind = self._attributes[attribute].kind
        values = value if isinstance(value, Sequence) and not isinstance(value, str) else (value,)
        if operator is not _Operator.ANY_OF and (self._attributes[attribute].is_list or kind is _Kind.FLAG):
            raise RequestError(f"filter '{name}': '{attribute}' has no order; ask for values, as in '{attribute}'.")
        if operator is not _Operator.ANY_OF and len(values) != 1:
            raise RequestError(f"filter '{name}': expected one bound, found {len(values)}.")
        checked = [_checked(name, each, kind) for each in values]
        return _Condition(attribute, operator, tuple(checked if len(checked) == 1 else sorted(set(checked))))

    def _parse(self, name: str) -> tuple[str, _Operator]:
        for operator in _Operator:
            attribute = name.removesuffix(operator.value)
            if name.endswith(operator.value) and attribute in self._attributes:
                return attribute, operator
        near = difflib.get_close_matches(name, self._attributes, n=1)
        hint = f" – did you mean '{near[0]}'?" if near else "."
        raise RequestError(
            f"unknown filter '{name}'{hint} Attributes of the catalogue: {', '.join(self.attributes) or 'none'}; "
            f"those with an order also as <attribute>_min and <attribute>_max."
        )

    def _evaluate(self, condition: _Condition) -> BoolArray:
        column = pl.col(condition.attribute)
        values = pl.lit(pl.Series(condition.values, dtype=self._attributes[condition.attribute].kind.dtype))
        if condition.operator is _Operator.AT_LEAST:
            holds = column >= values.first()
        elif condition.operator is _Operator.AT_MOST:
            holds = column <= values.first()
        elif self._attributes[condition.attribute].is_list:
            holds = column.list.eval(pl.element().is_in(values.implode())).list.any()
        else:
            holds = column.is_in(values.implode())
        mask = self._columns.select(holds.fill_null(False)).to_series().to_numpy(writable=True)
        mask.flags.writeable = False
        return mask


def _attribute(dtype: pl.DataType) -> _Attribute | None:
    """How a column can be filtered; None where it cannot."""
    inner = dtype.inner if isinstance(dtype, pl.List) else dtype
    if inner.is_numeric():
        kind = _Kind.NUMBER
    elif inner == pl.Boolean:
        kind = _Kind.FLAG
    elif inner in (pl.String, pl.Categorical, pl.Enum) or inner.is_temporal():
        kind = _Kind.TEXT
    else:
        return None
    return _Attribute(kind, isinstance(dtype, pl.List))


def _checked(name: str, value: FilterScalar | None, kind: _Kind) -> FilterScalar:
    """The value, of the type with which columns of this kind are compared."""
    try:
        if kind is _Kind.FLAG and isinstance(value, bool):
            return value
        if kind is _Kind.TEXT and isinstance(value, str):
            value.encode()  # half a surrogate pair is a str, but no text
            return value
        if kind is _Kind.NUMBER and isinstance(value, int | float) and not isinstance(value, bool):
            number = float(value)
            if math.isfinite(number):
                return number
    except (OverflowError, UnicodeEncodeError):
        pass
    raise RequestError(f"filter '{name}': expected {kind.value}, found {value!r:.60}.")
