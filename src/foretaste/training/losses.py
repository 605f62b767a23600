"""What a model is punished for: pure functions, one loss for each row.

The first arguments are those of every loss over negatives: `positive_B`, the score of each row's positive;
`negative_VS`, the scores of S negatives for each user; `is_negative_VS`, False for a shared negative that the user must
pass over (None where all count); and `place_B`, which row of those two each positive goes with (None where it is its
own, and V is B). A row without any negative left loses nothing by negatives.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

_CELLS_AT_A_TIME = 1 << 18
"""Scores that a loss works on at a time: 1 MiB of float32, which fits the second-level cache."""


def bpr_loss(
    positive_B: Tensor, negative_VS: Tensor, is_negative_VS: Tensor | None = None, place_B: Tensor | None = None
) -> Tensor:
    """loss_B = mean over s of -log σ(positive - negative).

    Rendle et al., BPR: Bayesian personalized ranking from implicit feedback, UAI 2009.
    """
    negative_BS = _of_rows(negative_VS, place_B)
    is_negative_BS = None if is_negative_VS is None else _of_rows(is_negative_VS, place_B)
    return _mean_over_negatives(-functional.logsigmoid(positive_B[:, None] - negative_BS), is_negative_BS)


def bce_loss(
    positive_B: Tensor, negative_VS: Tensor, is_negative_VS: Tensor | None = None, place_B: Tensor | None = None
) -> Tensor:
    """loss_B: binary cross-entropy of the 1 + S examples of a row, their mean; the scores are logits.

    He et al., Neural collaborative filtering, WWW 2017.
    """
    positive_loss_B, negative_loss_VS = functional.softplus(-positive_B), functional.softplus(negative_VS)
    if is_negative_VS is None:
        return (positive_loss_B + _of_rows(negative_loss_VS.sum(1), place_B)) / (1 + negative_VS.shape[1])
    negative_loss_V, count_V = (negative_loss_VS * is_negative_VS).sum(1), is_negative_VS.sum(1)
    return (positive_loss_B + _of_rows(negative_loss_V, place_B)) / (1 + _of_rows(count_V, place_B))


def sampled_softmax_loss(
    positive_B: Tensor,
    negative_VS: Tensor,
    is_negative_VS: Tensor | None = None,
    place_B: Tensor | None = None,
    *,
    temperature: float = 1.0,
    log_q: tuple[Tensor, Tensor] | None = None,
) -> Tensor:
    """loss_B = -log of the positive's share in the softmax over itself and its negatives.

    Args:
        positive_B: scores.
        negative_VS: scores.
        is_negative_VS: as for every loss.
        place_B: as for every loss.
        temperature: divides the scores, > 0.
        log_q: `batch.log_q()`. Subtracted from the logits, it corrects for items that are drawn more often than others
            (Yi et al., Sampling-bias-corrected neural modeling, RecSys 2019; Bengio and Senécal 2003). With 0 for the
            positive and `batch.log_expected_draws()` the loss estimates that of the softmax over all items.
    """
    positive_B = positive_B / temperature
    if log_q is not None:
        positive_B = positive_B - log_q[0]
    # Products of vectors come in bfloat16 from a GPU; sums of their exponentials need more digits.
    negative_VS = negative_VS.to(torch.promote_types(negative_VS.dtype, torch.float32))
    offset_S = log_q[1] if log_q else None
    together_V: Tensor = _LogSumExp.apply(negative_VS, is_negative_VS, 1 / temperature, offset_S)  # type: ignore[no-untyped-call]
    # -log(e^p / (e^p + Σ e^n)) = log(1 + e^(log Σ e^n - p)), which needs no copy of the scores and loses no digits.
    return functional.softplus(_of_rows(together_V, place_B) - positive_B)


class _LogSumExp(torch.autograd.Function):
    """sum_V = log Σ_s exp(scale · score_VS - offset_S), over what the mask lets through.

    Its gradient is the softmax of the row, which is made here, in place, some rows at a time while they are in the
    cache. With a thousand shared negatives the loss is then a third of the cost of the scores; composed of single
    operations it takes twice as long as they do.
    """

    @staticmethod
    def forward(ctx: Any, score_VS: Tensor, mask_VS: Tensor | None, scale: float, offset_S: Tensor | None) -> Tensor:
        share_VS, sum_V = torch.empty_like(score_VS), score_VS.new_empty(len(score_VS))
        size = max(1, _CELLS_AT_A_TIME // max(score_VS.shape[1], 1))
        for start in range(0, len(score_VS), size):
            rows = slice(start, start + size)
            share_RS = torch.mul(score_VS[rows], scale, out=share_VS[rows])
            if offset_S is not None:
                share_RS.sub_(offset_S if offset_S.dim() == 1 else offset_S[rows])
            if mask_VS is not None:
                share_RS.masked_fill_(~mask_VS[rows], -torch.inf)
            # A row without any negative has no largest one; 0 keeps its shares at 0.
            largest_R1 = share_RS.amax(1, keepdim=True).nan_to_num_(neginf=0.0)
            total_R1 = share_RS.sub_(largest_R1).exp_().sum(1, keepdim=True)
            sum_V[rows] = (total_R1.log() + largest_R1)[:, 0]
            # The largest score alone makes a total of 1: less than that is a row without any.
            share_RS.mul_(scale / total_R1.clamp_(min=1.0))
        ctx.save_for_backward(share_VS)
        return sum_V

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_V: Tensor) -> tuple[Tensor, None, None, None]:
        (share_VS,) = ctx.saved_tensors
        # In place: memory for a second matrix of this size costs more than the product. PyTorch refuses a second use.
        return share_VS.mul_(grad_V[:, None]), None, None, None


def cosine_contrastive_loss(
    positive_B: Tensor,
    negative_VS: Tensor,
    is_negative_VS: Tensor | None = None,
    place_B: Tensor | None = None,
    *,
    margin: float,
    negative_weight: float,
) -> Tensor:
    """loss_B = 1 - positive + negative_weight · mean over s of max(0, negative - margin); the scores are cosines.

    Mao et al., SimpleX: a simple and strong baseline for collaborative filtering, CIKM 2021.
    """
    negative_loss_V = _mean_over_negatives(functional.relu(negative_VS - margin), is_negative_VS)
    return 1 - positive_B + negative_weight * _of_rows(negative_loss_V, place_B)


def mimic_loss(augmented_BD: Tensor, target_BD: Tensor) -> Tensor:
    """loss_B = |augmented - target|²; the target learns nothing from it.

    For positive pairs, the augmented vector of a user with the item tower's output, and the reverse: Yu et al., A dual
    augmented two-tower model for online large-scale recommendation, DLP-KDD 2021.
    """
    return (augmented_BD - target_BD.detach()).square().sum(1)


def category_alignment_loss(vector_BD: Tensor, category_B: Tensor) -> Tensor:
    """Sum over categories of |C(major) - C(category)|², C the covariance of the category's vectors, major the largest.

    Yu et al. 2021. A scalar; of two largest categories the first is the major one. A category with fewer
    than two rows has no covariance and is passed over.

    Args:
        vector_BD: outputs of the item tower.
        category_B: index of each row's category, -1 where it has none.
    """
    known_B = category_B >= 0
    vector_BD, category_B = vector_BD[known_B], category_B[known_B]
    order_B = category_B.argsort(stable=True)
    sizes = torch.bincount(category_B).tolist()
    parts = [part_XD for part_XD in torch.split(vector_BD[order_B], sizes) if len(part_XD) > 1]
    if len(parts) < 2:
        return vector_BD.sum() * 0.0
    covariance_GDD = torch.stack([_covariance(part_XD) for part_XD in parts])
    major = max(range(len(parts)), key=lambda g: len(parts[g]))
    return (covariance_GDD - covariance_GDD[major]).square().sum()


def _covariance(vector_XD: Tensor) -> Tensor:
    centred_XD = vector_XD - vector_XD.mean(0)
    return centred_XD.T @ centred_XD / (len(vector_XD) - 1)


def _of_rows(value_V: Tensor, place_B: Tensor | None) -> Tensor:
    return value_V if place_B is None else value_V[place_B]


def _mean_over_negatives(loss_VS: Tensor, is_negative_VS: Tensor | None) -> Tensor:
    if is_negative_VS is None:
        return loss_VS.mean(1)
    return (loss_VS * is_negative_VS).sum(1) / is_negative_VS.sum(1).clamp(min=1)
