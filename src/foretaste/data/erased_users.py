"""Users who asked to be forgotten are left out of what a training reads."""

from collections.abc import Mapping
from dataclasses import replace
from functools import reduce
from operator import or_
from typing import Any

import narwhals as nw

from foretaste.data.log_database import Erasures, reading_log
from foretaste.data.raw import Note, RawTables
from foretaste.data.schemas import TIMESTAMP, USER_ID


def without_erased(raw: RawTables, url: str) -> RawTables:
    """The tables without what users did before they were forgotten, and without what is known of them.

    Without timestamps all their events go. What somebody did later, having come back, stays.

    Args:
        raw: as a source reads them.
        url: database of the service's logs, as `log.url` of the service.

    Raises:
        ConfigError: the URL is not one, or its driver is not installed.
        DataError: there are no logs, so that nobody could tell who was forgotten.
    """
    erasures = Erasures()
    with reading_log(url, "erasures") as connection:
        erasures.refresh(connection)
    erased_at = _among(raw.interactions, erasures)
    if not erased_at:
        return raw
    has_times = TIMESTAMP in raw.interactions.collect_schema().names()
    is_erased = _is_erased(erased_at, has_times=has_times)
    count = int(raw.interactions.filter(is_erased).select(nw.len()).collect().item())
    gone = ~nw.col(USER_ID).is_in(list(erased_at))
    return replace(
        raw,
        interactions=raw.interactions.filter(~is_erased),
        users=None if raw.users is None else raw.users.filter(gone),
        negatives=None if raw.negatives is None else raw.negatives.filter(gone),
        truth=None if raw.truth is None else raw.truth.filter(gone),
        notes=(*raw.notes, Note("event of a user who was forgotten (erasures)", count)),
    )


def _among(interactions: nw.LazyFrame[Any], erasures: Erasures) -> Mapping[str, float]:
    """When each user of the data was forgotten, of those who were."""
    if not len(erasures):
        return {}
    user_ids = interactions.select(USER_ID).unique().collect()[USER_ID].to_list()
    found = {str(user_id): erasures.erased_at(str(user_id)) for user_id in user_ids if user_id is not None}
    return {user_id: erased_at for user_id, erased_at in found.items() if erased_at is not None}


def _is_erased(erased_at: Mapping[str, float], *, has_times: bool) -> nw.Expr:
    if not has_times:
        return nw.col(USER_ID).is_in(list(erased_at))
    by_time: dict[int, list[str]] = {}
    for user_id, moment in erased_at.items():
        by_time.setdefault(int(moment), []).append(user_id)
    earlier = [
        nw.col(USER_ID).is_in(user_ids) & (nw.col(TIMESTAMP) <= moment).fill_null(True)
        for moment, user_ids in by_time.items()
    ]
    return reduce(or_, earlier)
