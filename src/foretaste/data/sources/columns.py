"""Which column of a file is which of ours."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from difflib import get_close_matches

from foretaste.data.schemas import Column
from foretaste.data.sources.tabular import Table
from foretaste.errors import DataError


def match_columns(
    table: Table, wanted: Sequence[Column], mapping: Mapping[str, str | int] | None = None
) -> dict[str, str]:
    """The file's column for each of `wanted` that it has: canonical name → name in the file.

    `mapping` decides where it names a column, by name or by position from 0; the rest is recognised by its names,
    whatever their case, spaces, `_`, `-` and `:type` suffix.

    Raises:
        DataError: a required column is not there; names the file's columns and the likely one.
    """
    mapping = mapping or {}
    found: dict[str, str] = {}
    by_name = {_simple(name): name for name in reversed(table.columns)}
    for column in wanted:
        if column.name in mapping:
            found[column.name] = _mapped(table, column.name, mapping[column.name])
            continue
        taken = {str(name) for name in mapping.values()} | set(found.values())
        for name in (column.name, *column.also_called):
            candidate = by_name.get(_simple(name))
            if candidate is not None and candidate not in taken:
                found[column.name] = candidate
                break
        else:
            if column.required:
                raise DataError(_missing(table, column, taken))
    for name, count in Counter(found.values()).items():
        if count > 1:
            ours = " and ".join(canonical for canonical, own in found.items() if own == name)
            raise DataError(f"{table.name}: column {name!r} cannot be {ours} at once; correct the mapping of columns")
    return found


def _mapped(table: Table, canonical: str, wanted: str | int) -> str:
    if isinstance(wanted, int):
        if 0 <= wanted < len(table.columns):
            return table.columns[wanted]
        raise DataError(
            f"{table.name} has no column {wanted} for {canonical}: it has {len(table.columns)}, counted from 0"
        )
    if wanted in table.columns:
        return wanted
    close = get_close_matches(wanted, table.columns, n=1)
    raise DataError(
        f"{table.name} has no column {wanted!r} for {canonical}; its columns are {', '.join(table.columns)}"
        + (f"; did you mean {close[0]!r}?" if close else "")
    )


def _missing(table: Table, column: Column, taken: set[str]) -> str:
    free = [name for name in table.columns if name not in taken]
    here = f"{table.name} has no column {column.name}; its columns are {', '.join(table.columns)}"
    if not table.has_names:
        return f"{here}, counted from 0; say which one it is, as in columns: {{{column.name}: 0}}"
    if all(_is_number(name) for name in table.columns):
        return (
            f"{here}. That looks like data: set header: false and give positions, as in columns: {{{column.name}: 0}}"
        )
    likely = _likeliest(column, free)
    example = likely or (free[0] if free else table.columns[0])
    return f"{here}; say which one it is, as in columns: {{{column.name}: {example}}}" + (
        f" – did you mean {likely!r}?" if likely else ""
    )


def _likeliest(column: Column, names: Sequence[str]) -> str | None:
    """The name nearest to one of the names of `column`, or that contains its stem, as `the_user` does `user`."""
    simple = {_simple(name): name for name in names}
    known = [_simple(name) for name in (column.name, *column.also_called)]
    for name in known:
        if close := get_close_matches(name, simple, n=1, cutoff=0.75):
            return simple[close[0]]
    stems = [name.removesuffix("id") for name in known if len(name) > 3]
    return next((original for name, original in simple.items() if any(stem in name for stem in stems)), None)


def _simple(name: str) -> str:
    return re.sub(r"[\s_\-]", "", name.split(":", 1)[0]).lower()


def _is_number(text: str) -> bool:
    return re.fullmatch(r"-?\d+(\.\d+)?", text) is not None
