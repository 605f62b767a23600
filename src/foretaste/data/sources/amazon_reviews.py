"""Amazon reviews as the McAuley lab publishes them: JSON lines of reviews, and of product metadata beside them.

Editions of 2014 and 2018 name a review's fields `reviewerID`, `asin`, `overall` and `unixReviewTime`; that of 2023
`user_id`, `parent_asin`, `rating` and `timestamp` (early files: `sort_timestamp`), in milliseconds. Variants of a
product share a `parent_asin`, which is what the metadata of 2023 go by.
"""

import ast
import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import narwhals as nw

from foretaste.data.known_datasets import licence_of
from foretaste.data.locate import locate
from foretaste.data.raw import Note, RawTables, SourceInfo
from foretaste.data.schemas import INTERACTION_COLUMNS, ITEM_COLUMNS, ITEM_ID, TIMESTAMP, YEAR
from foretaste.data.sources.amazon_products import MAIN_CATEGORY, tidy_products
from foretaste.data.sources.archives import Folder
from foretaste.data.sources.attributes import read_attributes
from foretaste.data.sources.columns import match_columns
from foretaste.data.sources.json_lines import JsonLines, open_json_lines
from foretaste.data.sources.reading import read_events
from foretaste.data.validate import BadRows
from foretaste.errors import DataError
from foretaste.settings import Settings

_SUFFIXES = (".json", ".jsonl", ".json.gz", ".jsonl.gz")
_METADATA_PREFIX = "meta_"
_PRODUCT = tuple(column for column in ITEM_COLUMNS if column.name != YEAR)
_ATTRIBUTES = ("price", "average_rating", "rating_number", MAIN_CATEGORY)


class AmazonReviewsConfig(Settings):
    """Reviews of products on Amazon."""

    source: Literal["amazon_reviews"] = "amazon_reviews"
    """JSON lines in the editions of 2014, 2018 and 2023."""
    path: Path
    """The file of reviews, plain or gzip, or a folder or archive that holds it; `meta_<category>.json` beside it."""
    file: str | None = None
    """Name of the file of reviews in a folder or archive that holds several."""
    name: str | None = None
    """Name of the data set; None takes that of the folder or file."""
    item_noun: str = "product"
    """What an item is called in front of people."""


def read(config: AmazonReviewsConfig, bad_rows: BadRows) -> RawTables:
    """Reviews as ratings with their times, and products with title, author (brand or store), genres and price.

    Raises:
        DataError: the file of reviews is missing, or a file is empty, damaged, or too much of it is unreadable.
    """
    path = locate(config.path)
    folder = Folder.open(path)
    is_plain_file = path.is_file() and folder.root is not None
    file = path.name if is_plain_file else config.file or _only_reviews(folder)
    scratch = Path(folder.scratch.name)
    table = open_json_lines(folder.require(file))
    columns = match_columns(table, INTERACTION_COLUMNS, _own_names(table))
    events = read_events(_with_columns(table, list(columns.values())), bad_rows, scratch, columns)
    items, item_notes = _read_products(folder, file, scratch, bad_rows)
    return RawTables(
        interactions=nw.from_native(events.frame),
        items=items,
        info=SourceInfo(config.name or folder.name, config.item_noun, licence_of(folder.name), folder.checksum()),
        notes=events.notes + item_notes,
        rows_read=events.rows_read,
        resources=(folder.scratch,),
    )


def _only_reviews(folder: Folder) -> str:
    files = [name for name in (PurePosixPath(path).name for path in folder.names) if name.endswith(_SUFFIXES)]
    reviews = [name for name in files if not name.startswith(_METADATA_PREFIX)]
    if len(reviews) == 1:
        return reviews[0]
    found = f"{len(reviews)} files of reviews: {', '.join(reviews[:8])}" if reviews else "no file of reviews"
    raise DataError(f"{folder.path} holds {found}; expected one: name it, as in file: Gift_Cards_5.json.gz")


def _own_names(table: JsonLines) -> dict[str, str | int]:
    """Names that only this format gives to what is elsewhere named otherwise, or names twice."""
    names = {ITEM_ID: "parent_asin", TIMESTAMP: "sort_timestamp"}
    return {canonical: name for canonical, name in names.items() if name in table.columns}


def _with_columns(table: JsonLines, columns: Sequence[str]) -> JsonLines:
    """The same table with these columns only: texts and pictures need not be parsed."""
    return replace(table, columns=tuple(columns))


def _read_products(
    folder: Folder, reviews: str, scratch: Path, bad_rows: BadRows
) -> tuple[nw.LazyFrame[Any] | None, tuple[Note, ...]]:
    """The products of the category that the reviews are of, where their metadata are present."""
    category = reviews.split(".")[0].removeprefix("reviews_").removesuffix("_5")
    path = folder.find(*(f"{_METADATA_PREFIX}{category}{suffix}" for suffix in (".json", ".jsonl")))
    if path is None:
        return None, ()
    table = open_json_lines(_as_json(path, scratch))
    columns = match_columns(table, _PRODUCT, {k: v for k, v in _own_names(table).items() if k == ITEM_ID})
    others = [name for name in _ATTRIBUTES if name in table.columns]
    slim = _with_columns(table, [*columns.values(), *others])
    products, notes = read_attributes(slim, _PRODUCT, bad_rows, scratch, columns)
    return nw.from_native(tidy_products(products).lazy()), notes


def _as_json(path: Path, scratch: Path) -> Path:
    """Metadata of 2014 are Python dictionaries, one a line: the same as JSON. Lines that are neither stay."""
    with path.open(encoding="utf-8", errors="replace") as lines:
        first = next(lines, "")
        if not first.startswith("{'"):
            return path
        strict = scratch / "strict" / path.name
        strict.parent.mkdir()
        with strict.open("w", encoding="utf-8") as target:
            for line in chain([first], lines):
                target.write(_dictionary_as_json(line))
    return strict


def _dictionary_as_json(line: str) -> str:
    try:
        return json.dumps(ast.literal_eval(line.strip()), ensure_ascii=False) + "\n"
    except (ValueError, SyntaxError):
        return line
