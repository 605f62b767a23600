"""A tower: rows of users or items → their vectors in the common space."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from foretaste.arrays import BoolArray
from foretaste.data.features import FeatureTable
from foretaste.models.two_tower.config import TowerConfig, TwoTowerConfig
from foretaste.models.two_tower.encoder import FeatureEncoder
from foretaste.models.two_tower.fusion import Fuse
from foretaste.models.two_tower.placing import BY_ROW


@dataclass(frozen=True)
class Placed:
    """What a tower makes of B rows."""

    vector_BD: Tensor
    """Of length 1 where the similarity is the cosine."""
    augmented_BD: Tensor | None
    """The rows' augmented vectors, where there are any."""
    has_id_B: Tensor
    """False for rows that were placed without their id."""
    share_B: Tensor | None
    """Share of the features in each vector, where a gate decides."""


class Tower(nn.Module):
    """Id, augmented vector and features of a row, fused into one vector."""

    num_rows: int

    def __init__(
        self, features: FeatureTable, has_events_X: BoolArray, tower: TowerConfig, model: TwoTowerConfig
    ) -> None:
        super().__init__()
        dim = model.embedding_dim
        self.num_rows = len(features)
        self.id_dropout = tower.id_dropout
        self.is_cosine = model.similarity == "cosine"
        self.register_buffer("has_events_X", torch.from_numpy(has_events_X.copy()), persistent=False)
        self.ids = _table(len(features), dim, tower)
        self.absent_D = nn.Parameter(torch.randn(dim) * dim**-0.5)
        self.augmented = _table(len(features), dim, tower) if model.augmentation else None
        self.join = nn.Linear(2 * dim, dim) if model.augmentation else None
        reads_features = model.fusion != "identity" and bool(features.columns or features.bags)
        self.encoder = FeatureEncoder(features, tower, dim, model.history_dropout) if reads_features else None
        self.fuse = Fuse(model.fusion, dim) if reads_features else None

    def forward(self, row_B: Tensor) -> Placed:
        """Place rows; in training some of them lose their id, and rows without events never have one."""
        has_id_B = self.get_buffer("has_events_X")[row_B]
        if self.training:
            has_id_B = has_id_B & (torch.rand(len(row_B), device=row_B.device) >= self.id_dropout)
        own_BD = self.ids(row_B)
        augmented_BD = None
        if self.augmented is not None and self.join is not None:
            augmented_BD = self.augmented(row_B)
            own_BD = self.join(torch.cat([own_BD, augmented_BD], dim=1))
        # All rows without an id share one vector, which says nothing of them: the gate learns to pass it over.
        own_BD = torch.where(has_id_B[:, None], own_BD, self.absent_D)
        share_B = None
        if self.encoder is not None and self.fuse is not None:
            own_BD, share_B = self.fuse(own_BD, self.encoder(row_B, has_id_B), has_id_B)
        vector_BD = normalize(own_BD, dim=1) if self.is_cosine else own_BD
        return Placed(vector_BD, augmented_BD, has_id_B, share_B)

    def idless_parameters(self) -> dict[str, Tensor]:
        """What places a row without an id."""
        return {name: tensor for name, tensor in self.state_dict().items() if not name.startswith(BY_ROW)}


class TwoTowers(nn.Module):
    """The tower of users and that of items."""

    user: Tower
    item: Tower

    def __init__(self, user: Tower, item: Tower) -> None:
        super().__init__()
        self.user = user
        self.item = item


def _table(num_rows: int, dim: int, tower: TowerConfig) -> nn.Embedding:
    table = nn.Embedding(num_rows, dim, sparse=tower.sparse, max_norm=tower.max_norm)
    nn.init.normal_(table.weight, std=dim**-0.5)
    return table
