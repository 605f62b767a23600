"""The torch half of `bpr_mf.py`: its tables, and what a batch is punished for."""

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from foretaste.arrays import FloatArray
from foretaste.models.bpr_mf import BPRMFConfig
from foretaste.training.batches import Batch, dot_scores
from foretaste.training.losses import bce_loss, bpr_loss, cosine_contrastive_loss, sampled_softmax_loss


class Tables(nn.Module):
    """Vectors and biases of users and items."""

    def __init__(self, num_users: int, num_items: int, config: BPRMFConfig) -> None:
        super().__init__()
        self.config = config
        self.user = self._table(num_users, config.embedding_dim, config.init_stdev)
        self.item = self._table(num_items, config.embedding_dim, config.init_stdev)
        self.user_bias = self._table(num_users, 1, 0.0) if config.user_bias else None
        self.item_bias = self._table(num_items, 1, 0.0) if config.item_bias else None
        self.global_bias = nn.Parameter(torch.zeros(())) if config.global_bias else None

    def _table(self, num_rows: int, dim: int, stdev: float) -> nn.Embedding:
        table = nn.Embedding(num_rows, dim, sparse=self.config.sparse)
        nn.init.normal_(table.weight, std=stdev)
        return table

    def loss(self, batch: Batch) -> Tensor:
        """loss_B, regularisation included."""
        items = (batch.positive_B, batch.negatives)
        user_BD = self.user(batch.user_B)
        positive_BD, negatives_D = (self.item(item) for item in items)
        vectors = [self._placed(vectors_D) for vectors_D in (user_BD, positive_BD, negatives_D)]
        positive_B, negative_BS = dot_scores(*vectors)
        pull = self.config.regularization
        loss_B: Tensor = pull.user * user_BD.square().sum(1) + pull.item * _of_a_row(positive_BD, negatives_D)
        if self.item_bias is not None:
            bias_B1, biases_1 = (self.item_bias(item) for item in items)
            positive_B, negative_BS = positive_B + bias_B1[:, 0], negative_BS + biases_1[..., 0]
            loss_B = loss_B + pull.bias * _of_a_row(bias_B1, biases_1)
        if self.user_bias is not None:
            bias_B1 = self.user_bias(batch.user_B)
            positive_B, negative_BS = positive_B + bias_B1[:, 0], negative_BS + bias_B1
            loss_B = loss_B + pull.bias * bias_B1[:, 0].square()
        if self.global_bias is not None:
            positive_B, negative_BS = positive_B + self.global_bias, negative_BS + self.global_bias
        return loss_B + self._ranking_loss(positive_B, negative_BS, batch)

    def score(self, user_B: Tensor, item_BS: Tensor) -> Tensor:
        """scores_BS of given items, up to what is alike for all items of a user."""
        user_BD, item_BSD = self._placed(self.user(user_B)), self._placed(self.item(item_BS))
        scores_BS: Tensor = torch.matmul(item_BSD, user_BD[:, :, None])[:, :, 0]
        if self.item_bias is not None:
            scores_BS = scores_BS + self.item_bias(item_BS)[..., 0]
        return scores_BS

    def vectors(self) -> tuple[FloatArray, FloatArray, FloatArray | None]:
        """user_UD, item_ID and bias_I as they are scored by."""
        with torch.no_grad():
            user_UD, item_ID = self._placed(self.user.weight), self._placed(self.item.weight)
            bias_I = None if self.item_bias is None else self.item_bias.weight[:, 0].cpu().numpy().copy()
            return user_UD.cpu().numpy().copy(), item_ID.cpu().numpy().copy(), bias_I

    def _placed(self, vectors_XD: Tensor) -> Tensor:
        return normalize(vectors_XD, dim=-1) if self.config.similarity == "cosine" else vectors_XD

    def _ranking_loss(self, positive_B: Tensor, negative_BS: Tensor, batch: Batch) -> Tensor:
        config, is_negative_BC = self.config, batch.is_negative_BC
        if config.loss == "ccl":
            return cosine_contrastive_loss(
                positive_B, negative_BS, is_negative_BC, margin=config.margin, negative_weight=config.negative_weight
            )
        if config.loss == "softmax":
            return sampled_softmax_loss(positive_B, negative_BS, is_negative_BC, temperature=config.temperature)
        loss = bce_loss if config.loss == "bce" else bpr_loss
        return loss(positive_B / config.temperature, negative_BS / config.temperature, is_negative_BC)


def _of_a_row(positive_BD: Tensor, negatives_D: Tensor) -> Tensor:
    """|positive|² + mean over its negatives of |negative|², for each row."""
    negative_square = negatives_D.square().sum(-1).mean(-1)
    return positive_BD.square().sum(1) + negative_square
