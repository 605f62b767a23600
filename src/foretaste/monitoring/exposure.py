"""Which items are shown: how many of them, how unevenly, and which are clicked."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from foretaste.data.log_database import LogDatabase
from foretaste.data.log_tables import FEEDBACK, REQUESTS
from foretaste.evaluation.beyond_accuracy import gini_index
from foretaste.monitoring.sampling import evenly
from foretaste.monitoring.windows import Window

_MOST_ANSWERS = 50_000
"""Requests whose items are counted: all of a window, or as many spread evenly over it."""
_MOST_EVENTS = 200_000
"""Feedback that clicks are counted in, likewise."""


@dataclass(frozen=True)
class ItemShare:
    """An item, and its share of all that was shown or clicked."""

    item_id: str
    count: int
    share: float


@dataclass(frozen=True)
class Exposure:
    """What a window showed."""

    num_answers: int
    """Answers that were counted."""
    is_sample: bool
    """True where the window had more; the number of items is then a lower bound."""
    num_items: int
    """Different items."""
    coverage: float | None
    """Of the catalogue; None where its size was not told."""
    gini: float
    """0 where the items shown are shown alike, near 1 where few take all."""
    top_tenth_share: float
    """What the most shown tenth of these items takes."""
    top_shown: tuple[ItemShare, ...]
    top_clicked: tuple[ItemShare, ...]


def exposure(database: LogDatabase, window: Window, num_top: int = 10, catalogue_size: int | None = None) -> Exposure:
    """What a window showed, and what was clicked of it."""
    with database.reading() as connection:
        rows, every = evenly(connection, REQUESTS, window, _MOST_ANSWERS)
        answers = sa.select(REQUESTS.c.recommendations).where(rows, REQUESTS.c.num_items > 0).subquery()
        counted = connection.execute(_count_items(answers, connection.dialect.name)).all()
        rows, _ = evenly(connection, FEEDBACK, window, _MOST_EVENTS)
        clicked = connection.execute(_clicks(rows)).all()
    num_answers = sum(int(first) for _, _, first in counted)
    counts = np.array([count for _, count, _ in counted], dtype=np.float64)
    num_clicks = sum(int(count) for _, count in clicked)
    return Exposure(
        num_answers=num_answers,
        is_sample=every > 1,
        num_items=len(counted),
        coverage=len(counted) / catalogue_size if catalogue_size else None,
        gini=gini_index(counts),
        top_tenth_share=float(counts[: -(-len(counts) // 10)].sum() / counts.sum()) if len(counts) else 0.0,
        top_shown=tuple(
            ItemShare(str(item), int(count), count / float(counts.sum())) for item, count, _ in counted[:num_top]
        ),
        top_clicked=tuple(ItemShare(str(item), int(n), n / num_clicks) for item, n in clicked[:num_top]),
    )


def _count_items(answers: sa.Subquery, dialect: str) -> sa.Select[Any]:
    """Item, how often it was shown, and how often first of all; what was shown most often comes first."""
    if dialect == "sqlite":
        shown = sa.func.json_each(answers.c.recommendations).table_valued("value", "key")
        is_first = shown.c.key == 0
    else:
        items = sa.cast(answers.c.recommendations, postgresql.JSON)
        shown = sa.func.json_array_elements_text(items).table_valued("value", with_ordinality="place").render_derived()
        is_first = shown.c.place == 1
    count, first = sa.func.count(), sa.func.sum(sa.case((is_first, 1), else_=0))
    query = sa.select(shown.c.value, count, first).select_from(answers.join(shown, sa.true()))
    return query.group_by(shown.c.value).order_by(count.desc(), shown.c.value)


def _clicks(rows: sa.ColumnElement[bool]) -> sa.Select[Any]:
    """Item and how often it was clicked, the most often first."""
    row, count = FEEDBACK.c, sa.func.count()
    query = sa.select(row.item_id, count).where(rows, row.kind == "click", row.slot.is_not(None))
    return query.group_by(row.item_id).order_by(count.desc(), row.item_id)
