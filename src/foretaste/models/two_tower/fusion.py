"""How a row's own vector and that of its features become one."""

import torch
from torch import Tensor, nn

from foretaste.models.two_tower.config import Fusion


class Gate(nn.Module):
    """share · features + (1 - share) · own: the share is learned from both, row by row."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(2 * dim + 1, dim)
        self.out = nn.Linear(dim, 1)

    def forward(self, own_BD: Tensor, features_BD: Tensor, has_id_B: Tensor) -> tuple[Tensor, Tensor]:
        """Blended vectors, and share_B of the features in them."""
        told_BX = torch.cat([own_BD, features_BD, has_id_B[:, None].float()], dim=1)
        share_B = torch.sigmoid(self.out(torch.relu(self.hidden(told_BX))))[:, 0]
        return torch.lerp(own_BD, features_BD, share_B[:, None]), share_B


class Fuse(nn.Module):
    """One of the ways, by name."""

    def __init__(self, kind: Fusion, dim: int) -> None:
        super().__init__()
        self.kind = kind
        if kind == "concat":
            self.project = nn.Linear(2 * dim, dim)
        elif kind == "adaptive_mimic":
            self.gate = Gate(dim)

    def forward(self, own_BD: Tensor, features_BD: Tensor, has_id_B: Tensor) -> tuple[Tensor, Tensor | None]:
        """The vectors, and share_B where a gate decides."""
        if self.kind == "adaptive_mimic":
            blended: tuple[Tensor, Tensor] = self.gate(own_BD, features_BD, has_id_B)
            return blended
        if self.kind == "concat":
            return self.project(torch.cat([own_BD, features_BD], dim=1)), None
        return own_BD + features_BD, None
