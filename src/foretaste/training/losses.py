"""What a model is punished for: pure functions, one loss for each row.

The first arguments are those of every loss over negatives: `positive_B`, the score of each row's positive;
`negative_BS`, the scores of its S negatives; and `is_negative_BS`, False for a shared negative that the row must pass
over (None where all count). A row without any negative left loses nothing by negatives.
"""

import torch
from torch import Tensor
from torch.nn import functional


def bpr_loss(positive_B: Tensor, negative_BS: Tensor, is_negative_BS: Tensor | None = None) -> Tensor:
    """loss_B = mean over s of -log σ(positive - negative).

    Rendle et al., BPR: Bayesian personalized ranking from implicit feedback, UAI 2009.
    """
    return _mean_over_negatives(-functional.logsigmoid(positive_B[:, None] - negative_BS), is_negative_BS)


def bce_loss(positive_B: Tensor, negative_BS: Tensor, is_negative_BS: Tensor | None = None) -> Tensor:
    """loss_B: binary cross-entropy of the 1 + S examples of a row, their mean; the scores are logits.

    He et al., Neural collaborative filtering, WWW 2017.
    """
    positive_loss_B, negative_loss_BS = functional.softplus(-positive_B), functional.softplus(negative_BS)
    if is_negative_BS is None:
        return (positive_loss_B + negative_loss_BS.sum(1)) / (1 + negative_BS.shape[1])
    return (positive_loss_B + (negative_loss_BS * is_negative_BS).sum(1)) / (1 + is_negative_BS.sum(1))


def sampled_softmax_loss(
    positive_B: Tensor,
    negative_BS: Tensor,
    is_negative_BS: Tensor | None = None,
    *,
    temperature: float = 1.0,
    log_q: tuple[Tensor, Tensor] | None = None,
) -> Tensor:
    """loss_B = -log of the positive's share in the softmax over itself and its negatives.

    Args:
        positive_B: scores.
        negative_BS: scores.
        is_negative_BS: as for every loss.
        temperature: divides the scores, > 0.
        log_q: `batch.log_q()`. Subtracted from the logits, it corrects for items that are drawn more often than others
            (Yi et al., Sampling-bias-corrected neural modeling, RecSys 2019; Bengio and Senécal 2003).
    """
    positive_B, negative_BS = positive_B / temperature, negative_BS / temperature
    if log_q is not None:
        positive_B, negative_BS = positive_B - log_q[0], negative_BS - log_q[1]
    if is_negative_BS is not None:
        negative_BS = negative_BS.masked_fill(~is_negative_BS, -torch.inf)
    # -log(e^p / (e^p + Σ e^n)) = log(1 + e^(log Σ e^n - p)), which needs no copy of the scores and loses no digits.
    return functional.softplus(negative_BS.logsumexp(1) - positive_B)


def cosine_contrastive_loss(
    positive_B: Tensor,
    negative_BS: Tensor,
    is_negative_BS: Tensor | None = None,
    *,
    margin: float,
    negative_weight: float,
) -> Tensor:
    """loss_B = 1 - positive + negative_weight · mean over s of max(0, negative - margin); the scores are cosines.

    Mao et al., SimpleX: a simple and strong baseline for collaborative filtering, CIKM 2021.
    """
    return (
        1 - positive_B + negative_weight * _mean_over_negatives(functional.relu(negative_BS - margin), is_negative_BS)
    )


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


def _mean_over_negatives(loss_BS: Tensor, is_negative_BS: Tensor | None) -> Tensor:
    if is_negative_BS is None:
        return loss_BS.mean(1)
    return (loss_BS * is_negative_BS).sum(1) / is_negative_BS.sum(1).clamp(min=1)
