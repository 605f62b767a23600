"""The lists of any tool, judged by the protocol by which our own models are."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl

from foretaste.arrays import EMPTY_SLOT, UNKNOWN, IntArray, LongArray
from foretaste.data.interactions import Interactions
from foretaste.data.locate import locate
from foretaste.data.prepare import PrepareConfig, Prepared, prepare
from foretaste.data.raw import Note, RawTables, SourceInfo
from foretaste.data.schemas import ITEM_ID, PART, PARTS, RATING, USER_ID
from foretaste.data.sources.archives import Folder
from foretaste.data.sources.reading import open_table
from foretaste.data.sources.recommendations import ORDER, Recommendations, read_recommendations
from foretaste.data.sources.tables import ColumnsConfig, TablesConfig
from foretaste.data.sources.tables import read as read_table
from foretaste.data.sources.tabular import sample
from foretaste.data.validate import BadRows
from foretaste.errors import ConfigError, DataError
from foretaste.evaluation.protocol import Evaluation, EvaluationConfig, evaluate_lists
from foretaste.evaluation.warnings import EvaluationWarning, of_split, too_few_users
from foretaste.models.protocol import TopK
from foretaste.settings import Settings

_TRAIN, _, _TEST = range(len(PARTS))


class JudgeColumns(Settings):
    """Which column is which, where the names do not tell; a table without such a column is read by its own names."""

    user_id: str | None = None
    """Who."""
    item_id: str | None = None
    """With what."""
    rank: str | None = None
    """Place in the list, the lowest number first."""
    score: str | None = None
    """The highest comes first."""
    rating: str | None = None
    """How much a held-out item was liked."""
    timestamp: str | None = None
    """When."""


class JudgeConfig(Settings):
    """How lists are judged."""

    evaluation: EvaluationConfig = EvaluationConfig()
    bad_rows: BadRows = BadRows()
    min_rating: float | None = None
    """Held-out events rated below are not hoped for; None takes every one."""
    columns: JudgeColumns = JudgeColumns()


@dataclass(frozen=True)
class ListAudit:
    """What was odd about the lists. Nothing of it is mended: a slot without a use to the user stays a wasted slot."""

    ordered_by: str
    """`rank` or `score`."""
    users_judged: int
    users_without_list: int
    """Judged users who got nothing; they count as zero."""
    users_not_held_out: int
    """Users with a list but without held-out events; they are not judged."""
    lists_too_short: int
    """Lists of judged users with fewer rows than the longest list that is judged."""
    duplicate_slots: int
    """Slots, within the lists that are judged, with an item that stands further up already; they are misses."""
    unknown_slots: int | None
    """Slots with an item without any event in history or test; they are misses. None without a history."""
    seen_slots: int | None
    """Slots with an item of the user's history; None without a history."""
    tied_slots: int
    """Slots whose rank or score occurs twice in the list: the hoped-for item comes last among them."""

    def remarks(self) -> list[str]:
        """The counts that are not zero, as sentences."""
        told = {
            f"of {self.users_judged:,} judged users have no list and count as zero": self.users_without_list,
            "users have a list but no held-out event, and are not judged": self.users_not_held_out,
            "lists are shorter than the longest cut-off; their missing slots are misses": self.lists_too_short,
            "slots repeat an item of the same list, and are misses": self.duplicate_slots,
            "slots hold an item that neither history nor test knows, and are misses": self.unknown_slots or 0,
            "slots hold an item that the user had already met": self.seen_slots or 0,
            f"slots share their {self.ordered_by} with another; the hoped-for item comes last": self.tied_slots,
        }
        return [f"{count:,} {text}" for text, count in told.items() if count]


@dataclass(frozen=True, eq=False)
class Judgement:
    """What lists of others came to."""

    evaluation: Evaluation
    audit: ListAudit
    rejected: Sequence[Note]
    """Rows of the lists that could not be read."""
    warnings: Sequence[EvaluationWarning]


def judge_lists(
    lists: Path, against: Path, config: JudgeConfig, history: Path | None = None, items: Path | None = None
) -> Judgement:
    """Judge lists by held-out events.

    A table with a column `part`, as `foretaste data prepare` writes it, gives its test rows as held-out events, and
    the other rows as history.

    Args:
        lists: a row a slot: user, item, and rank or score.
        against: the held-out events: user, item.
        config: what to measure.
        history: the events that were known when the lists were made; more metrics, slices and warnings come by it.
        items: the catalogue, with genres where there are any.

    Raises:
        DataError: a file or column is missing, a file is damaged, or no held-out event is left.
        ConfigError: the config asks for candidates, which lists that are there cannot be ranked among.
    """
    if config.evaluation.candidates != "all":
        raise ConfigError(
            f"evaluation.candidates '{config.evaluation.candidates}': lists that are there already cannot be ranked "
            "among other candidates; leave it at 'all'."
        )
    found = read_recommendations(lists, config.bad_rows, config.columns.model_dump(exclude_none=True))
    prepared = _prepare(lists.stem, against, history, items, config)
    events, part_N = prepared.dataset.interactions, prepared.part_N
    assert part_N is not None
    test = events.select(part_N == _TEST)
    known = events.select(part_N == _TRAIN) if history is not None else None
    user_B = np.unique(test.user_N)
    top, audit = _as_top(found, user_B, known, test, max(config.evaluation.cutoffs))
    genres_IG, _ = prepared.dataset.genre_matrix()
    evaluation = evaluate_lists(top, user_B, known, test, config.evaluation, genres_IG)
    select_by = config.evaluation.select_by
    few = too_few_users(evaluation.values[select_by], select_by)
    warnings = [*([] if known is None else of_split(known, test)), *([] if few is None else [few])]
    # The remedies are for a config; here the events were divided elsewhere.
    return Judgement(evaluation, audit, found.notes, [replace(warning, remedy="") for warning in warnings])


def judgement_json(judged: Judgement) -> dict[str, Any]:
    """All but the metrics, as plain JSON types."""
    return {
        "users": len(judged.evaluation.user_B),
        "lists": vars(judged.audit),
        "rejected": [{"reason": note.reason, "count": note.count} for note in judged.rejected],
        "warnings": [warning.to_json() for warning in judged.warnings],
    }


def _prepare(name: str, against: Path, history: Path | None, items: Path | None, config: JudgeConfig) -> Prepared:
    """All events over one vocabulary: those of `against` as test, those of `history` as train."""
    raw = _read(against, config, items)
    test = _rows(raw, of_test=True)
    if config.min_rating is not None:
        if RATING not in test.collect_schema():
            raise DataError(f"min_rating needs a column rating, and {against.name} has none; leave the option out.")
        test = test.filter(pl.col(RATING) >= config.min_rating)
    if test.select(pl.len()).collect().item() == 0:
        raise DataError(f"{against}: no held-out event is left; give a table of test events, or a lower --min-rating.")
    parts = [test.with_columns(pl.lit("test").alias(PART))]
    resources = raw.resources
    if history is not None:
        known = _read(history, config)
        resources += known.resources
        parts.insert(0, _rows(known, of_test=False).with_columns(pl.lit("train").alias(PART)))
    shared = [column for column in parts[0].collect_schema() if all(column in part.collect_schema() for part in parts)]
    everything = pl.concat([part.select(shared) for part in parts])
    merged = RawTables(
        nw.from_native(everything), SourceInfo(name), items=raw.items, resources=resources, rows_read=None
    )
    return prepare(merged, PrepareConfig())


def _read(path: Path, config: JudgeConfig, items: Path | None = None) -> RawTables:
    folder = Folder.open(locate(path))
    table = open_table(folder.require(path.name), Path(folder.scratch.name))
    has_parts = PART in table.columns and set(sample(table, PART)) <= set(PARTS)
    named = config.columns.model_dump(exclude_none=True)
    here = {name: named[name] for name in ColumnsConfig.model_fields if named.get(name) in table.columns}
    columns = ColumnsConfig(**here, part=PART if has_parts else None)
    return read_table(TablesConfig(path=path, columns=columns, items_path=items), config.bad_rows)


def _rows(raw: RawTables, *, of_test: bool) -> pl.LazyFrame:
    rows: pl.LazyFrame = raw.interactions.to_native()
    if PART not in rows.collect_schema():
        return rows
    return rows.filter((pl.col(PART) == "test") == of_test)


def _as_top(
    found: Recommendations, user_B: IntArray, known: Interactions | None, test: Interactions, depth: int
) -> tuple[TopK, ListAudit]:
    """The first `depth` rows of each judged user, and what is odd about them."""
    rows = found.rows.with_columns(
        pl.Series("user", test.users.indices(found.rows[USER_ID])),
        pl.Series("item", test.items.indices(found.rows[ITEM_ID])),
    )
    row_of_user = np.full(test.num_users + 1, -1, dtype=np.int64)  # the last place is that of an unknown user
    row_of_user[user_B] = np.arange(len(user_B))
    rows = rows.with_columns(pl.Series("row", row_of_user[rows["user"].to_numpy()]))
    not_held_out = rows.filter(pl.col("row") < 0)[USER_ID].n_unique()
    rows = rows.filter(pl.col("row") >= 0)
    keys_N = _pair_keys(rows["user"], rows["item"], test.num_items)
    is_known_N = (rows["item"] != UNKNOWN).to_numpy()
    is_hoped_N = np.isin(keys_N, _pair_keys(test.user_N, test.item_N, test.num_items)) & is_known_N
    rows = (
        rows.with_columns(pl.Series("hoped", is_hoped_N))
        .sort("row", ORDER, "hoped", "item", maintain_order=True)  # of equals, as our own ranking has them
        .with_columns(
            pl.int_range(pl.len()).over("row").alias("slot"),
            (pl.int_range(pl.len()).over("row", ITEM_ID) > 0).alias("again"),
            (pl.len().over("row", ORDER) > 1).alias("tied"),
            pl.len().over("row").alias("length"),
        )
    )
    num_lists = rows["row"].n_unique()
    num_short = rows.filter((pl.col("slot") == 0) & (pl.col("length") < depth)).height
    rows = rows.filter(pl.col("slot") < depth)
    is_unknown = rows["item"] == UNKNOWN
    seen = None
    if known is not None:
        shown_N = _pair_keys(rows["user"], rows["item"], test.num_items)[~is_unknown.to_numpy()]
        seen = int(np.isin(shown_N, _pair_keys(known.user_N, known.item_N, test.num_items)).sum())
    item_BK = np.full((len(user_B), depth), EMPTY_SLOT, dtype=np.int32)
    score_BK = np.full((len(user_B), depth), -np.inf, dtype=np.float32)
    useful = rows.filter(~pl.col("again") & ~is_unknown)
    place = useful["row"].to_numpy(), useful["slot"].to_numpy()
    item_BK[place], score_BK[place] = useful["item"].to_numpy(), -useful[ORDER].to_numpy().astype(np.float32)
    audit = ListAudit(
        ordered_by=found.ordered_by,
        users_judged=len(user_B),
        users_without_list=len(user_B) - num_lists,
        users_not_held_out=not_held_out,
        lists_too_short=num_short,
        duplicate_slots=int(rows["again"].sum()),
        unknown_slots=None if known is None else int(is_unknown.sum()),
        seen_slots=seen,
        tied_slots=int(rows["tied"].sum()),
    )
    return TopK(item_BK, score_BK), audit


def _pair_keys(user_N: pl.Series | IntArray, item_N: pl.Series | IntArray, num_items: int) -> LongArray:
    keys_N: LongArray = np.asarray(user_N, dtype=np.int64) * num_items + np.asarray(item_N, dtype=np.int64)
    return keys_N
