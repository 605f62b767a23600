"""Features as a vector: learned embeddings for the bags, and an MLP over them and the dense part."""

from itertools import pairwise

import numpy as np
import torch
from scipy import sparse
from torch import Tensor, nn

from foretaste.data.features import FeatureTable
from foretaste.models.two_tower.config import TowerConfig
from foretaste.models.two_tower.inputs import HISTORY_ITEMS


class Bag(nn.Module):
    """The mean of the embeddings of a row's values."""

    def __init__(self, bag_XV: sparse.csr_array, dim: int, dropout: float) -> None:
        super().__init__()
        self.dropout = dropout
        self.table = nn.EmbeddingBag(bag_XV.shape[1], dim, mode="sum")
        nn.init.normal_(self.table.weight, std=dim**-0.5)
        with torch.no_grad():
            # Nothing is learnt of a value that no row has; when one comes with it later, it says nothing.
            self.table.weight[torch.from_numpy(np.bincount(bag_XV.indices, minlength=bag_XV.shape[1]) == 0)] = 0.0
        for name, array, dtype in (
            ("indptr", bag_XV.indptr, np.int64),
            ("indices", bag_XV.indices, np.int64),
            ("share", bag_XV.data, np.float32),
        ):
            # The features are data: they are not part of a checkpoint.
            self.register_buffer(name, torch.from_numpy(np.array(array, dtype=dtype)), persistent=False)

    def forward(self, row_B: Tensor) -> Tensor:
        """vector_BE; zero for a row without values."""
        indptr, indices, share = self.get_buffer("indptr"), self.get_buffer("indices"), self.get_buffer("share")
        start_B = indptr[row_B]
        length_B = indptr[row_B + 1] - start_B
        offset_B = length_B.cumsum(0) - length_B
        place_X = torch.repeat_interleave(start_B - offset_B, length_B)
        place_X += torch.arange(len(place_X), device=row_B.device)
        share_X = nn.functional.dropout(share[place_X], self.dropout, self.training)
        vector_BE: Tensor = self.table(indices[place_X], offset_B, per_sample_weights=share_X)
        return vector_BE


class FeatureEncoder(nn.Module):
    """MLP over the dense part and the bags."""

    def __init__(self, features: FeatureTable, config: TowerConfig, dim: int, history_dropout: float) -> None:
        super().__init__()
        self.register_buffer("dense_XF", torch.from_numpy(np.array(features.dense_XF)), persistent=False)
        by_events_F = [column.kind == "popularity" and not column.of_history for column in features.columns]
        self.register_buffer("by_events_F", torch.tensor(by_events_F, dtype=torch.bool), persistent=False)
        self.bags = nn.ModuleList(
            Bag(bag_XV, config.bag_dim, history_dropout if name == HISTORY_ITEMS else 0.0)
            for name, bag_XV in features.bags.items()
        )
        widths = [features.dense_XF.shape[1] + config.bag_dim * len(self.bags), *config.hidden_dims, dim]
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(widths))
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, row_B: Tensor, has_id_B: Tensor) -> Tensor:
        """vector_BD; without an id a row is also without its popularity, which stands at the mean."""
        unknown_BF = ~has_id_B[:, None] & self.get_buffer("by_events_F")
        dense_BF = self.get_buffer("dense_XF")[row_B].masked_fill(unknown_BF, 0.0)
        x_BH = torch.cat([dense_BF, *(bag(row_B) for bag in self.bags)], dim=1)
        for layer in self.layers[:-1]:
            x_BH = self.dropout(torch.relu(layer(x_BH)))
        vector_BD: Tensor = self.layers[-1](x_BH)
        return vector_BD
