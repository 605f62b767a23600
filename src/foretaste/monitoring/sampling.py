"""Which rows of a long window are looked at: spread evenly over it, the same ones each time."""

import sqlalchemy as sa

from foretaste.monitoring.windows import Window


def evenly(connection: sa.Connection, table: sa.Table, window: Window, most: int) -> tuple[sa.ColumnElement[bool], int]:
    """(which rows, every how many-th): all of a window, or at most so many, spread evenly over it.

    They are named by `seq`, which grows as time does, so that no other row is looked at.
    """
    row = table.c
    inside = (row.timestamp >= window.start_seconds) & (row.timestamp < window.end_seconds)
    ends = [
        connection.execute(sa.select(row.seq).where(inside).order_by(order, row.seq).limit(1)).scalar()
        for order in (row.timestamp, row.timestamp.desc())
    ]
    if ends[0] is None or ends[1] is None or abs(ends[1] - ends[0]) < most:
        return inside, 1
    first, last = sorted(int(end) for end in ends if end is not None)
    every = -(-(last - first + 1) // most)
    place = sa.select(sa.literal(first).label("seq")).cte("place", recursive=True)
    place = place.union_all(sa.select(place.c.seq + every).where(place.c.seq + every <= last))
    return inside & row.seq.in_(sa.select(place.c.seq)), every
