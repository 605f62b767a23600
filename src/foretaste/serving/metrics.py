"""What Prometheus is told: requests and their latencies by call, model version and variant.

Labels come from bounded sets: the calls of the documentation, the bundles that are loaded and were before the last
swap, the variants of the config. Users, items and raw paths are never labels. A worker counts in its own memory; where
there are several, each leaves its figures in a folder, and whichever is asked adds them up.
"""

import os
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import accumulate
from pathlib import Path
from typing import Any

import orjson
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric

BOUNDS_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_LABELS = ["endpoint", "model_version", "variant"]
_SEPARATOR = "\t"

Figures = dict[str, Any]
"""Of one worker, as JSON: `latency` and `requests` by labels, and `gauges` and `counters` by name."""


class Metrics:
    """The figures of one worker."""

    def __init__(self) -> None:
        self._latency: dict[tuple[str, str, str], list[float]] = {}
        self._requests: dict[tuple[str, str, str, int], int] = {}

    def observe(self, endpoint: str, model_version: str, variant: str, status: int, seconds: float) -> None:
        """Count one request."""
        labels = (endpoint, model_version, variant)
        row = self._latency.get(labels)
        if row is None:
            row = self._latency[labels] = [0.0] * (len(BOUNDS_SECONDS) + 2)
        row[bisect_left(BOUNDS_SECONDS, seconds)] += 1
        row[-1] += seconds
        counted = (*labels, status)
        self._requests[counted] = self._requests.get(counted, 0) + 1

    def keep_versions(self, versions: Collection[str]) -> None:
        """Drop what belongs to other model versions."""
        kept = {*versions, ""}
        self._latency = {labels: row for labels, row in self._latency.items() if labels[1] in kept}
        self._requests = {labels: count for labels, count in self._requests.items() if labels[1] in kept}

    def figures(self, gauges: Mapping[str, float], counters: Mapping[str, float]) -> Figures:
        """All of it as JSON types."""
        return {
            "latency": {_SEPARATOR.join(labels): row for labels, row in self._latency.items()},
            "requests": {_SEPARATOR.join(map(str, labels)): count for labels, count in self._requests.items()},
            "gauges": dict(gauges),
            "counters": dict(counters),
        }


class SharedFigures:
    """The figures of all workers, each in a file of its own."""

    def __init__(self, folder: Path, worker: int) -> None:
        self._folder, self._name = folder, f"worker-{worker}.json"

    def leave(self, figures: Figures) -> None:
        """Put down those of this worker."""
        hidden = self._folder / f".{self._name}.{os.getpid()}"
        hidden.write_bytes(orjson.dumps(figures))
        hidden.replace(self._folder / self._name)

    def of_others(self) -> list[Figures]:
        """Those that the other workers left last."""
        found = []
        for path in sorted(self._folder.glob("worker-*.json")):
            if path.name != self._name:
                try:
                    found.append(orjson.loads(path.read_bytes()))
                except (OSError, orjson.JSONDecodeError):
                    continue
        return found


def exposition(workers: Iterable[Figures], info: Iterable[Mapping[str, str]]) -> bytes:
    """The text that Prometheus reads: the sum over the workers.

    Args:
        workers: figures of each.
        info: labels of each loaded model: `variant`, `model_version` and `model`.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collected(list(workers), list(info)))
    return generate_latest(registry)


class _Collected:
    def __init__(self, workers: list[Figures], info: list[Mapping[str, str]]) -> None:
        self._workers, self._info = workers, info

    def collect(self) -> Iterator[Metric]:
        latency = HistogramMetricFamily(
            "foretaste_request_seconds", "Time from the first byte of a request to its answer.", labels=_LABELS
        )
        for labels, row in _sums(self._workers, "latency"):
            *counts, seconds = row
            bounds = [*(str(bound) for bound in BOUNDS_SECONDS), "+Inf"]
            latency.add_metric(labels, list(zip(bounds, accumulate(counts), strict=True)), seconds)
        yield latency
        requests = CounterMetricFamily("foretaste_requests", "Requests by status.", labels=[*_LABELS, "status"])
        for labels, (count,) in _sums(self._workers, "requests"):
            requests.add_metric(labels, count)
        yield requests
        for (name,), (count,) in _sums(self._workers, "counters"):
            yield CounterMetricFamily(f"foretaste_{name}", _HELP[name], value=count)
        for (name,), (value,) in _sums(self._workers, "gauges"):
            yield GaugeMetricFamily(f"foretaste_{name}", _HELP[name], value=value)
        models = GaugeMetricFamily("foretaste_model_loaded", "1 for each bundle that answers.", labels=_INFO)
        for each in self._info:
            models.add_metric([each[name] for name in _INFO], 1)
        yield models


_INFO = ["variant", "model_version", "model"]
_HELP = {
    "refused_queue": "Requests refused because the queue was full.",
    "refused_deadline": "Requests refused because they had waited for too long.",
    "waiting": "Requests that wait for their turn.",
    "model_problems": "Bundles that should answer and cannot; /ready says why.",
    "journal_bytes": "Written down, and not yet in the log's database.",
    "logged_requests": "Requests in the request log.",
    "unlogged_requests": "Requests answered without a row in the request log, as the journal was full.",
    "feedback_taken": "Events of feedback that were acknowledged.",
    "feedback_refused": "Events of feedback that were refused, as the journal was full.",
    "log_rows_rejected": "Rows that the log's database would not take.",
    "log_lines_lost": "Lines of the log that could not be written.",
}


def _sums(workers: list[Figures], kind: str) -> Iterator[tuple[list[str], list[float]]]:
    sums: dict[str, list[float]] = {}
    for figures in workers:
        for labels, value in figures[kind].items():
            row = value if isinstance(value, list) else [value]
            held = sums.get(labels)
            sums[labels] = [a + b for a, b in zip(held, row, strict=True)] if held else list(row)
    for labels in sorted(sums):
        yield labels.split(_SEPARATOR), sums[labels]
