"""What every model is: fit, score, and a state that can be written down."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
import numpy.typing as npt
from scipy import sparse

from foretaste.arrays import UNKNOWN, BoolArray, FloatArray, IntArray
from foretaste.data.interactions import Dataset, Interactions
from foretaste.data.vocabulary import Vocabulary
from foretaste.settings import Settings

State = dict[str, npt.NDArray[Any]]
"""Named arrays; all that a fitted model needs beside its config."""

Progress = Callable[[int, int, dict[str, float]], None]
"""Called with (steps done, steps in all, figures of the step)."""


EpochReport = Callable[[int, dict[str, float]], None]
"""Called with (epoch, counted from 1, and its figures)."""


def no_progress(done: int, total: int, figures: dict[str, float]) -> None:
    """Report nothing."""


def no_epoch(epoch: int, figures: dict[str, float]) -> None:
    """Report nothing."""


@dataclass(frozen=True, eq=False)
class WarmStart:
    """What an earlier model of the same kind has learnt, for a training to begin from (`warm_start.py`)."""

    source: str
    """Who it was: the id of its bundle."""
    model: str
    """Its name in the registry."""
    config: dict[str, Any]
    """Its resolved hyperparameters."""
    state: State
    users: Vocabulary
    """Whose rows its tables of users have."""
    items: Vocabulary
    """Whose rows its tables of items have."""


@dataclass(frozen=True)
class FitContext:
    """What a training may know beside the data."""

    seed: int = 0
    valid: Interactions | None = None
    """Held-out events for early stopping; None to train as long as the config says."""
    progress: Progress = no_progress
    checkpoint_dir: Path | None = None
    """Folder in which a training by gradient leaves a checkpoint, so that it can be continued; None for none."""
    resume: bool = False
    """Continue from the checkpoint in `checkpoint_dir`, where there is one."""
    on_epoch: EpochReport = no_epoch
    """Told of each epoch of a training by gradient: `loss`, `samples_per_second`, `learning_rate`, `seconds`, and
    `ndcg@10` and `recall@10` on `valid` where those were measured."""
    warm_start: WarmStart | None = None
    """An earlier model to begin from; None begins cold. A model that has nothing to go on from takes no notice."""


@dataclass(frozen=True, eq=False)
class Query:
    """What is known of B users when they ask."""

    user_B: IntArray
    """Index of each user, -1 for one whom the training never saw."""
    history_BI: sparse.csr_array
    """Weights of the items each user has met, float32, indices sorted within a row."""

    def __len__(self) -> int:
        return len(self.user_B)

    @classmethod
    def of_history(cls, history_BI: sparse.csr_array) -> Self:
        """Users known by their history alone."""
        return cls(np.full(history_BI.shape[0], UNKNOWN, dtype=np.int32), history_BI)

    @property
    def is_cold_B(self) -> BoolArray:
        """True for a user with an empty history: nothing personal can be said."""
        return np.asarray(np.diff(self.history_BI.indptr) == 0)


@dataclass(frozen=True, eq=False)
class TopK:
    """The best K items of each of B queries, best first."""

    item_BK: IntArray
    """Item indices; -1 marks an empty slot, and those are last."""
    score_BK: FloatArray
    """Scores of the items; -inf in an empty slot."""


class Scorer(Protocol):
    """What can be judged: it gives every item a score for every user who asks."""

    def score(self, query: Query) -> FloatArray:
        """scores_BI, higher is better; -inf for an item that it cannot show."""
        ...


class Recommender(Scorer, Protocol):
    """A model. Its constructor takes its config; all it learns is in `state()`."""

    @property
    def config(self) -> Settings:
        """The hyperparameters, units included."""
        ...

    def fit(self, dataset: Dataset, context: FitContext) -> Self:
        """Learn from the dataset's interactions. The same dataset, config and seed give the same state."""
        ...

    def score(self, query: Query) -> FloatArray:
        """scores_BI, higher is better; a row does not depend on the other rows of the batch.

        A row of an empty history and an unknown user is finite, and says nothing personal.
        """
        ...

    def state(self) -> State:
        """Arrays from which `load_state` makes an equal model."""
        ...

    def load_state(self, state: State) -> Self:
        """Take over a state; scores are then equal, bit for bit, to those of the model that gave it."""
        ...


@runtime_checkable
class Embedder(Recommender, Protocol):
    """A Recommender whose score is `embed_users(query) @ item_embeddings_ID.T`, so that it can be indexed."""

    @property
    def user_embeddings_UD(self) -> FloatArray:
        """One vector a user of the training: what `embed_users` returns for these."""
        ...

    @property
    def item_embeddings_ID(self) -> FloatArray:
        """One vector an item."""
        ...

    def embed_users(self, query: Query) -> FloatArray:
        """vectors_BD: the stored vector of a known user, a folded-in one for a user known by history only."""
        ...


@runtime_checkable
class Proposer(Recommender, Protocol):
    """A Recommender that knows of one user's best items what `score` says of all."""

    def best(self, query: Query) -> tuple[IntArray, FloatArray]:
        """item_C and score_C of some items of one user; `score` gives them these scores, and less to all others."""
        ...


@runtime_checkable
class StopsEarly(Recommender, Protocol):
    """A Recommender whose length of training may be found on held-out events."""

    def refit_config(self) -> Settings:
        """The config that trains once more, on other events, as long as served this model best."""
        ...
