"""Negatives: items to tell the positives apart from, and never an item of the user's own history.

A draw that the user has met is drawn again, so that what is accepted follows the sampler's distribution over the items
that the user has not met. Users for whom that takes too long get an exact draw from those items alone.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor

from foretaste.data.interactions import Interactions
from foretaste.errors import ModelError
from foretaste.training.batches import Batch, Histories, InteractionTensors
from foretaste.training.config import SamplerConfig

Score = Callable[[Tensor, Tensor], Tensor]
"""(user_B, item_BS) → scores_BS: what the model now thinks of S items for each user."""

_MAX_REDRAWS = 8
"""Redraws before the exact draw. A user who has met half the items gets that far once in 500 draws."""
_MAX_EXACT_CELLS = 1 << 24
"""Users × items whose probabilities are laid out at a time in the exact draw: 128 MiB of float64."""


class Proposal:
    """Draws items in proportion to fixed weights."""

    def __init__(self, weight_I: Tensor) -> None:
        self.weight_I = weight_I.double()
        self._uniform = bool((weight_I == weight_I[0]).all())
        self._cumulative_I = self.weight_I.cumsum(0)

    @property
    def log_q_I(self) -> Tensor:
        """Log probability of each item, float32; -inf for one that is never drawn."""
        return (self.weight_I.log() - self._cumulative_I[-1].log()).float()

    def draw(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """Independent items, int64."""
        device = self.weight_I.device
        if self._uniform:
            return torch.randint(len(self.weight_I), shape, generator=generator, device=device)
        point = torch.rand(shape, generator=generator, device=device, dtype=torch.float64) * self._cumulative_I[-1]
        return torch.searchsorted(self._cumulative_I, point, right=True)

    def draw_unmet(self, user_X: Tensor, histories: Histories, generator: torch.Generator) -> Tensor:
        """item_X: one item for each user that it has not met."""
        item_X = self.draw((len(user_X),), generator)
        rejected_Y = histories.met(user_X, item_X)
        for _ in range(_MAX_REDRAWS):
            if not len(rejected_Y):
                return item_X
            user_Y, item_Y = user_X[rejected_Y], self.draw((len(rejected_Y),), generator)
            item_X[rejected_Y] = item_Y
            rejected_Y = rejected_Y[histories.met(user_Y, item_Y)]
        if len(rejected_Y):
            item_X[rejected_Y] = self._draw_from_the_rest(user_X[rejected_Y], histories, generator)
        return item_X

    def _draw_from_the_rest(self, user_Y: Tensor, histories: Histories, generator: torch.Generator) -> Tensor:
        drawn: list[Tensor] = []
        for user_R in torch.split(user_Y, max(1, _MAX_EXACT_CELLS // len(self.weight_I))):
            weight_RI = self.weight_I.repeat(len(user_R), 1)
            weight_RI[histories.pairs(user_R)] = 0.0
            cumulative_RI = weight_RI.cumsum_(1)
            point_R1 = torch.rand((len(user_R), 1), generator=generator, device=user_R.device, dtype=torch.float64)
            point_R1 *= cumulative_RI[:, -1:]
            drawn.append(torch.searchsorted(cumulative_RI, point_R1, right=True)[:, 0])
        return torch.cat(drawn)


class Sampler(ABC):
    """Makes batches out of positives. All that it remembers between two batches is its generator."""

    def __init__(self, histories: Histories, generator: torch.Generator) -> None:
        self.histories = histories
        self.generator = generator

    @abstractmethod
    def draw(self, user_G: Tensor, positive_G: Tensor, rows: slice) -> Batch:
        """The batch of `rows` out of the G positives of this step.

        Every process draws for all G rows from an equally seeded generator and keeps its own, so that N processes see
        the very negatives that one would.
        """


class _Proposed(Sampler):
    """A sampler whose negatives come from a fixed distribution."""

    def __init__(
        self, histories: Histories, generator: torch.Generator, proposal: Proposal, num_negatives: int
    ) -> None:
        super().__init__(histories, generator)
        self.proposal = proposal
        self.num_negatives = num_negatives
        self._log_q_I = proposal.log_q_I


class OwnNegatives(_Proposed):
    """S negatives for each row, none of which another row sees."""

    def draw(self, user_G: Tensor, positive_G: Tensor, rows: slice) -> Batch:
        """A batch with `negative_BS`."""
        negative_X = self.proposal.draw_unmet(
            user_G.repeat_interleave(self.num_negatives), self.histories, self.generator
        )
        negative_BS = negative_X.view(len(user_G), self.num_negatives)[rows]
        return Batch(user_G[rows], positive_G[rows], negative_BS=negative_BS, log_q_I=self._log_q_I)


class HardNegatives(Sampler):
    """S negatives for each row, each the best scored of `num_candidates` draws.

    Dynamic negative sampling: Zhang et al., Optimizing top-n collaborative filtering via dynamic negative item
    sampling, SIGIR 2013.
    """

    def __init__(self, drawn: OwnNegatives, num_candidates: int, score: Score) -> None:
        super().__init__(drawn.histories, drawn.generator)
        assert drawn.num_negatives % num_candidates == 0
        self._drawn = drawn
        self._num_candidates = num_candidates
        self._score = score

    def draw(self, user_G: Tensor, positive_G: Tensor, rows: slice) -> Batch:
        """A batch with `negative_BS`, chosen by the model as it is now."""
        easy = self._drawn.draw(user_G, positive_G, rows)
        with torch.no_grad():
            scores_BM = self._score(easy.user_B, easy.negatives)
        # All three lengths are told: a process may have no row of a small last batch, and -1 then means nothing.
        shape = (len(easy), self._drawn.num_negatives // self._num_candidates, self._num_candidates)
        best_BS1 = scores_BM.view(shape).argmax(2, keepdim=True)
        negative_BS = easy.negatives.view(shape).gather(2, best_BS1)[:, :, 0]
        return Batch(easy.user_B, easy.positive_B, negative_BS=negative_BS)


class SharedNegatives(_Proposed):
    """C items drawn once a batch for all its rows; each row passes over those that its user has met."""

    def draw(self, user_G: Tensor, positive_G: Tensor, rows: slice) -> Batch:
        """A batch with `candidate_C`."""
        candidate_C = self.proposal.draw((self.num_negatives,), self.generator)
        return _shared(user_G[rows], positive_G[rows], candidate_C, self.histories, self._log_q_I)


class InBatchNegatives(Sampler):
    """The positives of all rows of the step are the candidates of each.

    An item comes up as often as its events, which `log_q_I` says and the softmax loss corrects: Yi et al.,
    Sampling-bias-corrected neural modeling for large corpus item recommendations, RecSys 2019.
    """

    def __init__(self, histories: Histories, generator: torch.Generator, count_I: Tensor) -> None:
        super().__init__(histories, generator)
        self._log_q_I = Proposal(count_I).log_q_I

    def draw(self, user_G: Tensor, positive_G: Tensor, rows: slice) -> Batch:
        """A batch with `candidate_C` = `positive_G`."""
        return _shared(user_G[rows], positive_G[rows], positive_G, self.histories, self._log_q_I)


def _shared(user_B: Tensor, positive_B: Tensor, candidate_C: Tensor, histories: Histories, log_q_I: Tensor) -> Batch:
    user_V, place_B = torch.unique(user_B, return_inverse=True)
    return Batch(
        user_B,
        positive_B,
        candidate_C=candidate_C,
        is_negative_VC=~histories.met_mask(user_V, candidate_C),
        user_V=user_V,
        place_B=place_B,
        log_q_I=log_q_I,
    )


def build_sampler(
    config: SamplerConfig,
    interactions: Interactions,
    positives: InteractionTensors,
    generator: torch.Generator,
    score: Score | None = None,
) -> Sampler:
    """The sampler that `config` names, over the histories of `interactions`.

    Args:
        config: which sampler.
        interactions: the training events; they name a user in an error.
        positives: the same events on the device.
        generator: on the same device.
        score: what the model thinks of given items; needed by kind `hard`.

    Raises:
        ModelError: a user has met every item that could be drawn, or `hard` has no `score`.
    """
    histories = Histories(positives.user_N, positives.item_N, positives.num_users, positives.num_items)
    count_I = torch.bincount(positives.item_N, minlength=positives.num_items)
    if config.kind == "in_batch":
        return InBatchNegatives(histories, generator, count_I)
    exponent = config.popularity_exponent if config.kind == "popularity" else 0.0
    proposal = Proposal(count_I.double().pow(exponent))
    if config.shared:
        return SharedNegatives(histories, generator, proposal, config.num_negatives)
    _refuse_users_without_negatives(histories, int((proposal.weight_I > 0).sum()), interactions)
    if config.kind != "hard":
        return OwnNegatives(histories, generator, proposal, config.num_negatives)
    if score is None:
        raise ModelError("sampler kind 'hard' ranks its draws by the model, and this model gives no scores to rank by.")
    drawn = OwnNegatives(histories, generator, proposal, config.num_negatives * config.num_candidates)
    return HardNegatives(drawn, config.num_candidates, score)


def _refuse_users_without_negatives(histories: Histories, num_drawable: int, interactions: Interactions) -> None:
    # Every item of a history has events, so that it has weight under any exponent: counting is exact.
    full_X = (histories.lengths() >= num_drawable).nonzero()[:, 0]
    if len(full_X):
        raise ModelError(
            f"{len(full_X):,} of {interactions.num_users:,} users have met all {num_drawable:,} items that can be "
            f"drawn, such as user {interactions.users.id(int(full_X[0]))}: no negative exists for them. Drop these "
            f"users, or use sampler kind in_batch, which passes over rows without a negative."
        )
