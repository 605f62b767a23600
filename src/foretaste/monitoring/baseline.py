"""What share of what is shown would be clicked, had the model before gone on.

Where some users still get its answers, as the variant of an experiment gives them, they tell. Else its own past does,
and that is not the same: people tire of a shop as they find what they like best. So a fall that was under way before
the promotion is expected to go on.
"""

import math
from dataclasses import dataclass

import sqlalchemy as sa

from foretaste.data.log_database import LogDatabase
from foretaste.data.log_tables import REQUESTS
from foretaste.monitoring.experiments import Arm, arms
from foretaste.monitoring.windows import SECONDS_PER_HOUR, Window

_SECONDS_PER_DAY = 24 * SECONDS_PER_HOUR


@dataclass(frozen=True)
class Falling:
    """Where a rate that has been falling is by now."""

    rate: float
    """Clicked over shown."""
    deviation: float
    """Standard error of the rate."""


def arm_of(database: LogDatabase, version: str, since: float, until: float) -> Arm | None:
    """What a bundle showed in a stretch of time, in UTC seconds, and what was clicked of it; None for nothing."""
    window = Window(int(since // SECONDS_PER_HOUR), int(max(since, until) // SECONDS_PER_HOUR))
    return arms(database, window, "model_version", since=since, until=until).get(version)


def falling(database: LogDatabase, version: str, since: float, until: float, promoted: float) -> Falling | None:
    """Where the rate of the model before is by now, if it goes on as it went between the two halves of its time.

    The halves are whole days, as the hours of a day differ. None where it was live for less than two days, or where its
    rate did not fall.

    Args:
        database: of the log.
        version: the model before.
        since: from when on it is looked at, UTC seconds.
        until: now; the new model is judged by the time from its promotion to then.
        promoted: when the new model was.
    """
    row = REQUESTS.c
    mine = (row.model_version == version) & (row.timestamp >= since) & (row.timestamp < promoted) & (row.num_items > 0)
    with database.reading() as connection:
        first = connection.execute(sa.select(sa.func.min(row.timestamp)).where(mine)).scalar()
    half = (0 if first is None else int((promoted - first) // _SECONDS_PER_DAY) // 2) * _SECONDS_PER_DAY
    if not half:
        return None
    earlier = arm_of(database, version, promoted - 2 * half, promoted - half)
    later = arm_of(database, version, promoted - half, promoted)
    if earlier is None or later is None or later.rate >= earlier.rate:
        return None
    # From the middle of the later half to that of the new model's time, over that from half to half.
    ahead = (half + until - promoted) / 2 / half
    variance = (1 + ahead) ** 2 * later.rate_variance + ahead**2 * earlier.rate_variance
    return Falling(max(0.0, later.rate - ahead * (earlier.rate - later.rate)), math.sqrt(variance))
