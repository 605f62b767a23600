"""How much may wait: a bounded queue in front of the one thread that computes.

Computing takes the whole of a core, so requests take turns on the event loop; a thread for it would only add two
hand-overs a request. Between two turns the loop runs once, so that what has arrived meanwhile is counted, and
refused where the queue is full, before the next is computed. A short queue keeps the wait of those admitted short: to
answer everybody late helps nobody.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType

from foretaste.errors import RequestError

RETRY_AFTER_SECONDS = 1


class OverloadedError(RequestError):
    """The service has more to do than it can, and refuses this request."""


class Gate:
    """Lets requests compute one at a time, in the order of their coming.

    Args:
        queue: how many may wait.
        deadline_seconds: a request that has waited longer is refused when its turn comes.
        clock: seconds, as `Exchange.started`.
    """

    def __init__(self, queue: int, deadline_seconds: float, *, clock: Callable[[], float] = time.perf_counter) -> None:
        self._queue, self._deadline_seconds, self._clock = queue, deadline_seconds, clock
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._num_coming = 0
        self._is_taken = False
        self.num_refused = 0
        """Requests that found the queue full, since the start."""
        self.num_expired = 0
        """Requests that waited for too long, since the start."""

    @property
    def is_full(self) -> bool:
        """Whether a request that came now would be refused, those announced being before it."""
        return len(self._waiting) + self._num_coming >= self._queue + (not self._is_taken)

    @property
    def num_waiting(self) -> int:
        """Requests that wait for their turn."""
        return len(self._waiting)

    def announce(self) -> None:
        """A request was read and will ask for its turn when the loop gets to it, within this round or not at all."""
        self._num_coming += 1
        asyncio.get_running_loop().call_soon(self._has_come)

    def turn(self, arrived: float) -> "Turn":
        """To be entered by `async with` around what computes.

        Args:
            arrived: when the request came, by the clock.
        """
        return Turn(self, arrived)

    async def enter(self, arrived: float) -> None:
        """Wait for the turn.

        Raises:
            OverloadedError: the queue is full, or the deadline has passed.
        """
        if self._is_taken:
            if len(self._waiting) >= self._queue:
                self.num_refused += 1
                raise OverloadedError(f"{len(self._waiting)} requests are waiting already; try again later.")
            mine = asyncio.get_running_loop().create_future()
            self._waiting.append(mine)
            try:
                await mine
            except asyncio.CancelledError:
                if not mine.cancelled():
                    self.leave()  # the turn had come already
                elif mine in self._waiting:
                    self._waiting.remove(mine)
                raise
            waited = self._clock() - arrived
            if waited > self._deadline_seconds:
                self.num_expired += 1
                self.leave()
                raise OverloadedError(f"the request waited {waited * 1000:.0f} ms, past its deadline; try again later.")
        self._is_taken = True

    def leave(self) -> None:
        """Pass the turn on, after the loop has looked for what arrived meanwhile."""
        self._is_taken = True
        asyncio.get_running_loop().call_soon(self._pass_on)

    def _has_come(self) -> None:
        self._num_coming -= 1

    def _pass_on(self) -> None:
        while self._waiting:
            following = self._waiting.popleft()
            if not following.done():
                following.set_result(None)
                return
        self._is_taken = False


class Turn:
    """One request's time at computing."""

    __slots__ = ("_arrived", "_gate")

    def __init__(self, gate: Gate, arrived: float) -> None:
        self._gate, self._arrived = gate, arrived

    async def __aenter__(self) -> None:
        """Wait for it."""
        await self._gate.enter(self._arrived)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Pass it on."""
        self._gate.leave()
