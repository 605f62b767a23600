"""What people would see: lists of the chosen model beside the history that they come from."""

import numpy as np

from foretaste.arrays import EMPTY_SLOT
from foretaste.evaluation.protocol import Evaluation
from foretaste.evaluation.report.contents import ReportInput
from foretaste.evaluation.report.document import (
    Beside,
    Block,
    Cell,
    Paragraph,
    Section,
    line,
    number,
    strong,
    table,
    words,
)

_NUM_USERS = 3
_DEPTH = 10
_HISTORY_SHOWN = 8


def people(report: ReportInput) -> Section:
    """Lists for a few users with a history, spread evenly over the judged ones."""
    title, best = "What people would see", report.chosen.test
    warm = np.flatnonzero(~best.is_cold_B)
    if not len(warm):
        return Section(title=title)
    chosen = warm[np.unique(np.linspace(0, len(warm) - 1, _NUM_USERS).astype(int))]
    note = line(f"Lists of {report.best}; ✓ marks what the user then really chose.")
    told = tuple(_one(report, best, int(row)) for row in chosen)
    return Section(title=title, blocks=(Paragraph(text=note), Beside(groups=told)))


def _one(report: ReportInput, evaluation: Evaluation, row: int) -> tuple[Block, ...]:
    events, user = report.dataset.interactions, evaluation.user_B[row]
    history = events.item_N[events.user_N == user]
    held_out = set(report.test.item_N[report.test.user_N == user].tolist())
    items = [item for item in evaluation.top.item_BK[row, :_DEPTH].tolist() if item != EMPTY_SLOT]
    titles = report.dataset.titles(np.array(items, dtype=np.int32))
    met = ", ".join(report.dataset.titles(history[-_HISTORY_SHOWN:]))
    order = "last" if events.timestamp_N is not None else "of them"
    user_id, shown = events.users.id(int(user)), min(len(history), _HISTORY_SHOWN)
    rows = [
        [f"{slot}", Cell(text=title, is_strong=item in held_out), "✓" if item in held_out else ""]
        for slot, (item, title) in enumerate(zip(items, titles, strict=True), 1)
    ]
    before = line(strong(f"User {user_id}"), f", {len(history)} events before, the {shown} {order}: {met}")
    columns = [number("slot"), words("recommended"), words("chosen")]
    return (Paragraph(text=before), table(f"The list of user {user_id}.", columns, rows))
