"""What the towers are trained for: positives above negatives, and augmented vectors that mimic the other tower.

Yi et al., "Sampling-Bias-Corrected Neural Modeling for Large Corpus Item Recommendations", RecSys 2019; Yu et al., "A
Dual Augmented Two-tower Model for Online Large-scale Recommendation", DLP-KDD 2021.
"""

import torch
from torch import Tensor

from foretaste.models.two_tower.config import TwoTowerConfig
from foretaste.models.two_tower.towers import Placed, TwoTowers
from foretaste.training.batches import Batch, dot_scores
from foretaste.training.losses import (
    bce_loss,
    bpr_loss,
    category_alignment_loss,
    cosine_contrastive_loss,
    mimic_loss,
    sampled_softmax_loss,
)


class Objective:
    """The loss of a batch. Users and items that turn up more than once in it are placed once."""

    def __init__(self, towers: TwoTowers, config: TwoTowerConfig, category_I: Tensor) -> None:
        self.towers = towers
        self.config = config
        self.category_I = category_I
        """Index of each item's category, -1 where it has none."""

    def loss(self, batch: Batch) -> Tensor:
        """loss_B."""
        negatives = batch.negatives
        user_V, user_row_B = torch.unique(batch.user_B, return_inverse=True)
        asked_X = torch.cat([batch.positive_B, negatives.flatten()])
        item_W, item_row_X = torch.unique(asked_X, return_inverse=True)
        users, items = self.towers.user(user_V), self.towers.item(item_W)
        positive_row_B, negative_rows = item_row_X[: len(batch)], item_row_X[len(batch) :].view(negatives.shape)
        loss_B = self._ranking_loss(
            batch,
            *dot_scores(
                # Shared negatives are scored once for each user, which are these; own ones once for each row.
                users.vector_BD if batch.place_B is not None else users.vector_BD[user_row_B],
                items.vector_BD[positive_row_B],
                items.vector_BD[negative_rows],
                batch.place_B,
            ),
        )
        if self.config.augmentation is not None:
            loss_B = loss_B + self._mimic_loss(users, items, user_row_B, positive_row_B)
            positive_W = torch.unique(positive_row_B)
            loss_B = loss_B + self.config.augmentation.alignment_weight * category_alignment_loss(
                items.vector_BD[positive_W], self.category_I[item_W[positive_W]]
            )
        return loss_B

    def score(self, user_B: Tensor, item_BS: Tensor) -> Tensor:
        """scores_BS of given items, from which hard negatives are taken."""
        user_V, user_row_B = torch.unique(user_B, return_inverse=True)
        item_W, item_row_BS = torch.unique(item_BS, return_inverse=True)
        scores_VW = self.towers.user(user_V).vector_BD @ self.towers.item(item_W).vector_BD.T
        scores_BS: Tensor = scores_VW[user_row_B[:, None], item_row_BS]
        return scores_BS

    def _ranking_loss(self, batch: Batch, positive_B: Tensor, negative_VS: Tensor) -> Tensor:
        config, which = self.config, (batch.is_negative_VC, batch.place_B)
        if config.loss == "ccl":
            return cosine_contrastive_loss(
                positive_B, negative_VS, *which, margin=config.margin, negative_weight=config.negative_weight
            )
        if config.loss == "softmax":
            log_q = batch.log_q() if config.log_q else None
            return sampled_softmax_loss(positive_B, negative_VS, *which, temperature=config.temperature, log_q=log_q)
        loss = bce_loss if config.loss == "bce" else bpr_loss
        return loss(positive_B / config.temperature, negative_VS / config.temperature, *which)

    def _mimic_loss(self, users: Placed, items: Placed, user_row_B: Tensor, item_row_B: Tensor) -> Tensor:
        assert self.config.augmentation is not None
        assert users.augmented_BD is not None and items.augmented_BD is not None
        of_users_B = mimic_loss(users.augmented_BD[user_row_B], items.vector_BD[item_row_B])
        of_items_B = mimic_loss(items.augmented_BD[item_row_B], users.vector_BD[user_row_B])
        return self.config.augmentation.mimic_weight * (of_users_B + of_items_B)
