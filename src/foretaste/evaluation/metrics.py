"""The metrics by name."""

from collections.abc import Callable

from foretaste.arrays import DoubleArray
from foretaste.models.hits import Counts, Hits, average_precision, hit_rate, mrr, ndcg, precision, recall

Metric = Callable[[Hits, Counts], DoubleArray]

METRICS: dict[str, Metric] = {
    "ndcg": ndcg,
    "recall": recall,
    "precision": precision,
    "map": average_precision,
    "mrr": mrr,
    "hit_rate": hit_rate,
}
"""Name, as in `ndcg@10`, → function."""
