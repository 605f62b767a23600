"""A service in a thread of the test, asked over a socket, by a clock that the test turns."""

import httpx
import sqlalchemy as sa

from foretaste.data.log_database import LogDatabase
from foretaste.data.log_tables import FEEDBACK, REGISTRATIONS, REQUESTS
from foretaste.serving.logs.service import ServiceLogs
from foretaste.serving.server import listen, running

LONG_AGO = 1_000_000_000.0
"""Seconds: older than any log is kept."""


def test_what_is_logged_goes_by_the_clock_of_the_service_and_so_does_how_long_it_stays(make_service):
    now = [LONG_AGO]
    service = make_service(clock=lambda: now[0])
    with listen("127.0.0.1", 0) as listener, running(service, listener) as url, httpx.Client(base_url=url) as client:
        answer = client.post("/recommend", json={"user_id": "u1", "k": 3}).json()
        item_id = answer["recommendations"][0]["item_id"]
        events = [{"kind": "click", "user_id": "u1", "item_id": item_id, "request_id": answer["request_id"]}]
        now[0] += 60
        assert client.post("/feedback", json={"events": events}).status_code == 200
        late = client.post("/feedback", json={"events": [{**events[0], "timestamp": now[0] + 3600}]})
        assert late.status_code == 422
        now[0] += 60
        assert client.post("/users", json={"user_id": "new"}).json()["registered_at"] == LONG_AGO + 120
    again = ServiceLogs(service.config.log, clock=lambda: now[0])
    again.start()
    again.stop()
    database = LogDatabase(service.config.log.url)
    with database.reading() as connection:
        assert connection.execute(sa.select(REQUESTS.c.timestamp)).scalars().all() == [LONG_AGO]
        taken = connection.execute(sa.select(FEEDBACK.c.timestamp, FEEDBACK.c.received_at, FEEDBACK.c.slot)).all()
        assert taken == [(LONG_AGO + 60, LONG_AGO + 60, 0)]
        assert connection.execute(sa.select(REGISTRATIONS.c.registered_at)).scalars().all() == [LONG_AGO + 120]
    database.close()


def test_the_thread_ends_with_the_block_and_leaves_the_port(make_service):
    with listen("127.0.0.1", 0) as listener, running(make_service(), listener) as url:
        assert httpx.get(f"{url}/live").status_code == 200
    with listen("127.0.0.1", int(url.rpartition(":")[2])):
        pass
