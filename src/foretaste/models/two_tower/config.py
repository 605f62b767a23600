"""Hyperparameters of the two towers."""

from typing import ClassVar, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from foretaste.data.features.config import FeaturesConfig
from foretaste.models.validation import ModelTraining
from foretaste.models.warm_start import Continued
from foretaste.settings import Settings
from foretaste.training.config import SamplerConfig, TrainingConfig

Fusion: TypeAlias = Literal["identity", "sum", "concat", "adaptive_mimic"]
Similarity: TypeAlias = Literal["cosine", "dot"]


class TowerConfig(Settings):
    """One of the towers."""

    sparse: bool = False
    """Sparse gradients for the tables of ids: a step then costs as much as its batch, however many rows there are."""
    max_norm: float | None = Field(default=None, gt=0.0)
    """Largest length of a row of those tables; a longer one is scaled down when it is looked up. Not with `sparse`."""
    id_dropout: float = Field(default=0.3, ge=0.0, lt=1.0)
    """Share of rows that a training step sees without what only their events tell: their id and their popularity."""
    hidden_dims: tuple[int, ...] = (192,)
    """Units of the feature encoder's hidden layers; the last layer has `embedding_dim`."""
    dropout: float = Field(default=0.1, ge=0.0, lt=1.0)
    """Share of hidden units that a training step leaves out."""
    bag_dim: int = Field(default=32, ge=1)
    """Dimensions of a learned embedding of a feature's value, such as an author."""

    @model_validator(mode="after")
    def _sparse_rows_keep_their_length(self) -> Self:
        if self.sparse and self.max_norm is not None:
            raise ValueError(
                f"`sparse` goes without `max_norm`, which is {self.max_norm:g}: max_norm rewrites rows whenever they "
                f"are looked up, behind the back of the moments that lazy Adam keeps for them. Set `sparse: false`, or "
                f"leave `max_norm` out"
            )
        return self


class AugmentationConfig(Settings):
    """The vectors of the Dual Augmented Two-tower model (Yu et al. 2021)."""

    mimic_weight: float = Field(default=0.1, ge=0.0)
    """Weight of the mimic loss, which draws a row's augmented vector to the other tower's output."""
    alignment_weight: float = Field(default=0.1, ge=0.0)
    """Weight of the category alignment loss, which makes all categories of items spread alike."""
    category_column: str = "genres"
    """Column of the catalogue whose first value is an item's category; without it no alignment takes place."""


class TwoTowerConfig(Settings):
    """Hyperparameters of the two-tower model."""

    embedding_dim: int = Field(default=96, ge=1)
    """Dimensions of ids, of encoded features and of the towers' outputs."""
    features: FeaturesConfig = FeaturesConfig()
    """Which columns describe items and users."""
    history_items: bool = True
    """Whether users are also described by a learned embedding of each item that they have met, the mean of them."""
    history_dropout: float = Field(default=0.5, ge=0.0, lt=1.0)
    """Share of those items that a training step leaves out: the positive that is to be found is among them."""
    user: TowerConfig = TowerConfig()
    """The tower of users."""
    item: TowerConfig = TowerConfig()
    """The tower of items."""
    fusion: Fusion = "adaptive_mimic"
    """How id and features become one vector: `identity` takes the id alone, `sum` adds, `concat` projects both,
    `adaptive_mimic` blends them by a gate that is learned for each row.
    """
    augmentation: AugmentationConfig | None = None
    """The other half of adaptive mimic: a second vector for each row, learned to mimic the other tower."""
    similarity: Similarity = "cosine"
    """`cosine` scales the outputs to length 1."""
    loss: Literal["softmax", "bce", "bpr", "ccl"] = "softmax"
    """What the scores of a positive and its negatives are punished by; `training.sampler` draws the negatives.

    `softmax` with the sampler `in_batch` is the softmax of Yi et al. 2019. A sampler that also draws items without
    events, as `uniform` does, teaches the model to rank cold items last.
    """
    temperature: float = Field(default=0.1, gt=0.0)
    """Divides the scores in training, except for `ccl`. With `similarity: dot`, 1 is the usual choice."""
    log_q: bool = True
    """Corrects the softmax for items that are drawn more often than others."""
    margin: float = Field(default=0.4, ge=-1.0, le=1.0)
    """Cosine up to which `ccl` lets a negative be."""
    negative_weight: float = Field(default=10.0, gt=0.0)
    """What all negatives of a row together count in `ccl`; its positive counts 1."""
    training: ModelTraining = TrainingConfig(sampler=SamplerConfig(kind="in_batch"))
    """The run."""

    continued: ClassVar[Continued] = Continued(
        same=(
            "embedding_dim",
            "features",
            "history_items",
            *(f"{tower}.{key}" for tower in ("user", "item") for key in ("hidden_dims", "bag_dim")),
            "fusion",
            "augmentation",
            "similarity",
        ),
        arrays=("towers.item.ids.weight",),
    )

    @model_validator(mode="after")
    def _hard_negatives_have_no_probability(self) -> Self:
        if self.loss == "softmax" and self.log_q and self.training.sampler.kind == "hard":
            raise ValueError(
                "`log_q` corrects by how probable a negative is, and that of hard ones depends on the model; set "
                "`log_q: false`, or `training.sampler.kind` to uniform, popularity or in_batch"
            )
        return self

    @model_validator(mode="after")
    def _sparse_tables_do_not_decay(self) -> Self:
        self.training.refuse_decay_of_sparse(sparse=self.user.sparse or self.item.sparse)
        return self
