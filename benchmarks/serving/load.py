"""An open-loop load: requests go out when their time has come, whether or not earlier ones were answered.

A closed loop waits for answers and so asks less the slower the server is; what people feel in an overload does not show
in it. Latency counts from the moment at which a request was due.
"""

import asyncio
import random
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Outcome:
    """What became of the requests of one load."""

    seconds: float = 0.0
    latencies: dict[int, list[float]] = field(default_factory=dict)
    """Status → seconds of each answer."""
    retry_after: int = 0
    """Refusals that say when to come again."""
    broken: int = 0
    """Connections that ended without an answer."""

    def count(self, status: int) -> int:
        return len(self.latencies.get(status, ()))

    def rate(self, status: int) -> float:
        """Answers of a status a second."""
        return self.count(status) / self.seconds

    def quantile(self, status: int, part: float) -> float:
        """Seconds within which this part of the answers came."""
        ordered = sorted(self.latencies[status])
        return ordered[min(int(part * len(ordered)), len(ordered) - 1)]


class _Connection(asyncio.Protocol):
    def __init__(self, free: "deque[_Connection]", outcome: Outcome) -> None:
        self._free, self._outcome = free, outcome
        self._buffer = b""
        self._due: float | None = None
        self.answered: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self.is_open = True

    def send(self, data: bytes, due: float) -> None:
        self._due = due
        self._transport.write(data)  # type: ignore[attr-defined]

    def close(self) -> None:
        self._transport.close()  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, separator, body = self._buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        lowered = head.lower()
        length = int(lowered.partition(b"content-length:")[2].split(b"\r\n")[0])
        if len(body) < length:
            return
        self._buffer = b""
        assert self._due is not None
        self._outcome.latencies.setdefault(int(head[9:12]), []).append(time.perf_counter() - self._due)
        self._outcome.retry_after += b"retry-after:" in lowered
        self._due = None
        self._free.append(self)

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002
        self.is_open = False
        self._outcome.broken += self._due is not None


async def open_loop(port: int, requests: Sequence[bytes], rate: float, seconds: float, seed: int = 0) -> Outcome:
    """Ask at a rate, at the times of a Poisson process; each request on a connection of its own while it lasts."""
    loop, outcome, free, rng = (
        asyncio.get_running_loop(),
        Outcome(seconds=seconds),
        deque[_Connection](),
        random.Random(seed),
    )

    async def connected() -> _Connection:
        _, connection = await loop.create_connection(lambda: _Connection(free, outcome), "127.0.0.1", port)
        return connection

    free.extend([await connected() for _ in range(64)])
    begun = time.perf_counter()
    due, sent = begun, 0
    while due < begun + seconds:
        now = time.perf_counter()
        if due > now:
            await asyncio.sleep(min(due - now, 0.001) if due - now > 0.0002 else 0)
            continue
        while free and not free[0].is_open:
            free.popleft()
        connection = free.popleft() if free else await connected()
        connection.send(requests[sent % len(requests)], due)
        sent += 1
        due += rng.expovariate(rate)
        if sent % 8 == 0:
            await asyncio.sleep(0)
    deadline = time.perf_counter() + 10
    while sum(map(len, outcome.latencies.values())) + outcome.broken < sent and time.perf_counter() < deadline:
        await asyncio.sleep(0.01)
    return outcome


async def closed_loop(port: int, requests: Sequence[bytes], connections: int, seconds: float) -> Outcome:
    """Ask again as soon as an answer came, over so many connections: what the server can do at most."""
    loop, outcome, free = asyncio.get_running_loop(), Outcome(seconds=seconds), deque[_Connection]()
    for _ in range(connections):
        _, connection = await loop.create_connection(lambda: _Connection(free, outcome), "127.0.0.1", port)
        free.append(connection)
    begun, sent = time.perf_counter(), 0
    while (now := time.perf_counter()) < begun + seconds:
        while free:
            free.popleft().send(requests[sent % len(requests)], now)
            sent += 1
        await asyncio.sleep(0)
    outcome.seconds = time.perf_counter() - begun
    deadline = time.perf_counter() + 30
    while len(free) < connections and not outcome.broken and time.perf_counter() < deadline:
        await asyncio.sleep(0.001)
    for connection in free:
        connection.close()
    return outcome
