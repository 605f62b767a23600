"""Tables of separated text: CSV, TSV and the `::` files of MovieLens."""

import csv
import mmap
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import polars as pl

from foretaste.data.sources.tabular import Row
from foretaste.data.validate import NOT_UTF8, TOO_FEW_FIELDS, TOO_MANY_FIELDS, UNPAIRED_QUOTES
from foretaste.errors import DataError

Encoding: TypeAlias = Literal["utf-8", "latin-1", "cp1252", "utf-16"]
SEPARATORS = {",": "commas", "\t": "tabs", ";": "semicolons", "::": "::", "|": "|"}
_SAMPLE_BYTES = 1 << 16
_MAX_LINES_OF_A_ROW = 200


@dataclass(frozen=True)
class Delimited:
    """A UTF-8 file of rows whose fields stand between separators."""

    path: Path
    columns: tuple[str, ...]
    separator: str
    has_names: bool
    has_quotes: bool
    """Whether fields may be quoted: the file has quotes, and they mean something."""

    @property
    def name(self) -> str:
        """See `Table`."""
        return self.path.name

    @property
    def out_of_joint(self) -> pl.Expr:
        """See `Table`. Parsing the last column makes polars notice lines with too many fields."""
        blank = pl.col(self.columns[0]).is_null() & pl.col(self.columns[-1]).is_null()
        return pl.any_horizontal(blank, *(pl.col(f"#{number}").is_not_null() for number in range(self._num_fillers)))

    @property
    def _num_fillers(self) -> int:
        """To polars `1::2` is 1, nothing and 2, separated by single colons: empty columns between ours."""
        return len(self.columns) - 1 if self.separator == "::" else 0

    def scan(self, types: Mapping[str, pl.DataType]) -> pl.LazyFrame:
        """See `Table`."""
        schema: dict[str, pl.DataType] = {}
        for number, column in enumerate(self.columns):
            schema[column] = types.get(column, pl.String())
            if number < self._num_fillers:
                schema[f"#{number}"] = pl.String()
        return pl.scan_csv(
            self.path,
            schema=schema,
            has_header=self.has_names,
            separator=self.separator[0],
            quote_char='"' if self.has_quotes else None,
            ignore_errors=True,
            raise_if_empty=False,
        )

    def rows(self, columns: Sequence[str]) -> Iterator[Row]:
        """See `Table`. A row whose quotes do not close is one bad line; reading goes on with the next line."""
        places = [self.columns.index(column) for column in columns]
        nothing = [None] * len(places)
        with self.path.open("rb") as file:
            lines = _Lines(file)
            if self.has_names:
                next(self._fields(lines))
            for line, text, fields, fault in self._fields(lines):
                while len(fields) > len(self.columns) and not fields[-1]:
                    fields.pop()
                if fault is None and len(fields) > len(self.columns):
                    fault = TOO_MANY_FIELDS
                if fault is None and len(fields) <= max(places):
                    fault = TOO_FEW_FIELDS
                yield Row(line, text, nothing if fault else [fields[place] for place in places], fault)

    def _fields(self, lines: "_Lines") -> Iterator[tuple[int, str, list[str], str | None]]:
        """(line, text, fields, fault) of each row that is not blank."""
        for number, raw in lines:
            try:
                text = raw.decode().rstrip("\r\n")
            except UnicodeDecodeError:
                yield number, raw.decode(errors="replace").rstrip("\r\n"), [], NOT_UTF8
                continue
            if number == 1:
                text = text.removeprefix("\ufeff")
            if not text.strip():
                continue
            if not (self.has_quotes and '"' in text):
                yield number, text, text.split(self.separator), None
                continue
            following: list[bytes] = []
            fields = _unquote(text, self.separator)
            while fields is None and len(following) < _MAX_LINES_OF_A_ROW and (more := lines.take()) is not None:
                following.append(more)
                text += "\n" + more.decode(errors="replace").rstrip("\r\n")
                fields = _unquote(text, self.separator)
            if fields and (not following or len(fields) == len(self.columns)):
                yield number, text, fields, None
            else:
                lines.give_back(following)
                yield number, text.split("\n", 1)[0], [], UNPAIRED_QUOTES


class _Lines:
    """Numbered lines, of which some can be taken ahead and given back."""

    def __init__(self, lines: Iterator[bytes]) -> None:
        self._lines = lines
        self._waiting: deque[bytes] = deque()
        self._number = 0

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        while (line := self.take()) is not None:
            yield self._number, line

    def take(self) -> bytes | None:
        line = self._waiting.popleft() if self._waiting else next(self._lines, None)
        self._number += line is not None
        return line

    def give_back(self, lines: list[bytes]) -> None:
        self._waiting.extendleft(reversed(lines))
        self._number -= len(lines)


def _unquote(text: str, separator: str) -> list[str] | None:
    """The fields of a row; None while a quote is open; [] if the quotes make no sense."""
    try:
        return next(csv.reader([text], delimiter=separator, strict=True))
    except csv.Error as error:
        return None if "unexpected end" in str(error) else []


def open_delimited(
    path: Path,
    scratch: Path,
    separator: str | None = None,
    has_names: bool = True,
    names: Sequence[str] | None = None,
    encoding: Encoding = "utf-8",
) -> Delimited:
    """Look at the head of a file and say how to read it.

    Args:
        path: a plain file.
        scratch: folder for a copy in UTF-8, made where `encoding` is another.
        separator: between fields; None finds out which.
        has_names: whether the first line names the columns.
        names: of the columns, where the first line does not; None numbers them.
        encoding: of the text.

    Raises:
        DataError: the file is empty, in another encoding, or separated by something else than `separator`.
    """
    path = _as_utf8(path, scratch, encoding)
    lines = _head(path)
    likely = likely_separator(lines)
    if separator is None:
        separator = likely or ","
    elif separator not in lines[0] and (likely or names):
        raise DataError(
            f"{path.name} should have {_spoken(separator)} between its fields, and line 1 has none: {lines[0][:80]!r}"
            + (f"; it looks separated by {_spoken(likely)}: set separator: {likely!r}" if likely else "")
        )
    has_quotes = separator != "::" and _quotes_matter(lines, separator) and _contains_quote(path)
    first = (_unquote(lines[0], separator) if has_quotes else None) or lines[0].split(separator)
    if has_names:
        columns = tuple(name.strip() for name in first)
        twice = [name for name, count in Counter(columns).items() if count > 1]
        if twice:
            raise DataError(
                f"{path.name}: line 1 names the column {twice[0]!r} {columns.count(twice[0])} times; "
                "each column needs a name of its own"
            )
    else:
        columns = tuple(names or (str(place) for place in range(len(first))))[: len(first)]
    return Delimited(path, columns, separator, has_names, has_quotes)


def likely_separator(lines: Sequence[str]) -> str | None:
    """The separator that cuts nearly all `lines` into equally many fields, the more the better; None if none does."""
    num_fields: dict[str, int] = {}
    for separator in SEPARATORS:
        counts = [len(_split(line, separator)) for line in lines]
        typical, frequency = Counter(counts).most_common(1)[0]
        if typical > 1 and counts[0] > 1 and frequency >= 0.8 * len(lines):
            num_fields[separator] = typical
    return max(num_fields, key=lambda separator: num_fields[separator], default=None)


def _split(line: str, separator: str) -> list[str]:
    """The fields of a line; one if its quotes make no sense."""
    if len(separator) > 1:
        return line.split(separator)
    return _unquote(line, separator) or [line]


def _head(path: Path) -> list[str]:
    with path.open("rb") as file:
        block = file.read(_SAMPLE_BYTES)
    if block.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError(f"{path.name} is text in UTF-16, expected UTF-8; set encoding: utf-16")
    lines = [line for line in block.decode(errors="replace").removeprefix("\ufeff").splitlines() if line.strip()]
    if not lines:
        raise DataError(f"{path.name} is empty; expected a table, one row a line")
    whole = lines[:-1] if len(block) == _SAMPLE_BYTES and len(lines) > 1 else lines
    return whole[:100]


def _as_utf8(path: Path, scratch: Path, encoding: Encoding) -> Path:
    if encoding == "utf-8":
        return path
    copy = scratch / "utf-8" / path.name
    copy.parent.mkdir(exist_ok=True)
    try:
        with path.open(encoding=encoding, newline="") as source, copy.open("w", encoding="utf-8", newline="") as target:
            while block := source.read(_SAMPLE_BYTES):
                target.write(block)
    except UnicodeError as error:
        raise DataError(f"{path.name} is not text in {encoding} ({error}); name another encoding") from error
    return copy


def _quotes_matter(lines: Sequence[str], separator: str) -> bool:
    """Tab-separated files mostly quote nothing: there a quote is a letter, unless whole fields stand in quotes."""
    if separator != "\t":
        return True
    fields = [field for line in lines for field in line.split(separator)]
    return any(len(field) > 1 and field[0] == field[-1] == '"' for field in fields)


def _contains_quote(path: Path) -> bool:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return content.find(b'"') >= 0


def _spoken(separator: str | None) -> str:
    return SEPARATORS.get(separator or "", repr(separator))
