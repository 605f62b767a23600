"""Figures and names in the words of the dashboard."""

from typing import Literal

from foretaste.evaluation.significance import Estimate
from foretaste.monitoring.thresholds import Alert
from foretaste.monitoring.traffic import Latency

NONE = "–"
_FIGURES = {
    "latency_p99_ms": ("99 of 100 answers take up to", "{:,.3g} ms"),
    "error_share": ("Requests that failed", "{:.2%}"),
    "refused_share": ("Requests refused under overload", "{:.2%}"),
    "fallback_share": ("Answers of popular items for want of better", "{:.1%}"),
    "min_click_through": ("Shown items that were clicked", "{:.2%}"),
    "min_requests_per_hour": ("Requests an hour", "{:,.3g}"),
}


def alert(one: Alert) -> str:
    """A limit that is crossed, as a sentence."""
    name, form = _FIGURES[one.figure]
    beyond = "at least" if one.figure.startswith("min_") else "at most"
    since = one.since[:16].replace("T", " ")
    return f"**{name}: {form.format(one.value)}**, expected {beyond} {form.format(one.limit)}. Since {since} UTC."


def share(value: float | None, digits: int = 1) -> str:
    """A share as a percentage."""
    return NONE if value is None else f"{value:.{digits}%}"


def mean(estimate: Estimate | None) -> str:
    """A share without its interval."""
    return share(estimate.mean if estimate else None, digits=2)


def rate(estimate: Estimate | None) -> str:
    """A share with its interval."""
    return NONE if estimate is None else f"{estimate.mean:.2%} ({estimate.low:.2%} to {estimate.high:.2%})"


def latency(found: Latency | None, quantile: Literal["p50_ms", "p95_ms", "p99_ms"]) -> str:
    """A quantile of it."""
    return NONE if found is None else f"{getattr(found, quantile):,.3g} ms"


def named(value: str | int) -> str:
    """A value of a column; what requests lack is said so."""
    return str(value) or "(none)"
