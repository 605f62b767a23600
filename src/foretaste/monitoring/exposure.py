"""Which items are shown: how many of them, how unevenly, and which are clicked."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from foretaste.data.log_database import LogDatabase
from foretaste.data.log_tables import FEEDBACK, REQUESTS
from foretaste.evaluation.beyond_accuracy import gini_index
from foretaste.monitoring.windows import Window

_MOST_ANSWERS = 200_000
"""Answers whose items are counted: all of a window, or as many spread evenly over it."""


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
    row = REQUESTS.c
    inside = (row.timestamp >= window.start_seconds) & (row.timestamp < window.end_seconds) & (row.num_items > 0)
    with database.reading() as connection:
        total = int(connection.execute(sa.select(sa.func.count()).where(inside)).scalar_one())
        every = -(-total // _MOST_ANSWERS) if total else 1
        answers = sa.select(row.recommendations).where(inside, row.seq % every == 0).subquery()
        shown = connection.execute(_count_items(answers, connection.dialect.name)).all()
        num_answers = int(connection.execute(sa.select(sa.func.count()).select_from(answers)).scalar_one())
        clicked = connection.execute(_clicks(window, num_top)).all()
        num_clicks = int(connection.execute(sa.select(sa.func.count()).where(*_is_click(window))).scalar_one())
    counts = np.array([count for _, count in shown], dtype=np.float64)
    return Exposure(
        num_answers=num_answers,
        is_sample=every > 1,
        num_items=len(shown),
        coverage=len(shown) / catalogue_size if catalogue_size else None,
        gini=gini_index(counts),
        top_tenth_share=float(counts[: -(-len(counts) // 10)].sum() / counts.sum()) if len(counts) else 0.0,
        top_shown=tuple(ItemShare(str(item), int(n), n / float(counts.sum())) for item, n in shown[:num_top]),
        top_clicked=tuple(ItemShare(str(item), int(n), n / num_clicks) for item, n in clicked),
    )


def _count_items(answers: sa.Subquery, dialect: str) -> sa.Select[Any]:
    """Item and how often it was shown, the most often first."""
    if dialect == "sqlite":
        shown = sa.func.json_each(answers.c.recommendations).table_valued("value")
    else:
        items = sa.cast(answers.c.recommendations, postgresql.JSON)
        shown = sa.func.json_array_elements_text(items).table_valued("value").render_derived()
    count = sa.func.count()
    query = sa.select(shown.c.value, count).select_from(answers.join(shown, sa.true()))
    return query.group_by(shown.c.value).order_by(count.desc(), shown.c.value)


def _is_click(window: Window) -> tuple[sa.ColumnElement[bool], ...]:
    row = FEEDBACK.c
    return (
        row.kind == "click",
        row.slot.is_not(None),
        row.timestamp >= window.start_seconds,
        row.timestamp < window.end_seconds,
    )


def _clicks(window: Window, num_top: int) -> sa.Select[Any]:
    count = sa.func.count()
    query = sa.select(FEEDBACK.c.item_id, count).where(*_is_click(window)).group_by(FEEDBACK.c.item_id)
    return query.order_by(count.desc(), FEEDBACK.c.item_id).limit(num_top)
