"""All figures of a window together, as people and schedulers ask for them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from foretaste.data.log_database import LogDatabase
from foretaste.errors import ArtifactError
from foretaste.monitoring.exposure import Exposure, exposure
from foretaste.monitoring.outcomes import Outcome, outcome_groups
from foretaste.monitoring.thresholds import Alert, Thresholds, crossed
from foretaste.monitoring.traffic import Traffic, traffic_groups
from foretaste.monitoring.windows import Window

GROUPS: tuple[Literal["endpoint", "model_version", "variant"], ...] = ("endpoint", "model_version", "variant")


@dataclass(frozen=True)
class Group:
    """The requests and outcomes of one value of a column."""

    traffic: Traffic | None
    """None where the window has outcomes of it, but no requests."""
    outcome: Outcome | None


@dataclass(frozen=True)
class Kpis:
    """How a service did in a window."""

    window: Window
    traffic: Traffic
    outcome: Outcome
    exposure: Exposure
    groups: Mapping[str, Mapping[str, Group]]
    """Column → value → its figures; '' is the value of requests that have none."""
    alerts: tuple[Alert, ...]


def kpis(database: LogDatabase, window: Window, thresholds: Thresholds | None = None) -> Kpis:
    """The figures of a window.

    Raises:
        ArtifactError: there is no log, or its database does not answer.
    """
    require_log(database)
    whole, traffic_of = traffic_groups(database, window, GROUPS)
    outcome, outcome_of = outcome_groups(database, window, GROUPS)
    groups: dict[str, dict[str, Group]] = {
        name: {
            str(value): Group(traffic_of[name].get(value), outcome_of[name].get(value))
            for value in sorted(traffic_of[name].keys() | outcome_of[name].keys(), key=str)
        }
        for name in GROUPS
    }
    return Kpis(
        window=window,
        traffic=whole,
        outcome=outcome,
        exposure=exposure(database, window),
        groups=groups,
        alerts=tuple(crossed(database, window, thresholds or Thresholds(), whole)),
    )


def require_log(database: LogDatabase) -> None:
    """Refuse a database without a log.

    Raises:
        ArtifactError: there is none, or the database does not answer.
    """
    if not database.exists():
        raise ArtifactError(
            f"{database}: no log here; start the service with `foretaste serve`, or name the log's database with --log."
        )
