"""The hyperparameters of two stages."""

from typing import Any, Literal

from pydantic import Field, field_serializer, field_validator

from foretaste.data.features import FeaturesConfig
from foretaste.models.spec import ModelSpec, model_specs
from foretaste.models.two_stage.trees import MOST_LEAVES
from foretaste.settings import Settings


class HoldoutConfig(Settings):
    """Which events teach the ranker: the retrievers that it learns from have not seen them."""

    method: Literal["global_time", "random"] | None = None
    """`global_time`: the newest events; `random`: some of each user's. The ranker learns what it is held to, so let it
    be like the split of the experiment. Null: by time where the events have timestamps."""
    share: float = Field(default=0.1, gt=0, lt=0.5)
    """Share of the events, or of each user's."""
    windows: int = Field(default=3, ge=1)
    """How many such shares: one before the other in time, each with retrievers that know only what was before it; or as
    many random draws. Each costs a training of all retrievers."""
    max_users: int = Field(default=10_000, ge=1)
    """Users of a window, drawn at random where there are more."""


class RankerConfig(Settings):
    """The trees of LambdaRank, by LightGBM."""

    trees: int = Field(default=100, ge=1)
    """Trees, each of which corrects those before it."""
    leaves: int = Field(default=8, ge=2, le=MOST_LEAVES)
    """Leaves of a tree, at most."""
    learning_rate: float = Field(default=0.1, gt=0, le=1)
    """How much a tree counts."""
    min_leaf_rows: int = Field(default=200, ge=1)
    """Pairs of a user and an item that a leaf must hold."""
    regularization: float = Field(default=10.0, ge=0)
    """L2 on the values of the leaves."""
    column_share: float = Field(default=0.7, gt=0, le=1)
    """Share of the features that a tree may look at, drawn for each."""
    truncation: int = Field(default=30, ge=1)
    """Slots from the top whose order counts: somewhat more than the longest list that matters."""
    monotone: bool = True
    """A retriever's praise never counts against an item: of two candidates alike in all else, the one that a retriever
    puts higher scores no lower. It keeps the trees from learning chance where few users teach."""


def _default_retrievers() -> dict[str, ModelSpec]:
    return model_specs("retrievers", {"als": {}, "item_knn": {}, "popularity": {}})


class TwoStageConfig(Settings):
    """Hyperparameters of TwoStage."""

    retrievers: dict[str, ModelSpec] = Field(default_factory=_default_retrievers, min_length=1)
    """Label → a model that proposes items; the label is its type unless `type` says otherwise. The first one also
    orders all that nobody proposes, anew for each request: name a quick one first, as als."""
    candidates: int = Field(default=60, ge=1)
    """Best items that each retriever proposes."""
    half_lives_days: tuple[float, ...] = (3.0, 14.0, 60.0)
    """Time scales on which the ranker is told how popular an item is; not used without timestamps."""
    features: FeaturesConfig = FeaturesConfig()
    """What the ranker is told of items; a column of words also says how much of the user's history shares them."""
    holdout: HoldoutConfig = HoldoutConfig()
    """What the ranker learns from."""
    ranker: RankerConfig = RankerConfig()
    """How it learns."""

    @field_validator("retrievers", mode="before")
    @classmethod
    def _by_registry(cls, retrievers: Any) -> Any:
        specs = model_specs("retrievers", retrievers)
        nested = [label for label, spec in specs.items() if isinstance(spec.hyperparameters, TwoStageConfig)]
        if nested:
            raise ValueError(f"'{nested[0]}' has two stages itself; name models of one stage, as als and item_knn")
        return specs

    @field_validator("half_lives_days")
    @classmethod
    def _positive(cls, half_lives_days: tuple[float, ...]) -> tuple[float, ...]:
        if not all(each > 0 for each in half_lives_days):
            raise ValueError("expected days above 0, as in [3, 14, 60]")
        return half_lives_days

    @field_serializer("retrievers")
    def _as_in_the_file(self, retrievers: dict[str, ModelSpec]) -> dict[str, Any]:
        return {label: spec.resolved() for label, spec in retrievers.items()}
