"""What a bundle costs to serve: the processor time of an answer, and its size."""

import time
from collections.abc import Iterator

import numpy as np

from foretaste.artifacts.bundle import Bundle
from foretaste.pipelines.retraining.finding import Finding
from foretaste.pipelines.retraining.guard_settings import Budgets
from foretaste.serving.engine import Engine, RecommendRequest

_WARM_UP = 5


def check_budgets(challenger: Bundle, budgets: Budgets) -> Iterator[Finding]:
    """The challenger answers as the service would, in this process."""
    if budgets.size_mib is not None:
        mib = sum(path.stat().st_size for path in challenger.folder.iterdir()) / 2**20
        told = f"the bundle takes {mib:,.1f} MiB; at most {budgets.size_mib:,.0f}."
        yield Finding("budgets", "size", mib <= budgets.size_mib, told, mib, budgets.size_mib)
    if budgets.latency_p99_cpu_ms is not None:
        try:
            p99_ms = _p99_cpu_ms(challenger, budgets.requests)
        except Exception as error:  # as in service, where whatever a model raises is no answer
            told = f"fails when it is asked for recommendations ({error!r:.200})."
            yield Finding("budgets", "latency", False, told)
            return
        limit = budgets.latency_p99_cpu_ms
        told = f"an answer takes {p99_ms:.3g} ms of processor time (p99 of {budgets.requests}); at most {limit:g}."
        yield Finding("budgets", "latency", p99_ms <= limit, told, p99_ms, limit)


def _p99_cpu_ms(challenger: Bundle, num_requests: int) -> float:
    engine = Engine(challenger)
    engine.warm_up()
    users = np.linspace(0, len(challenger.users) - 1, num_requests).astype(np.int32)
    asked = [RecommendRequest(user_id) for user_id in challenger.users.ids_at(users)]
    for request in asked[:_WARM_UP]:
        engine.recommend(request)
    taken_ns = np.empty(num_requests)
    for place, request in enumerate(asked):
        begun = time.process_time_ns()
        engine.recommend(request)
        taken_ns[place] = time.process_time_ns() - begun
    return float(np.quantile(taken_ns, 0.99) / 1e6)
