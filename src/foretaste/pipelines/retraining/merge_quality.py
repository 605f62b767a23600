"""Whether what the log brought to the data can be what people did, found before anything is trained."""

from collections.abc import Iterator, Sequence

import numpy as np

from foretaste.arrays import UNKNOWN
from foretaste.artifacts.bundle import Bundle
from foretaste.data.feedback_events import JOINED, NOBODY, UNKNOWN_ITEM, UNKNOWN_KIND
from foretaste.data.interactions import Interactions
from foretaste.data.prepare import REPEATED, Audit
from foretaste.data.raw import Note
from foretaste.pipelines.retraining.finding import Finding
from foretaste.pipelines.retraining.settings import MergeLimits

_FEWEST_EVENTS = 100
"""With fewer a share says little."""


def check_merge(
    audit: Audit, fresh: Interactions, champion: Bundle | None, rows_before: int | None, limits: MergeLimits
) -> list[Finding]:
    """What of the merged data is in order, and what is not.

    Args:
        audit: of its preparation.
        fresh: its events after the champion's training.
        champion: the live bundle; None where there is none.
        rows_before: what the last training read; None where nobody knows.
        limits: what may be.
    """
    joined = _count(audit.remarks, JOINED)
    lost = sum(_count(audit.dropped, reason) for reason in (NOBODY, UNKNOWN_ITEM, UNKNOWN_KIND))
    repeated = _count(audit.dropped, REPEATED)
    findings = [
        _share("lost", lost, joined + lost, limits.max_lost_share, "events of the log name nobody or an unknown item"),
        _share("repeated", repeated, audit.rows_read, limits.max_repeated_share, "events were said again later"),
    ]
    if champion is not None:
        of_users, of_items = (
            int(np.isin(index_N, np.flatnonzero(known.indices(vocabulary.ids) == UNKNOWN)).sum())
            for index_N, vocabulary, known in (
                (fresh.user_N, fresh.users, champion.users),
                (fresh.item_N, fresh.items, champion.items),
            )
        )
        findings += [
            _share("new users", of_users, len(fresh), limits.max_new_user_share, "fresh events are by new users"),
            _share("new items", of_items, len(fresh), limits.max_new_item_share, "fresh events are with new items"),
        ]
    return [*(found for found in findings if found is not None), *_rows(audit.rows_read, rows_before, limits)]


def _count(notes: Sequence[Note], reason: str) -> int:
    return sum(note.count for note in notes if note.reason == reason)


def _share(name: str, part: int, whole: int, limit: float | None, words: str) -> Finding | None:
    if limit is None or whole < _FEWEST_EVENTS:
        return None
    share = part / whole
    key = f"merge.max_{name.replace(' ', '_').removesuffix('s')}_share"
    told = f"{part:,} of {whole:,} {words} ({share:.1%}); at most {limit:.0%} is expected ({key})."
    return Finding("data", name, share <= limit, told, share, limit)


def _rows(rows: int, before: int | None, limits: MergeLimits) -> Iterator[Finding]:
    if before and limits.min_rows_share is not None:
        share = rows / before
        told = (
            f"{rows:,} rows were read, after {before:,} by the last training; at least {limits.min_rows_share:.0%} of "
            "them are expected (merge.min_rows_share)."
        )
        yield Finding("data", "rows read", share >= limits.min_rows_share, told, share, limits.min_rows_share)
