"""Users known by a history alone: the tower of users places them by what the items of the history tell."""

from dataclasses import dataclass
from typing import Self

from scipy import sparse

from foretaste.arrays import FloatArray
from foretaste.data.features import FeatureTable, FittedFeatures
from foretaste.models.protocol import State
from foretaste.models.two_tower import inputs
from foretaste.models.two_tower.config import TwoTowerConfig
from foretaste.models.two_tower.placing import FeatureTower

WEIGHTS = "user_tower."
"""How the names of the tower's weights begin in a state."""
_ITEMS = "item_inputs"


@dataclass(frozen=True, eq=False)
class NewUsers:
    """A history → a vector."""

    config: TwoTowerConfig
    features: FittedFeatures
    items: FeatureTable
    """Inputs of the I items, over which a history is averaged."""
    weights: State
    """Parameters of the tower of users by their names there."""

    def place(self, history_BI: sparse.csr_array) -> FloatArray:
        """vectors_BD; nothing is known of these users' attributes."""
        tower = FeatureTower(self.weights, self.config.fusion, self.config.similarity)
        return tower.place(
            inputs.user_inputs(self.features, None, history_BI, self.items, history_items=self.config.history_items)
        )

    def state(self) -> State:
        """All but the config."""
        weights = {WEIGHTS + name: array for name, array in self.weights.items()}
        return {**self.features.state(), **inputs.pack(_ITEMS, self.items), **weights}

    @classmethod
    def from_state(cls, config: TwoTowerConfig, state: State) -> Self:
        """What `state` was taken from."""
        weights = {name.removeprefix(WEIGHTS): state[name] for name in state if name.startswith(WEIGHTS)}
        return cls(config, FittedFeatures.from_state(state), inputs.unpack(_ITEMS, state), weights)
