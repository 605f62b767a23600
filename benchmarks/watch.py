"""How often the watch rolls back a model that does as well, and how soon one that does not.

    python benchmarks/watch.py [--rounds 20] [--only CASE ...]

A week of the model before and a day of the new one, to the same 300 users, of whom some click much and some little; ten
items an answer. The watch looks every hour with the default limits. Clicks may fall all the while, whatever the model;
and some users may go on with the model before, as in an experiment.
"""

import argparse
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

from foretaste.data.log_database import LogDatabase
from foretaste.monitoring.release import WatchConfig, judge_release
from foretaste.monitoring.windows import SECONDS_PER_HOUR
from foretaste.serving.logs.rows import FeedbackRow, RequestRow
from foretaste.serving.logs.service import ServiceLogs
from foretaste.serving.logs.settings import LogConfig

RESULTS = Path(__file__).parent / "results" / "watch.json"
PROMOTED = 500_000 * SECONDS_PER_HOUR
USERS, SLOTS, HOURS = 300, 10, 24
REQUESTS_BEFORE, REQUESTS_SINCE = 5000, 3000
RATE = 0.08


@dataclass(frozen=True)
class Life:
    """How the new model does: clicks over those of the one before, failures, latency."""

    clicks: float = 1.0
    failing: float = 0.0
    latency_ms: float = 5.0
    slow: float = 0.0
    """Share of the answers that take 200 ms."""


@dataclass(frozen=True)
class Case:
    """A new model, the model before, and what both live in."""

    new: Life = Life()
    old: Life = Life()
    falling: float = 0.0
    """Share of the clicks that is lost a day, by either model."""
    held_back: float = 0.0
    """Share of the users who go on with the model before."""
    fault: tuple[float, float, float] | None = None
    """Hours since the promotion from which and up to which clicks are so many times what they were, by either model."""
    night: float = 0.0
    """Share of the clicks that is lost at the hour of the promotion, and won twelve hours later, on every day."""

    def level(self, at: float) -> float:
        """Clicks at a time, over those at the promotion, whatever the model."""
        hours = (at - PROMOTED) / SECONDS_PER_HOUR
        level = (1 - self.falling) ** (hours / 24) * (1 - self.night * np.cos(2 * np.pi * hours / 24))
        if self.fault is not None and self.fault[0] <= hours < self.fault[1]:
            level *= self.fault[2]
        return float(level)


CASES = {
    "as well as before": Case(),
    "a tenth fewer clicks": Case(Life(clicks=0.9)),
    "a fifth fewer clicks": Case(Life(clicks=0.8)),
    "a third fewer clicks": Case(Life(clicks=0.67)),
    "half the clicks": Case(Life(clicks=0.5)),
    "0.5 % of the requests fail, as before": Case(Life(failing=0.005), Life(failing=0.005)),
    "3 % of the requests fail": Case(Life(failing=0.03)),
    "0.9 % of the answers are slow, as before": Case(Life(slow=0.009), Life(slow=0.009)),
    "twenty times as slow": Case(Life(latency_ms=100.0)),
    "as well, clicks fall by 4 % a day": Case(falling=0.04),
    "as well, clicks fall by 8 % a day": Case(falling=0.08),
    "a third fewer, clicks fall by 4 % a day": Case(Life(clicks=0.67), falling=0.04),
    "as well, clicks fall by 8 % a day, a quarter held back": Case(falling=0.08, held_back=0.25),
    "a third fewer, clicks fall by 8 % a day, a quarter held back": Case(
        Life(clicks=0.67), falling=0.08, held_back=0.25
    ),
    "as well, nobody can click from the 6th hour on": Case(fault=(6, 24, 0.0)),
    "as well, nobody can click from the 6th to the 9th hour": Case(fault=(6, 9, 0.0)),
    "as well, half the clicks from the 6th hour on": Case(fault=(6, 24, 0.5)),
    "a third fewer, half of them from the 6th hour on": Case(Life(clicks=0.67), fault=(6, 24, 0.5)),
    "as well, promoted at night": Case(night=0.4),
    "a third fewer, promoted at night": Case(Life(clicks=0.67), night=0.4),
    "a third fewer, promoted at noon": Case(Life(clicks=0.67), night=-0.4),
    "as well, a holiday begins with the promotion, a third fewer clicks": Case(fault=(0, 24, 0.67)),
    "the same holiday, a quarter held back": Case(fault=(0, 24, 0.67), held_back=0.25),
}


def rows(
    case: Case, start: float, hours: float, count: int, rng: np.random.Generator, taste_U: np.ndarray
) -> Iterator[tuple[RequestRow, list[FeedbackRow]]]:
    """Requests in order of time, each with its clicks."""
    for number, at in enumerate(np.sort(start + rng.random(count) * hours * SECONDS_PER_HOUR).tolist()):
        user = int(rng.integers(USERS))
        version = "old" if at < PROMOTED or user < case.held_back * USERS else "new"
        life = case.old if version == "old" else case.new
        fails, is_slow = rng.random() < life.failing, rng.random() < life.slow
        fallen = case.level(at)
        request = RequestRow(
            request_id=f"{version}{start}-{number}",
            timestamp=at,
            endpoint="/recommend",
            status=500 if fails else 200,
            latency_ms=200.0 if is_slow else life.latency_ms * rng.lognormal(0, 0.3),
            model_version=version,
            user_id=f"u{user}",
            recommendations=[] if fails else [f"m{slot}" for slot in range(SLOTS)],
        )
        clicked = [] if fails else np.flatnonzero(rng.random(SLOTS) < fallen * life.clicks * taste_U[user]).tolist()
        yield (
            request,
            [
                FeedbackRow(
                    event_id=f"{request.request_id}-{slot}",
                    timestamp=at + 30,
                    received_at=at + 30,
                    kind="click",
                    item_id=f"m{slot}",
                    user_id=f"u{user}",
                    request_id=request.request_id,
                )
                for slot in clicked
            ],
        )


def hours_to_rollback(case: Case, seed: int) -> tuple[int | None, list[str]]:
    """The hour of the first look that rolls back, and why; None where none does."""
    rng = np.random.default_rng(seed)
    taste_U = rng.beta(1.0, 1.0 / RATE - 1.0, USERS)
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/log.db"
        logs = ServiceLogs(LogConfig(url=url, journal_dir=Path(folder) / "journal", move_every_seconds=60))
        logs.start()
        for start, hours, count in (
            (PROMOTED - 168 * SECONDS_PER_HOUR, 168, REQUESTS_BEFORE),
            (PROMOTED, HOURS, REQUESTS_SINCE),
        ):
            for request, clicks in rows(case, start, hours, count, rng, taste_U):
                logs.requests.append(request)
                for click in clicks:
                    logs.feedback.take(click)
        logs.stop()
        database = LogDatabase(url)
        try:
            for hour in range(1, HOURS + 1):
                found = judge_release(
                    database, "new", "old", PROMOTED, PROMOTED + hour * SECONDS_PER_HOUR - 1, WatchConfig()
                )
                if found.crossed:
                    return hour, [figure.name for figure in found.crossed]
        finally:
            database.close()
    return None, []


def main() -> None:
    """Measure and write the JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--only", nargs="*", choices=list(CASES), default=list(CASES), metavar="CASE")
    options = parser.parse_args()
    rounds = options.rounds
    found = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for name in options.only:
        case = CASES[name]
        looks = [hours_to_rollback(case, seed) for seed in range(rounds)]
        hours = [hour for hour, _ in looks if hour is not None]
        found[name] = {
            "rounds": rounds,
            "rolled_back": len(hours),
            "median_hours": median(hours) if hours else None,
            "by": sorted({name for _, names in looks for name in names}),
        }
        print(name, found[name], flush=True)
        in_order = {each: found[each] for each in CASES if each in found}
        RESULTS.write_text(json.dumps(in_order, indent=2) + "\n")


if __name__ == "__main__":
    main()
