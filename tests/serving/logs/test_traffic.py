from collections import Counter

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from foretaste.data.log_database import LogDatabase
from foretaste.data.log_tables import TRAFFIC, bucket_ms, latency_bucket

KEY = ("hour", "endpoint", "model_version", "variant", "fallback_reason", "status", "user_known", "num_items")
NOON = 500_000 * 3600.0


@pytest.fixture
def counts(database_url):
    """Requests of each (hour, endpoint, version, variant, reason, status, known, items) by now."""
    database = LogDatabase(database_url)

    def read():
        with database.reading() as connection:
            rows = connection.execute(sa.select(TRAFFIC)).mappings().all()
        found = Counter()
        for row in rows:
            key = (
                "hour",
                "endpoint",
                "model_version",
                "variant",
                "fallback_reason",
                "status",
                "user_known",
                "num_items",
            )
            found[tuple(row[name] for name in key)] += row["num_requests"]
        return found

    yield read
    database.close()


def test_requests_are_counted_by_hour_and_kind(logs, a_request, counts):
    for second in (0, 1, 3599, 3600):
        logs.requests.append(a_request(timestamp=NOON + second, model_version="b1", recommendations=["m1", "m2"]))
    logs.requests.append(a_request(timestamp=NOON, endpoint="/similar", status=503, user_id=None))
    logs.requests.append(a_request(timestamp=NOON, user_known=False, fallback_reason="unknown", variant="blue"))
    logs.move_now()
    assert counts() == {
        (500_000, "/recommend", "b1", "", "", 200, -1, 2): 3,
        (500_001, "/recommend", "b1", "", "", 200, -1, 2): 1,
        (500_000, "/similar", "", "", "", 503, -1, 0): 1,
        (500_000, "/recommend", "", "blue", "unknown", 200, 0, 0): 1,
    }


def test_a_request_that_comes_twice_counts_once(open_logs, a_request, counts):
    row = a_request(timestamp=NOON)
    for logs in (open_logs(), open_logs()):
        logs.requests.append(row)
        logs.requests.append(a_request(timestamp=NOON))
        logs.move_now()
    assert sum(counts().values()) == 3


@given(st.floats(0.001, 1e6))
def test_a_bucket_holds_its_latency(latency_ms):
    bucket = latency_bucket(latency_ms)
    assert bucket_ms(bucket) <= latency_ms * (1 + 1e-9)
    assert latency_ms * (1 - 1e-9) <= bucket_ms(bucket + 1)
    assert bucket_ms(bucket + 1) / bucket_ms(bucket) == pytest.approx(1.0746, abs=1e-3)


def test_the_shortest_latencies_share_a_bucket():
    assert latency_bucket(0.0) == latency_bucket(0.0005) == 0
