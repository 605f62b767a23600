"""The torch half of `bpr_mf.py`: its tables, and what a batch is punished for."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from foretaste.arrays import FloatArray
from foretaste.data.interactions import Interactions
from foretaste.models.bpr_mf import BPRMF, UNSERVED, BPRMFConfig
from foretaste.models.protocol import State, WarmStart
from foretaste.models.warm_start import carried_over, in_earlier_items
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
        user_VD = self.user(batch.users)
        positive_BD, negatives_D = (self.item(item) for item in items)
        user_D, positive_D, negative_D = (self._placed(table_D) for table_D in (user_VD, positive_BD, negatives_D))
        positive_B, negative_VS = dot_scores(user_D, positive_D, negative_D, batch.place_B)
        pull = self.config.regularization
        loss_B: Tensor = pull.user * batch.of_rows(user_VD.square().sum(1))
        loss_B = loss_B + pull.item * _of_a_row(positive_BD, negatives_D)
        if self.item_bias is not None:
            bias_B1, biases_1 = (self.item_bias(item) for item in items)
            positive_B, negative_VS = positive_B + bias_B1[:, 0], negative_VS + biases_1[..., 0]
            loss_B = loss_B + pull.bias * _of_a_row(bias_B1, biases_1)
        if self.user_bias is not None:
            bias_V1 = self.user_bias(batch.users)
            bias_B = batch.of_rows(bias_V1[:, 0])
            positive_B, negative_VS = positive_B + bias_B, negative_VS + bias_V1
            loss_B = loss_B + pull.bias * bias_B.square()
        if self.global_bias is not None:
            positive_B, negative_VS = positive_B + self.global_bias, negative_VS + self.global_bias
        return loss_B + self._ranking_loss(positive_B, negative_VS, batch)

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

    def unserved(self) -> State:
        """What a warm start needs, and no score."""
        held = {name.removesuffix(".weight"): tensor for name, tensor in self.state_dict().items()}
        return {name: held[name].cpu().numpy().reshape(-1).copy() for name in UNSERVED if name in held}

    def _placed(self, vectors_XD: Tensor) -> Tensor:
        return normalize(vectors_XD, dim=-1) if self.config.similarity == "cosine" else vectors_XD

    def _ranking_loss(self, positive_B: Tensor, negative_VS: Tensor, batch: Batch) -> Tensor:
        config, which = self.config, (batch.is_negative_VC, batch.place_B)
        if config.loss == "ccl":
            return cosine_contrastive_loss(
                positive_B, negative_VS, *which, margin=config.margin, negative_weight=config.negative_weight
            )
        if config.loss == "softmax":
            log_q = None
            if config.negatives_stand_for_all:
                # The positive is there for certain, and stands for itself alone.
                log_q = (torch.zeros_like(positive_B), batch.log_expected_draws())
            return sampled_softmax_loss(positive_B, negative_VS, *which, temperature=config.temperature, log_q=log_q)
        loss = bce_loss if config.loss == "bce" else bpr_loss
        return loss(positive_B / config.temperature, negative_VS / config.temperature, *which)


def _of_a_row(positive_BD: Tensor, negatives_D: Tensor) -> Tensor:
    """|positive|² + mean over its negatives of |negative|², for each row."""
    negative_square = negatives_D.square().sum(-1).mean(-1)
    return positive_BD.square().sum(1) + negative_square


def begin_at(tables: Tables, earlier: WarmStart, interactions: Interactions) -> None:
    """Put what `earlier` has learnt into the tables; users whom it did not know stand where it folds them in."""
    before = BPRMF(BPRMFConfig.model_validate(earlier.config)).load_state(earlier.state)
    dim, users, items = tables.config.embedding_dim, interactions.users, interactions.items
    begin = {name: tensor.numpy() for name, tensor in tables.state_dict().items()}
    user_UD = carried_over(
        np.zeros_like(begin["user.weight"]), users, before.user_embeddings_UD[:, :dim], earlier.users
    )
    # Zero is also the vector of a user without events, who may have some by now.
    is_new_U = ~user_UD.any(axis=1)
    history_UI = in_earlier_items(interactions.to_csr()[is_new_U], items, earlier.items)
    user_UD[is_new_U] = before.fold_in(history_UI)[:, :dim]
    begin["user.weight"] = np.where(user_UD.any(axis=1, keepdims=True), user_UD, begin["user.weight"])
    item_ID, state = before.item_embeddings_ID, before.state()
    begin["item.weight"] = carried_over(begin["item.weight"], items, item_ID[:, :dim], earlier.items)
    if tables.item_bias is not None:
        begin["item_bias.weight"] = carried_over(begin["item_bias.weight"], items, item_ID[:, dim:], earlier.items)
    if tables.user_bias is not None and "user_bias" in state:
        bias_U1 = state["user_bias"][:, None]
        begin["user_bias.weight"] = carried_over(begin["user_bias.weight"], users, bias_U1, earlier.users)
    if tables.global_bias is not None and "global_bias" in state:
        begin["global_bias"] = state["global_bias"].reshape(())
    tables.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in begin.items()})
