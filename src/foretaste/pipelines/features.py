"""Features as people and other tools see them: what each column holds, and tables on disk."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl

from foretaste.arrays import BoolArray
from foretaste.artifacts import atomic
from foretaste.config import ExperimentConfig
from foretaste.data.features import FeaturesConfig, FeatureTable, FittedFeatures, fit_features
from foretaste.data.interactions import Dataset
from foretaste.data.schemas import ITEM_ID, USER_ID
from foretaste.models.sparse_state import pack

_NUMBERS = 6
"""Decimals of the figures that are told."""


@dataclass(frozen=True, eq=False)
class BuiltFeatures:
    """Features fitted on a dataset's events, and those of all its items and users."""

    fitted: FittedFeatures
    dataset: Dataset
    items: FeatureTable
    users: FeatureTable


def features_config(config: ExperimentConfig) -> FeaturesConfig:
    """The features of the first model that has any; the defaults where none has."""
    told = (getattr(spec.hyperparameters, "features", None) for spec in config.models.values())
    return next((features for features in told if isinstance(features, FeaturesConfig)), FeaturesConfig())


def build_features(dataset: Dataset, config: FeaturesConfig) -> BuiltFeatures:
    """Fit on the events of `dataset`, and encode all its items and users."""
    fitted = fit_features(dataset, config)
    events = dataset.interactions
    items = fitted.encode_items(dataset.catalogue, events.item_counts())
    return BuiltFeatures(fitted, dataset, items, fitted.encode_users(dataset.users, events.to_csr(), items))


def describe_features(built: BuiltFeatures) -> list[dict[str, Any]]:
    """One row a dense column or bag, plain JSON types.

    All figures are of the rows with events, which are those that the features were fitted on: `missing_share` of the
    column that a feature comes from, `mean` and `stdev` of a dense column, `slots` of a bag.
    """
    dataset, events = built.dataset, built.dataset.interactions
    nothing = pl.DataFrame()
    users = nothing if dataset.users is None else dataset.users
    return [
        *_describe("item", built.items, dataset.catalogue, events.item_counts() > 0),
        *_describe("user", built.users, users, events.user_counts() > 0),
    ]


def write_features(built: BuiltFeatures, root: Path, name: str) -> Path:
    """`items.parquet` and `users.parquet` with the dense columns, the bags beside them, and `fitted.json`.

    The bags are in `item_bags.npz` and `user_bags.npz`, each as the `indptr`, `indices`, `data` and `shape` of a sparse
    matrix with the rows of the table. The folder `root/name` appears whole; one that is there is replaced.
    """
    root.mkdir(parents=True, exist_ok=True)
    events = built.dataset.interactions
    sides = (("item", ITEM_ID, events.items, built.items), ("user", USER_ID, events.users, built.users))
    with atomic.unfinished_folder(root) as folder:
        for side, id_column, vocabulary, table in sides:
            dense = {column.name: table.dense_XF[:, f] for f, column in enumerate(table.columns)}
            pl.DataFrame({id_column: vocabulary.ids, **dense}).write_parquet(folder / f"{side}s.parquet")
            bags = {key: array for name, bag in table.bags.items() for key, array in pack(name, bag).items()}
            np.savez(folder / f"{side}_bags.npz", allow_pickle=False, **bags)
        (folder / "fitted.json").write_text(built.fitted.model_dump_json(indent=2) + "\n", encoding="utf-8")
        if (root / name).exists():
            atomic.remove_folder(root / name)
        return atomic.finish(folder, name)


def _describe(
    side: Literal["item", "user"], table: FeatureTable, attributes: pl.DataFrame, is_trained_X: BoolArray
) -> list[dict[str, Any]]:
    trained = table.take(is_trained_X)
    known = attributes.filter(is_trained_X) if attributes.width else attributes
    dense_XF = trained.dense_XF.astype(np.float64)
    rows: list[dict[str, Any]] = []
    for f, column in enumerate(table.columns):
        is_own = not column.of_history and column.source in known.columns
        rows.append(
            {
                "of": side,
                "name": column.name,
                "kind": column.kind,
                "missing_share": _missing_share(known[column.source]) if is_own else 0.0,
                "mean": _mean(dense_XF[:, f]),
                "stdev": round(float(dense_XF[:, f].std()), _NUMBERS) if len(trained) else 0.0,
            }
        )
    for name, bag in trained.bags.items():
        empty = _mean(np.diff(bag.indptr) == 0)
        rows.append({"of": side, "name": name, "kind": "bag", "missing_share": empty, "slots": bag.shape[1]})
    return rows


def _missing_share(values: pl.Series) -> float:
    is_missing = values.is_null()
    if isinstance(values.dtype, pl.List):
        is_missing = is_missing | (values.list.len() == 0)
    return _mean(is_missing.to_numpy())


def _mean(values_X: Any) -> float:
    return round(float(np.mean(values_X)), _NUMBERS) if len(values_X) else 0.0
