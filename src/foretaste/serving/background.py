"""What a worker does beside answering: look for new bundles and keys, and leave its figures to the other workers."""

import asyncio
from collections.abc import Awaitable, Callable

from foretaste.errors import ForetasteError
from foretaste.serving.service import Service

_FIGURES_SECONDS = 1.0


async def follow_store(service: Service) -> None:
    """Load what the store names, when it names another. What fails is logged, and `/ready` tells it."""
    if service.models.is_behind():
        try:
            await asyncio.to_thread(service.models.refresh)
        except ForetasteError as error:
            service.log.write("error", "bundle refused", {"message": str(error)})


async def follow_keys(service: Service) -> None:
    """Take the keys as they are now. Where they cannot be read those that are known stay."""
    records = await asyncio.to_thread(service.keys.records)
    if records:
        service.guard.know(records)


async def leave_figures(service: Service) -> None:
    """Put down the figures of this worker."""
    if service.others:
        service.others.leave(figures_of(service))


class Refusals:
    """Tells in the log, once a second, how many requests were refused: a line for each would cost more than they do."""

    def __init__(self) -> None:
        self._told = 0

    async def __call__(self, service: Service) -> None:
        """Write a line where there were any."""
        refused = service.gate.num_refused
        if refused > self._told:
            service.log.write("warning", "overloaded", {"refused": refused - self._told})
            self._told = refused


def figures_of(service: Service) -> dict[str, object]:
    """The figures of this worker now."""
    gate, logs = service.gate, service.logs.status()
    gauges: dict[str, float] = {"waiting": gate.num_waiting, "model_problems": len(service.models.current.problems)}
    gauges["journal_bytes"] = logs.journal_bytes
    counters = {
        "logged_requests": logs.requests_appended,
        "unlogged_requests": logs.requests_dropped,
        "feedback_taken": logs.feedback_taken,
        "feedback_refused": logs.feedback_refused,
        "log_rows_rejected": logs.rows_rejected,
        "refused_queue": gate.num_refused,
        "refused_deadline": gate.num_expired,
        "log_lines_lost": service.log.num_lost,
    }
    return service.metrics.figures(gauges, counters)


def start(service: Service) -> list[asyncio.Task[None]]:
    """The tasks, running; they are to be cancelled in the end."""
    jobs: list[tuple[float | None, Callable[[Service], Awaitable[None]]]] = [
        (service.config.hot_swap.poll_seconds, follow_store),
        (service.config.security.keys_poll_seconds, follow_keys),
        (_FIGURES_SECONDS, Refusals()),
        (_FIGURES_SECONDS if service.others else None, leave_figures),
    ]
    return [asyncio.create_task(_every(seconds, job, service)) for seconds, job in jobs if seconds]


async def _every(seconds: float, job: Callable[[Service], Awaitable[None]], service: Service) -> None:
    while True:
        await asyncio.sleep(seconds)
        try:
            await job(service)
        except Exception as error:
            service.log.failure("background work failed", error)
