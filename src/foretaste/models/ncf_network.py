"""The torch half of `ncf.py`: its network, and what a batch is punished for."""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from foretaste.arrays import FloatArray
from foretaste.data.interactions import Interactions
from foretaste.models.ncf import NCFConfig
from foretaste.models.protocol import State, WarmStart
from foretaste.models.warm_start import carried_over, checkpoint_settings
from foretaste.training.batches import Batch
from foretaste.training.context import TrainingContext, no_epoch
from foretaste.training.loop import train
from foretaste.training.losses import bce_loss, bpr_loss
from foretaste.training.task import Task, TrainingResult

_KEPT = ("bias", "gmf_out", "first_user.weight", "first_user.bias", "first_item.weight")
"""Parameters that cannot be told from what is served."""


@dataclass(frozen=True)
class Served:
    """The network as arrays: what a user and an item bring, and the layers in which the two meet."""

    user_UZ: FloatArray
    """[x, a] of each user: the vector of GMF, and the part in the first layer of the MLP, its bias included."""
    item_IZ: FloatArray
    """The same of each item, the output's weights folded into the vector of GMF."""
    weight_LHH: FloatArray
    """[layer, unit below, unit] of the layers after the first, zero where one is narrower than the widest."""
    bias_LH: FloatArray
    out_H: FloatArray
    """Weights of the last layer's units in the score."""


class Network(nn.Module):
    """GMF, the MLP, or both under one output."""

    def __init__(self, num_users: int, num_items: int, config: NCFConfig) -> None:
        super().__init__()
        self.config = config
        if config.has_gmf:
            self.gmf_user = self._table(num_users, config.embedding_dim)
            self.gmf_item = self._table(num_items, config.embedding_dim)
            self.gmf_out = nn.Parameter(torch.ones(config.embedding_dim))
        if config.has_mlp:
            dim, widths = config.mlp_embedding_dim, config.hidden_dims
            self.mlp_user, self.mlp_item = self._table(num_users, dim), self._table(num_items, dim)
            self.first_user = nn.Linear(dim, widths[0])
            self.first_item = nn.Linear(dim, widths[0], bias=False)
            self.layers = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(widths))
            self.mlp_out = nn.Parameter(torch.randn(widths[-1]) * widths[-1] ** -0.5)
        self.bias = nn.Parameter(torch.zeros(()))
        self.dropout = nn.Dropout(config.dropout)

    def _table(self, num_rows: int, dim: int) -> nn.Embedding:
        table = nn.Embedding(num_rows, dim, sparse=self.config.sparse)
        nn.init.normal_(table.weight, std=self.config.init_stdev)
        return table

    def loss(self, batch: Batch) -> Tensor:
        """loss_B, regularisation included."""
        item_BT = torch.cat([batch.positive_B[:, None], batch.negatives], dim=1)
        scores_BT, square_B = self._forward(batch.user_B, item_BT)
        loss = bce_loss if self.config.loss == "bce" else bpr_loss
        return loss(scores_BT[:, 0], scores_BT[:, 1:]) + self.config.regularization * square_B

    def score(self, user_B: Tensor, item_BS: Tensor) -> Tensor:
        """scores_BS of given items."""
        return self._forward(user_B, item_BS)[0]

    def _forward(self, user_B: Tensor, item_BT: Tensor) -> tuple[Tensor, Tensor]:
        """scores_BT, and square_B: |user|² + mean over the items of |item|², over all vectors that were looked up."""
        scores_BT = self.bias.expand(item_BT.shape)
        square_B = self.bias.new_zeros(len(user_B))
        if self.config.has_gmf:
            x_BD, y_BTD = self.gmf_user(user_B), self.gmf_item(item_BT)
            scores_BT = scores_BT + torch.matmul(y_BTD, (x_BD * self.gmf_out)[:, :, None])[:, :, 0]
            square_B = square_B + _squares(x_BD, y_BTD)
        if self.config.has_mlp:
            p_BD, q_BTD = self.mlp_user(user_B), self.mlp_item(item_BT)
            unit_BTH = self.dropout(torch.relu(self.first_user(p_BD)[:, None] + self.first_item(q_BTD)))
            for layer in self.layers:
                unit_BTH = self.dropout(torch.relu(layer(unit_BTH)))
            scores_BT = scores_BT + unit_BTH @ self.mlp_out
            square_B = square_B + _squares(p_BD, q_BTD)
        return scores_BT, square_B

    def start_from(self, gmf: "Network", mlp: "Network") -> None:
        """Take over two trained halves; each gives half of the score (He et al. 2017, section 3.4.1)."""
        halves = {**gmf.state_dict(), **mlp.state_dict()}
        halves["bias"] = (gmf.bias.detach() + mlp.bias.detach()) / 2
        for name in ("gmf_out", "mlp_out"):
            halves[name] = halves[name] / 2
        self.load_state_dict(halves)

    @torch.no_grad()
    def served(self) -> Served:
        """The network as arrays. The bias of the output is alike for all and left out."""
        users: list[Tensor] = []
        items: list[Tensor] = []
        widths = self.config.widths
        weight_LHH, bias_LH = (
            torch.zeros(len(widths) - 1, max(widths), max(widths)),
            torch.zeros(len(widths) - 1, max(widths)),
        )
        out_H = torch.zeros(0)
        if self.config.has_gmf:
            users.append(self.gmf_user.weight)
            items.append(self.gmf_item.weight * self.gmf_out)
        if self.config.has_mlp:
            users.append(self.first_user(self.mlp_user.weight))
            items.append(self.first_item(self.mlp_item.weight))
            out_H = self.mlp_out
            for layer, linear in enumerate(self.layers):
                weight_LHH[layer, : widths[layer], : widths[layer + 1]] = linear.get_parameter("weight").T
                bias_LH[layer, : widths[layer + 1]] = linear.get_parameter("bias")
        vectors = (torch.cat(users, dim=1), torch.cat(items, dim=1))
        return Served(*(_array(tensor) for tensor in (*vectors, weight_LHH, bias_LH, out_H)))

    def unserved(self) -> State:
        """The parameters from which, together with what is served, `begin_at` makes the network again."""
        held = self.state_dict()
        return {name: np.atleast_1d(_array(held[name])) for name in _KEPT if name in held}


def train_network(
    network: Network, interactions: Interactions, context: TrainingContext, earlier: WarmStart | None = None
) -> TrainingResult:
    """Train in place; where the config asks for it, each half first alone, unless the network began at `earlier`."""
    config = network.config
    if config.pretraining_epochs and earlier is None:
        # A checkpoint is of the whole network; resumed, the halves are trained anew and then overwritten by it.
        alone = replace(context, validate=None, checkpoint_dir=None, resume=False, on_epoch=no_epoch)
        changes = {"epochs": config.pretraining_epochs, "early_stopping": None, "checkpoint_dir": None}
        training = config.training.model_copy(update=changes)
        halves = []
        for kind in ("gmf", "mlp"):
            of_half = {"kind": kind, "training": training, "pretraining_epochs": 0}
            half = Network(interactions.num_users, interactions.num_items, config.model_copy(update=of_half))
            train_network(half, interactions, alone)
            halves.append(half)
        network.start_from(*halves)
    training = config.training if earlier is None else config.training.continued()
    settings = checkpoint_settings(config, earlier)
    return train(Task(network, network.loss, network.score, settings=settings), interactions, training, context)


def begin_at(network: Network, earlier: WarmStart, interactions: Interactions) -> None:
    """Make `network` the one that `earlier` is served from; users whom it did not know begin as its mean user.

    Served are W p + b and y ∘ h in place of the vectors p and y: these come back by the pseudo-inverse of W and by
    division, such that every score is what it was.
    """
    state, config, users, items = earlier.state, network.config, interactions.users, interactions.items
    begin = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    begin |= {name: state[name].reshape(begin[name].shape) for name in _KEPT if name in begin}
    # Folding them in by their events takes half as long as training the network, and is overtaken by it.
    mean_UZ = np.tile(state["mean_user"], (len(users), 1))
    user_UZ = carried_over(mean_UZ, users, state["user_vectors"], earlier.users)
    dim = config.embedding_dim if config.has_gmf else 0
    item_IZ = state["item_vectors"]
    if config.has_gmf:
        out_D = begin["gmf_out"]
        vectors_ID = np.divide(item_IZ[:, :dim], out_D, out=np.zeros_like(item_IZ[:, :dim]), where=out_D != 0)
        begin["gmf_user.weight"] = user_UZ[:, :dim]
        begin["gmf_item.weight"] = carried_over(begin["gmf_item.weight"], items, vectors_ID, earlier.items)
    if config.has_mlp:
        begin["mlp_user.weight"] = _before_layer(
            user_UZ[:, dim:] - begin["first_user.bias"], begin["first_user.weight"]
        )
        vectors_ID = _before_layer(item_IZ[:, dim:], begin["first_item.weight"])
        begin["mlp_item.weight"] = carried_over(begin["mlp_item.weight"], items, vectors_ID, earlier.items)
        begin["mlp_out"] = state["output_weights"]
        for layer, (below, above) in enumerate(pairwise(config.widths)):
            begin[f"layers.{layer}.weight"] = state["layer_weights"][layer, :below, :above].T
            begin[f"layers.{layer}.bias"] = state["layer_biases"][layer, :above]
    network.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in begin.items()})


def _before_layer(unit_XH: FloatArray, weight_HD: FloatArray) -> FloatArray:
    """vectors_XD with the smallest squares for which W x is nearest to the units; equal where the layer made them."""
    inverse_DH = np.linalg.pinv(weight_HD.astype(np.float64), rcond=1e-6)
    return np.asarray(unit_XH @ inverse_DH.T, dtype=np.float32)


def _squares(user_BD: Tensor, item_BTD: Tensor) -> Tensor:
    squares_B: Tensor = user_BD.square().sum(1) + item_BTD.square().sum(2).mean(1)
    return squares_B


def _array(tensor: Tensor) -> FloatArray:
    return np.array(tensor.detach().cpu().numpy(), dtype=np.float32, order="C")
