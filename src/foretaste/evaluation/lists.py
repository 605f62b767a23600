"""Every metric of top-k lists, all cut-offs from the same lists."""

from collections.abc import Iterable

import numpy as np
from scipy import sparse

from foretaste.arrays import DoubleArray
from foretaste.evaluation import beyond_accuracy, genres
from foretaste.evaluation.metrics import HIT_METRICS, METRICS
from foretaste.models.hits import hits
from foretaste.models.protocol import TopK


class Lists:
    """What is known beside the lists: who has met what, and what the items are."""

    def __init__(
        self,
        metrics: Iterable[str],
        cutoffs: Iterable[int],
        history_UI: sparse.csr_array,
        genres_IG: sparse.csr_array | None,
    ) -> None:
        has_genres = genres_IG is not None and genres_IG.nnz > 0
        self.cutoffs = tuple(cutoffs)
        self.names = [name for name in metrics if has_genres or not METRICS[name].needs_genres]
        self.omitted = {name: "the data has no genres" for name in metrics if name not in self.names}
        self.history_length_U = np.diff(history_UI.indptr)
        self.num_users_I = np.bincount(history_UI.indices, minlength=history_UI.shape[1])
        """Users who have met each item."""
        self._num_users = int(np.count_nonzero(self.history_length_U))
        self._rank_I = beyond_accuracy.popularity_rank(self.num_users_I)
        self._genres_IG = genres_IG
        self._shares_IG = genres.genre_shares(genres_IG) if has_genres else None

    def values(
        self,
        top: TopK,
        relevant_BI: sparse.csr_array,
        history_BI: sparse.csr_array,
        exclude_BI: sparse.csr_array | None,
        candidate_BI: sparse.csr_array | None,
    ) -> dict[str, DoubleArray]:
        """Metric, as in `ndcg@10`, → a value for each query.

        Args:
            top: lists at least as long as the largest cut-off.
            relevant_BI: what should be in them, at least one item a row.
            history_BI: what each user has met.
            exclude_BI: items that were not ranked.
            candidate_BI: the only items that were ranked; None for all.
        """
        item_BK, hit_BK, num_relevant_B = top.item_BK, hits(top.item_BK, relevant_BI), np.diff(relevant_BI.indptr)
        found: dict[str, DoubleArray] = {}
        value_XB: Iterable[DoubleArray]
        for name in self.names:
            match name:
                case "novelty":
                    value_XB = beyond_accuracy.novelty(item_BK, self.cutoffs, self.num_users_I, self._num_users)
                case "popularity_lift":
                    value_XB = beyond_accuracy.popularity_lift(item_BK, self.cutoffs, history_BI, self.num_users_I)
                case "serendipity":
                    value_XB = beyond_accuracy.serendipity(
                        item_BK, self.cutoffs, hit_BK, self._rank_I, exclude_BI, candidate_BI
                    )
                case "diversity":
                    value_XB = genres.diversity(item_BK, self.cutoffs, self._genres_IG)
                case "calibration":
                    taste_BG = genres.tastes(history_BI, self._shares_IG)
                    value_XB = genres.calibration(item_BK, self.cutoffs, taste_BG, self._shares_IG)
                case _ if name in HIT_METRICS:
                    value_XB = [HIT_METRICS[name](hit_BK[:, :cutoff], num_relevant_B) for cutoff in self.cutoffs]
                case _:
                    continue
            found |= {f"{name}@{cutoff}": value_B for cutoff, value_B in zip(self.cutoffs, value_XB, strict=True)}
        return found

    def catalogue(self, top: TopK) -> dict[str, float]:
        """Metric of all lists together, as in `coverage@10`, → its figure."""
        return {
            f"{name}@{cutoff}": METRICS[name].function(top.item_BK[:, :cutoff], len(self.num_users_I))
            for cutoff in self.cutoffs
            for name in self.names
            if METRICS[name].kind == "catalogue"
        }
