"""A bundle: a read-only folder that holds all that serving needs.

Arrays are `.npy` and safetensors, mapped into memory and shared between workers; tables are Parquet, metadata is JSON.
Nothing is ever unpickled.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import polars as pl

from foretaste.arrays import FloatArray
from foretaste.artifacts.history import History, last_times, read_history
from foretaste.artifacts.manifest import MANIFEST_FILE, REMEDY, Manifest, MetricJson
from foretaste.artifacts.mapped import map_npy, map_safetensors
from foretaste.artifacts.segments import SEGMENTS_FILE, Segments
from foretaste.data.interactions import Dataset
from foretaste.data.raw import SourceInfo
from foretaste.data.schemas import ITEM_ID, TITLE, USER_ID
from foretaste.data.vocabulary import Vocabulary
from foretaste.errors import ArtifactError
from foretaste.models import registry
from foretaste.models.protocol import Recommender, State

POPULARITY = "popularity"
"""Column of the catalogue: events of each item in the training data."""

Clock = Callable[[], datetime]

USERS_FILE = "user_mapping.parquet"
ITEMS_FILE = "item_mapping.parquet"
CATALOGUE_FILE = "item_features.parquet"
STATE_FILE = "model_state.safetensors"
EMBEDDINGS = ("user_embeddings", "item_embeddings")
"""Arrays of a state that get a file of their own."""


def utc_now() -> datetime:
    """The time, with its zone."""
    return datetime.now(UTC)


@dataclass(frozen=True, eq=False)
class BundleContents:
    """What goes into a bundle."""

    model_name: str
    """Name in the model registry."""
    config: dict[str, Any]
    """The model's resolved hyperparameters."""
    state: State
    users: Vocabulary
    items: Vocabulary
    catalogue: pl.DataFrame
    """Row i describes item i; has `item_id` and `popularity`."""
    history: History
    """What the model was trained on."""
    seed: int
    source: SourceInfo
    data_fingerprint: str
    training_window: tuple[int, int] | None = None
    """First and last event, UTC seconds."""
    metrics: dict[str, MetricJson] = field(default_factory=dict)
    """Metric → `mean`, `low`, `high`."""
    run_id: str = ""
    experiment: dict[str, Any] = field(default_factory=dict)
    """The resolved experiment config."""
    segments: Segments | None = None
    """What is popular among users of one kind; None where nothing is known of users."""
    begun_from: Manifest | None = None
    """Of the bundle that the training began from; None for a cold start."""

    @classmethod
    def of(
        cls,
        model_name: str,
        model: Recommender,
        dataset: Dataset,
        *,
        seed: int,
        metrics: dict[str, MetricJson] | None = None,
        run_id: str = "",
        experiment: dict[str, Any] | None = None,
        begun_from: Manifest | None = None,
    ) -> Self:
        """The contents around a model that was fitted on `dataset`, whose events become the history."""
        events = dataset.interactions
        times = events.timestamp_N
        return cls(
            model_name=model_name,
            config=model.config.resolved(),
            state=model.state(),
            users=events.users,
            items=events.items,
            catalogue=dataset.catalogue.with_columns(pl.Series(POPULARITY, events.item_counts())),
            history=History(
                events.to_csr(), None if times is None else last_times(events.user_N, events.item_N, times)
            ),
            seed=seed,
            source=dataset.info,
            data_fingerprint=events.fingerprint,
            training_window=None if times is None or not len(times) else (int(times.min()), int(times.max())),
            metrics=metrics or {},
            run_id=run_id,
            experiment=experiment or {},
            segments=Segments.of(dataset),
            begun_from=begun_from,
        )


@dataclass(frozen=True, eq=False)
class Bundle:
    """A bundle opened for reading."""

    folder: Path
    manifest: Manifest
    state: State
    users: Vocabulary
    items: Vocabulary
    catalogue: pl.DataFrame
    """Row i describes item i; has `item_id` and `popularity`."""
    history: History
    """What the model was trained on."""
    segments: Segments | None = None
    """What is popular among users of one kind; None where nothing is known of users."""

    @classmethod
    def open(cls, folder: Path, *, verify: bool = True) -> Self:
        """Open a bundle's folder; arrays stay on disk until they are used.

        Args:
            folder: the bundle, or a link to it.
            verify: compare the SHA-256 of each file, which reads them all.

        Raises:
            ArtifactError: something is missing, damaged, inconsistent, or of another schema version.
        """
        folder = Path(folder).resolve()
        manifest = Manifest.read(folder)
        if verify and (problems := list(manifest.problems(folder))):
            raise ArtifactError(f"{' '.join(problems)} {REMEDY}")
        try:
            bundle = cls(
                folder,
                manifest,
                state=_read_state(folder, manifest),
                users=_read_vocabulary(folder / USERS_FILE, USER_ID),
                items=_read_vocabulary(folder / ITEMS_FILE, ITEM_ID),
                catalogue=pl.read_parquet(folder / CATALOGUE_FILE),
                history=read_history(folder, (manifest.num_users, manifest.num_items), verify=verify),
                segments=Segments.read(folder, manifest.num_items) if SEGMENTS_FILE in manifest.files else None,
            )
        except (OSError, ValueError, KeyError, TypeError, pl.exceptions.PolarsError) as error:
            raise ArtifactError(f"{folder}: cannot be read, {error}. {REMEDY}") from error
        bundle._check_shapes()
        return bundle

    @property
    def id(self) -> str:
        """The bundle id, which is the model version that responses name."""
        return self.manifest.bundle_id

    @cached_property
    def popularity_I(self) -> FloatArray:
        """Events of each item in the training data, float32."""
        return self.catalogue[POPULARITY].cast(pl.Float32).to_numpy()

    def model(self) -> Recommender:
        """The model, as it was when it was evaluated.

        Raises:
            ArtifactError: this foretaste has no such model, or its config or state has changed since.
        """
        manifest = self.manifest
        try:
            return registry.restore(manifest.model, manifest.config, self.state)
        except (KeyError, TypeError, ValueError) as error:
            cause = " ".join(repr(error).split())
            raise ArtifactError(
                f"{self.folder}: this foretaste cannot restore the model '{manifest.model}' ({cause:.200}); "
                f"the bundle was written by foretaste {manifest.library_versions.get('foretaste')}. "
                f"Use that one, or train again."
            ) from error

    def _check_shapes(self) -> None:
        num_users, num_items = self.manifest.num_users, self.manifest.num_items
        rows = {
            USERS_FILE: (len(self.users), num_users),
            ITEMS_FILE: (len(self.items), num_items),
            CATALOGUE_FILE: (len(self.catalogue), num_items),
            **{
                f"{name}.npy": (len(self.state[name]), expected)
                for name, expected in zip(EMBEDDINGS, (num_users, num_items), strict=True)
                if name in self.state
            },
        }
        for name, (found, expected) in rows.items():
            if found != expected:
                raise ArtifactError(
                    f"{self.folder / name}: {found} rows, expected {expected} as {MANIFEST_FILE} says. {REMEDY}"
                )
        if not self.catalogue[ITEM_ID].equals(self.items.ids.alias(ITEM_ID)):
            raise ArtifactError(
                f"{self.folder / CATALOGUE_FILE}: its items are not those of {ITEMS_FILE}, in that order. {REMEDY}"
            )


def read_titles(folder: Path) -> dict[str, str]:
    """Item id → title, or the id itself where there is none; the rest of the bundle is not looked at.

    Raises:
        ArtifactError: the catalogue cannot be read.
    """
    try:
        catalogue = pl.read_parquet(folder / CATALOGUE_FILE)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise ArtifactError(f"{folder / CATALOGUE_FILE}: cannot be read, {error}. {REMEDY}") from error
    title = pl.col(TITLE) if TITLE in catalogue.columns else pl.lit(None, dtype=pl.String)
    titles = catalogue.select(ITEM_ID, pl.coalesce(title, ITEM_ID).alias(TITLE))
    return dict(titles.iter_rows())


def _read_vocabulary(path: Path, column: str) -> Vocabulary:
    table = pl.read_parquet(path)
    if not (table["index"] == np.arange(len(table))).all():
        raise ValueError(f"{path.name}: the column 'index' is not 0, 1, 2 … in order")
    return Vocabulary(table[column])


def _read_state(folder: Path, manifest: Manifest) -> State:
    state = {name: map_npy(folder / f"{name}.npy") for name in EMBEDDINGS if f"{name}.npy" in manifest.files}
    return state | (map_safetensors(folder / STATE_FILE) if STATE_FILE in manifest.files else {})
