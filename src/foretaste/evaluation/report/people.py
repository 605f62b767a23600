"""What people would see: lists of the chosen model beside the history that they come from."""

import numpy as np

from foretaste.arrays import EMPTY_SLOT, IntArray
from foretaste.evaluation.diagnostics import DiagnosticsConfig, Examination
from foretaste.evaluation.diagnostics.matches import is_match
from foretaste.evaluation.diagnostics.metadata import Categories
from foretaste.evaluation.report.contents import ReportInput
from foretaste.evaluation.report.document import (
    Beside,
    Block,
    Cell,
    Line,
    Paragraph,
    Section,
    line,
    number,
    strong,
    table,
    words,
)
from foretaste.evaluation.report.wording import listed

_HISTORY_SHOWN = 8
_LIKES_SHOWN = 4


def people(report: ReportInput) -> Section:
    """Lists for a few users with a history, spread evenly over the judged ones."""
    title, best = "What people would see", report.chosen.test
    config = report.examination.config if report.examination else DiagnosticsConfig()
    warm = np.flatnonzero(~best.is_cold_B)
    if not len(warm) or not config.example_users:
        return Section(title=title)
    chosen = warm[np.unique(np.linspace(0, len(warm) - 1, config.example_users).astype(int))]
    note = f"Lists of {report.best}; ✓ marks what the user then really chose"
    liked = ", strong type what the user likes by the history." if report.examination else "."
    told = tuple(_one(report, int(row), config.example_depth) for row in chosen)
    return Section(title=title, blocks=(Paragraph(text=line(note + liked)), Beside(groups=told)))


def _one(report: ReportInput, row: int, depth: int) -> tuple[Block, ...]:
    events, evaluation = report.dataset.interactions, report.chosen.test
    user = int(evaluation.user_B[row])
    history = events.item_N[events.user_N == user]
    held_out = set(report.test.item_N[report.test.user_N == user].tolist())
    item_K = evaluation.top.item_BK[row, :depth]
    item_K = item_K[item_K != EMPTY_SLOT]
    user_id, shown = events.users.id(user), min(len(history), _HISTORY_SHOWN)
    which = f"the {shown} last" if events.timestamp_N is not None else f"{shown} of them"
    met = ", ".join(report.dataset.titles(history[-_HISTORY_SHOWN:]))
    before = line(strong(f"User {user_id}"), f", {len(history)} events before, {which}: {met}.")
    known = [] if report.examination is None else report.examination.categories
    likes, cells = [], []
    for categories in known:
        assert report.examination is not None
        told, column = _of_column(report.examination, categories, user, item_K)
        likes.append(told)
        cells.append(column)
    columns = [number("slot"), words("recommended"), words("chosen"), *(words(one.column) for one in known)]
    titles = report.dataset.titles(item_K)
    rows = [
        [f"{place + 1}", Cell(text=title), "✓" if item in held_out else "", *(column[place] for column in cells)]
        for place, (item, title) in enumerate(zip(item_K.tolist(), titles, strict=True))
    ]
    hits = sum(item in held_out for item in item_K.tolist())
    caption = f"The list of user {user_id}: {hits} of {len(item_K)} chosen later."
    return (Paragraph(text=before), *(Paragraph(text=one) for one in likes), table(caption, columns, rows))


def _of_column(
    examination: Examination, categories: Categories, user: int, item_K: IntArray
) -> tuple[Line, list[Cell]]:
    """What the user likes and how many of the list have it; and a cell for each item of the list."""
    user_B = np.array([user], dtype=np.int32)
    liked_BC = examination.liked(user_B, categories)
    match_K = is_match(item_K[None, :], liked_BC, categories)[0]
    most = liked_BC.indices[np.argsort(-liked_BC.data, kind="stable")]
    names = [categories.names[value] for value in most[:_LIKES_SHOWN]]
    more = f" and {len(most) - len(names)} more" if len(most) > len(names) else ""
    likes = f"{listed(names) if not more else ', '.join(names) + more}" if names else "nothing in particular"
    plural = categories.column if categories.column.endswith("s") else f"{categories.column}s"
    told = line(f"Likes {plural}: {likes}; {int(match_K.sum())} of {len(item_K)} in the list have one of them.")
    cells = []
    for item, is_hit in zip(item_K.tolist(), match_K.tolist(), strict=True):
        values = categories.has_IC[[item]].indices
        text = ", ".join(categories.names[value] for value in sorted(values))
        cells.append(Cell(text=text, is_strong=is_hit))
    return told, cells
