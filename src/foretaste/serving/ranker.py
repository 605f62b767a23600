"""The model of a bundle as the engine asks it: a ranking for one who asks, by likeness to an item, or by popularity."""

from collections.abc import Sequence

import numpy as np

from foretaste.arrays import UNKNOWN, FloatArray
from foretaste.artifacts.bundle import Bundle
from foretaste.artifacts.segments import Segment
from foretaste.models.protocol import Embedder, Proposer, Query
from foretaste.retrieval.inner_product import InnerProduct, unit_rows
from foretaste.serving.audience import Asker, history_row
from foretaste.serving.rankings import ByBest, ByNeighbours, ByScores, ByVector, Ranking, nearest_items
from foretaste.serving.segment_popularity import segment_popularity


class Ranker:
    """Ranks the items of a bundle.

    Raises:
        ArtifactError: this foretaste cannot restore the bundle's model, or the index of the bundle cannot be read.
    """

    def __init__(self, bundle: Bundle) -> None:
        self.model = bundle.model()
        self._num_items = len(bundle.items)
        self._popularity_I = bundle.popularity_I
        self._embedder = self.model if isinstance(self.model, Embedder) else None
        self._proposer = self.model if isinstance(self.model, Proposer) else None
        if self._embedder is not None:
            self._vectors = InnerProduct(self._embedder.item_embeddings_ID)
            self._units = InnerProduct(unit_rows(self._embedder.item_embeddings_ID))
        self._index = nearest_items(bundle)

    def of_asker(self, asker: Asker) -> Ranking:
        """By the model's scores for somebody with a history."""

        def all_scores() -> FloatArray:
            scores_1I = self.model.score(asker.query(self._num_items))
            return np.asarray(scores_1I[0])

        if self._proposer is not None:
            item_C, score_C = self._proposer.best(asker.query(self._num_items))
            return ByBest(item_C, score_C, self._popularity_I, all_scores)
        if self._embedder is None:
            return ByScores(all_scores(), self._popularity_I)
        if asker.user != UNKNOWN:
            user_D = self._embedder.user_embeddings_UD[asker.user]
        else:
            user_D = self._embedder.embed_users(asker.query(self._num_items))[0]
        return ByVector(user_D, self._vectors, self._popularity_I, all_scores)

    def likeness(self, item: int) -> Ranking:
        """By how like items are to one: by the cosine of their vectors where the model has any, else by the scores that
        a user gets who has met that item alone."""
        if self._embedder is None:
            history_1I = history_row(np.array([item], dtype=np.int32), np.ones(1, dtype=np.float32), self._num_items)
            return ByScores(self.model.score(Query.of_history(history_1I))[0], self._popularity_I)
        exact = ByVector(self._units.vector(item), self._units, self._popularity_I)
        if self._index is None:
            return exact
        return ByNeighbours(self._units.vector(item), self._index, exact, self._popularity_I)

    def popularity(self, segments: Sequence[Segment] = ()) -> Ranking:
        """By events in the training data, of users of these segments where there are any."""
        popularity_I = segment_popularity(segments, self._popularity_I) if segments else self._popularity_I
        return ByScores(popularity_I, self._popularity_I)
