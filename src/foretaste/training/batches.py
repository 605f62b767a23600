"""Interactions as tensors on the device: who met what, and the batches that a loss sees."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import torch
from torch import Tensor

from foretaste.data.interactions import Interactions
from foretaste.errors import ModelError

_FILTER_SLOTS_PER_PAIR = 8
"""At least seven of eight pairs that were never met are then recognised by one look-up."""
_FILTER_MULTIPLIER = -7046029254386353131
"""2^64 divided by the golden ratio, odd, as a signed number: Knuth's multiplicative hash."""
_MAX_TABLE_CELLS = 1 << 27
"""Users × items up to which all pairs are laid out, a byte each: 128 MiB."""
_FEW_NEGATIVES = 16
"""Up to here products added up by hand are faster than a batched matrix product, with one negative seven times."""


class Histories:
    """Which items each user has met: exact answers for millions of pairs at a time.

    The pairs are kept as sorted keys `user * num_items + item`. A table of one hash bit a key says no at once for most
    pairs that were never met; only the rest are looked up among the keys, which makes the test four to six times faster
    than the search alone.
    """

    def __init__(self, user_N: Tensor, item_N: Tensor, num_users: int, num_items: int) -> None:
        self.num_users, self.num_items = num_users, num_items
        self.key_N = torch.unique(user_N.long() * num_items + item_N.long())
        firsts = torch.arange(num_users + 1, device=user_N.device) * num_items
        self.start_U1 = torch.searchsorted(self.key_N, firsts)
        """Position of each user's first key, and the number of keys at the end."""
        self._bits = max(_FILTER_SLOTS_PER_PAIR * len(self.key_N) - 1, 1).bit_length()
        self._maybe = torch.zeros(1 << self._bits, dtype=torch.bool, device=user_N.device)
        self._maybe[self._slot(self.key_N)] = True
        self._column_I = torch.full((num_items,), -1, device=user_N.device)

    def _slot(self, key_X: Tensor) -> Tensor:
        # The shift of a negative number drags its sign along; the mask cuts it off.
        return ((key_X * _FILTER_MULTIPLIER) >> (64 - self._bits)) & (len(self._maybe) - 1)

    def lengths(self) -> Tensor:
        """length_U: different items that each user has met."""
        return self.start_U1.diff()

    @cached_property
    def _met_IU(self) -> Tensor:
        """True where a user has met an item."""
        met_IU = torch.zeros(self.num_items, self.num_users, dtype=torch.bool, device=self.key_N.device)
        met_IU[self.key_N % self.num_items, self.key_N // self.num_items] = True
        return met_IU

    def met(self, user_X: Tensor, item_X: Tensor) -> Tensor:
        """The positions x at which `user_X[x]` has met `item_X[x]`, ascending."""
        key_X = user_X * self.num_items + item_X
        maybe_Y = self._maybe[self._slot(key_X)].nonzero()[:, 0]
        key_Y = key_X[maybe_Y]
        found_Y = torch.searchsorted(self.key_N, key_Y).clamp_(max=len(self.key_N) - 1)
        return maybe_Y[self.key_N[found_Y] == key_Y]

    def pairs(self, user_B: Tensor) -> tuple[Tensor, Tensor]:
        """(row_X, item_X): every item that the user of each row has met, row after row."""
        start_B = self.start_U1[user_B]
        length_B = self.start_U1[user_B + 1] - start_B
        row_X = torch.repeat_interleave(length_B)
        offset_B = start_B - (length_B.cumsum(0) - length_B)
        key_X = self.key_N[torch.arange(len(row_X), device=row_X.device) + offset_B[row_X]]
        return row_X, key_X % self.num_items

    def met_mask(self, user_B: Tensor, item_C: Tensor) -> Tensor:
        """met_BC: True where the user of row b has met item c.

        Looks into a table of all pairs where one is small enough, which takes a tenth of the time with users who have
        met hundreds of items; else walks the histories instead of asking for every one of the B × C pairs.
        """
        if self.num_users * self.num_items <= _MAX_TABLE_CELLS:
            return self._met_IU.index_select(0, item_C).index_select(1, user_B).T.contiguous()
        unique_V, inverse_C = torch.unique(item_C, return_inverse=True)
        # One column of each item is filled by the histories. The others, mostly few, are copies of it.
        position_C = torch.arange(len(item_C), device=item_C.device)
        column_V = torch.empty_like(unique_V)
        column_V[inverse_C] = position_C
        column_C = column_V[inverse_C]
        self._column_I[unique_V] = column_V
        row_X, item_X = self.pairs(user_B)
        column_X = self._column_I[item_X]
        self._column_I[unique_V] = -1
        among_X = column_X >= 0
        met_BC = torch.zeros(len(user_B), len(item_C), dtype=torch.bool, device=item_C.device)
        met_BC[row_X[among_X], column_X[among_X]] = True
        copies_Y = (column_C != position_C).nonzero()[:, 0]
        met_BC[:, copies_Y] = met_BC[:, column_C[copies_Y]]
        return met_BC


@dataclass(frozen=True, eq=False)
class InteractionTensors:
    """All positives on the device, in the order of the data."""

    user_N: Tensor
    item_N: Tensor
    weight_N: Tensor | None
    """float32; None where every event counts 1."""
    num_users: int
    num_items: int

    @classmethod
    def of(cls, interactions: Interactions, device: torch.device) -> Self:
        """Copy the events to `device`, indices as int32."""
        weighted = bool((interactions.weight_N != 1.0).any())
        return cls(
            torch.as_tensor(interactions.user_N, device=device),
            torch.as_tensor(interactions.item_N, device=device),
            torch.as_tensor(interactions.weight_N, device=device) if weighted else None,
            interactions.num_users,
            interactions.num_items,
        )

    def __len__(self) -> int:
        return len(self.user_N)


@dataclass(frozen=True, eq=False)
class Batch:
    """B positives and their negatives, which no user of theirs has met.

    A sampler gives the negatives in one of two forms. Own negatives: `negative_BS`, S items for each row. Shared ones:
    `candidate_C`, items for all rows, and `is_negative_VC`, True where the user may use the item. Rows of one user then
    have the same negatives, which are scored once for each of the V users.
    """

    user_B: Tensor
    positive_B: Tensor
    negative_BS: Tensor | None = None
    candidate_C: Tensor | None = None
    is_negative_VC: Tensor | None = None
    user_V: Tensor | None = None
    """For shared negatives: the different users of the batch."""
    place_B: Tensor | None = None
    """For shared negatives: where in `user_V` the user of each row is."""
    log_q_I: Tensor | None = None
    """Log probability with which the sampler draws each item, before rejection; None where it has no closed form."""

    def __len__(self) -> int:
        return len(self.user_B)

    @property
    def users(self) -> Tensor:
        """The users to encode: `user_V`, or `user_B` where each row has its own negatives."""
        return self.user_B if self.user_V is None else self.user_V

    @property
    def negatives(self) -> Tensor:
        """The items to encode: `negative_BS`, or `candidate_C` where they are shared."""
        items = self.candidate_C if self.negative_BS is None else self.negative_BS
        assert items is not None
        return items

    def of_rows(self, value_V: Tensor) -> Tensor:
        """What belongs to `users`, for each row."""
        return value_V if self.place_B is None else value_V[self.place_B]

    def log_q(self) -> tuple[Tensor, Tensor]:
        """(positive_B, negatives): log probabilities of `positive_B` and of `negatives`, in the shapes of both.

        Raises:
            ModelError: the sampler's probabilities are not known, as with hard negatives.
        """
        if self.log_q_I is None:
            raise ModelError(
                "a logQ correction needs the probability of each negative, and that of hard negatives depends on the "
                "model; use sampler kind uniform, popularity or in_batch, or leave the correction out."
            )
        return self.log_q_I[self.positive_B], self.log_q_I[self.negatives]

    def log_expected_draws(self) -> Tensor:
        """How often each of `negatives` was to be expected among the draws of a row, as a log, in their shape.

        Each draw divided by that, a sum over the negatives estimates the sum over all items: importance sampling, as in
        Bengio and Senécal, Quick training of probabilistic neural nets by importance sampling, AISTATS 2003.

        Raises:
            ModelError: as for `log_q`.
        """
        return self.log_q()[1] + math.log(self.negatives.shape[-1])


def dot_scores(
    user_VD: Tensor, positive_BD: Tensor, negatives_D: Tensor, place_B: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """(positive_B, negative_VS): dot products of each row's user with its positive, of each user with its negatives.

    Args:
        user_VD: vectors of the users.
        positive_BD: vector of each row's positive.
        negatives_D: vectors of `batch.negatives`, V × S × D of its own for each user or C × D shared; then S is C.
        place_B: where in `user_VD` the user of each row is; None where each row has its own.
    """
    user_BD = user_VD if place_B is None else user_VD[place_B]
    positive_B = (user_BD * positive_BD).sum(-1)
    if negatives_D.dim() == 2:
        return positive_B, user_VD @ negatives_D.T
    if negatives_D.shape[1] <= _FEW_NEGATIVES:
        return positive_B, (negatives_D * user_VD[:, None]).sum(-1)
    return positive_B, torch.matmul(negatives_D, user_VD[:, :, None])[:, :, 0]
