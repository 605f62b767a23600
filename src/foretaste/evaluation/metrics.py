"""The metrics by name: what each one needs, which way is better, and its exact definition."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

from foretaste.arrays import DoubleArray
from foretaste.evaluation import beyond_accuracy, genres
from foretaste.evaluation.auc import auc
from foretaste.models.hits import Counts, Hits, average_precision, hit_rate, mrr, ndcg, precision, recall

HitMetric = Callable[[Hits, Counts], DoubleArray]

Kind = Literal["hits", "ranking", "list", "catalogue"]


@dataclass(frozen=True)
class Metric:
    """One metric as a person may ask for it."""

    title: str
    """As people write it."""
    kind: Kind
    """`hits`: of the hits of a list; `ranking`: of all scores, without a cut-off; `list`: of the items of a list,
    whether they are hits or not; `catalogue`: of all lists together, so that there is no value per user."""
    better: Literal["higher", "lower"] | None
    """None where neither is: the figure describes the lists and does not judge them."""
    function: Callable[..., Any]
    """What computes it; its docstring is the definition."""
    needs_genres: bool = False
    """True where nothing can be said without genres (or categories) of the items."""


METRICS: dict[str, Metric] = {
    "ndcg": Metric("NDCG", "hits", "higher", ndcg),
    "recall": Metric("Recall", "hits", "higher", recall),
    "precision": Metric("Precision", "hits", "higher", precision),
    "map": Metric("MAP", "hits", "higher", average_precision),
    "mrr": Metric("MRR", "hits", "higher", mrr),
    "hit_rate": Metric("HitRate", "hits", "higher", hit_rate),
    "auc": Metric("AUC", "ranking", "higher", auc),
    "novelty": Metric("Novelty", "list", None, beyond_accuracy.novelty),
    "serendipity": Metric("Serendipity", "list", "higher", beyond_accuracy.serendipity),
    "popularity_lift": Metric("Popularity lift", "list", None, beyond_accuracy.popularity_lift),
    "diversity": Metric("Diversity", "list", None, genres.diversity, needs_genres=True),
    "calibration": Metric("Calibration", "list", "lower", genres.calibration, needs_genres=True),
    "coverage": Metric("Coverage", "catalogue", "higher", beyond_accuracy.coverage),
    "gini": Metric("Gini", "catalogue", "lower", beyond_accuracy.gini),
}
"""Name, as in `ndcg@10`, → metric."""

HIT_METRICS: dict[str, HitMetric] = {name: each.function for name, each in METRICS.items() if each.kind == "hits"}
"""Those that the hits of a list settle."""


def keys(names: Iterable[str], cutoffs: Iterable[int]) -> list[str]:
    """Name and cut-off of each figure, as in `ndcg@10`; a metric of the whole ranking has its name alone."""
    names = list(names)
    at_cutoffs = [f"{name}@{k}" for k in cutoffs for name in names if METRICS[name].kind != "ranking"]
    return at_cutoffs + [name for name in names if METRICS[name].kind == "ranking"]


def name_of(key: str) -> str:
    """`ndcg` of `ndcg@10`."""
    return key.partition("@")[0]


def metric_title(key: str, candidates: str = "all") -> str:
    """`ndcg@10` as people write it: NDCG@10; and what was ranked, where that was not every item: NDCG@10 (sampled)."""
    name, at, cutoff = key.partition("@")
    title = METRICS[name].title if name in METRICS else name.capitalize()
    return f"{title}{at}{cutoff}" + ("" if candidates == "all" else f" ({candidates})")


def definitions(names: Iterable[str] | None = None) -> dict[str, str]:
    """Name → exact definition, paragraphs between blank lines, the first sentence a summary; None for all metrics."""
    return {name: _definition(METRICS[name]) for name in (METRICS if names is None else names)}


def _definition(metric: Metric) -> str:
    """The docstring up to the description of arguments and result, lines joined within a paragraph."""
    told = (metric.function.__doc__ or "").split("\n\n    Args:")[0].split("\n\n    Returns:")[0]
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in told.split("\n\n"))
