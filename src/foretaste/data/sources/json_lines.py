"""Tables of JSON objects, one a line."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl

from foretaste.data.sources.tabular import Row
from foretaste.data.validate import NOT_UTF8, TORN_JSON
from foretaste.errors import DataError

_SAMPLE_ROWS = 1000


@dataclass(frozen=True)
class JsonLines:
    """A UTF-8 file of JSON objects. Numbers become the text that JSON writes for them, nested values JSON text."""

    path: Path
    columns: tuple[str, ...]
    has_names = True

    @property
    def name(self) -> str:
        """See `Table`."""
        return self.path.name

    @property
    def out_of_joint(self) -> pl.Expr:
        """See `Table`. A damaged line is a polars error."""
        return pl.lit(False)

    def scan(self, types: Mapping[str, pl.DataType]) -> pl.LazyFrame:
        """See `Table`."""
        schema = {column: types.get(column, pl.String()) for column in self.columns}
        return pl.scan_ndjson(self.path, schema=schema, ignore_errors=True)

    def rows(self, columns: Sequence[str]) -> Iterator[Row]:
        """See `Table`."""
        nothing = [None] * len(columns)
        with self.path.open("rb") as lines:
            for line, raw in enumerate(lines, 1):
                text = raw.decode(errors="replace").rstrip("\r\n")
                if not text.strip():
                    continue
                record, fault = _parse(raw)
                yield Row(line, text, [_text(record.get(column)) for column in columns] if record else nothing, fault)


def open_json_lines(path: Path) -> JsonLines:
    """Look at the head of a file for the names of its columns.

    Raises:
        DataError: the file is empty, or it is one JSON array, or its first lines are no JSON objects.
    """
    names: dict[str, None] = {}
    first = ""
    with path.open("rb") as lines:
        for raw in islice(lines, _SAMPLE_ROWS):
            first = first or raw.decode(errors="replace").strip()
            record, _ = _parse(raw)
            names |= dict.fromkeys(record)
    if not first:
        raise DataError(f"{path.name} is empty; expected one JSON object a line")
    if not names:
        remedy = "; it looks like one array: write one object a line, as `jq -c '.[]'` does" if first[0] == "[" else ""
        raise DataError(f"{path.name}: expected one JSON object a line, found {first[:80]!r}{remedy}")
    return JsonLines(path, tuple(names))


def _parse(raw: bytes) -> tuple[dict[str, Any], str | None]:
    try:
        record = json.loads(raw)
    except UnicodeDecodeError:
        return {}, NOT_UTF8
    except ValueError:
        return {}, TORN_JSON
    return (record, None) if isinstance(record, dict) else ({}, TORN_JSON)


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)
