import numpy as np
import pytest
import sqlalchemy as sa

from foretaste.data.log_tables import REQUESTS
from foretaste.monitoring.sampling import evenly


@pytest.mark.parametrize(("most", "step"), [(300, 1), (299, 2), (100, 3), (7, 43)])
def test_at_most_so_many_rows_evenly_apart(write, a_request, database, window, most, step):
    write([a_request(hour=-1), *(a_request(hour=place / 13) for place in range(300)), a_request(hour=25)])
    with database.reading() as connection:
        rows, every = evenly(connection, REQUESTS, window, most)
        seqs = connection.execute(sa.select(REQUESTS.c.seq).where(rows).order_by(REQUESTS.c.seq)).scalars().all()
    assert every == step
    assert len(seqs) <= most
    assert set(np.diff(seqs)) == {step}
    assert seqs[0] == 2, "the first of the window, whatever came before it"
    assert seqs[-1] > 301 - step
