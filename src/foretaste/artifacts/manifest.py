"""What a bundle says of itself: `model_metadata.json`."""

import hashlib
import json
import platform
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self, TypeAlias

from pydantic import ValidationError

from foretaste.data.raw import SourceInfo
from foretaste.errors import ArtifactError
from foretaste.retrieval.ann import ItemIndex
from foretaste.settings import Settings

MANIFEST_FILE = "model_metadata.json"
SCHEMA_VERSION = 1
_LATER = ("item_index", "warm_started_from", "warm_starts")
"""Fields that came to the layout after it."""
_HEADLINE = "ndcg@10"
_LIBRARIES = ("foretaste", "numba", "numpy", "polars", "safetensors", "scipy")


MetricJson: TypeAlias = dict[str, float | str | None]
"""`mean`, `low` and `high`, the interval's bounds None where there is none; and `candidates`, `given` or `sampled`, for
a figure that is not one of full ranking."""


class TrainingWindow(Settings):
    """The first and the last event that the model was trained on."""

    first: str
    """ISO 8601, UTC."""
    last: str
    """ISO 8601, UTC."""


class Manifest(Settings):
    """All that is known of a bundle beside its arrays and tables."""

    schema_version: int = SCHEMA_VERSION
    """Version of this layout; a reader refuses versions that it does not know."""
    bundle_id: str
    """`YYYYMMDD-<model>-<hash>`; also the name of the folder."""
    created_at: str
    """ISO 8601, UTC."""
    model: str
    """Name in the model registry."""
    config: dict[str, Any]
    """The model's resolved hyperparameters."""
    seed: int
    """Seed of the training."""
    source: SourceInfo
    """Where the data came from, and what an item of it is called."""
    data_fingerprint: str
    """SHA-256 of the events that the model was trained on."""
    num_users: int
    num_items: int
    num_interactions: int
    """Pairs of a user and an item in the history."""
    training_window: TrainingWindow | None
    """None for data without timestamps."""
    metrics: dict[str, MetricJson]
    """Metric → its figures: on the test of the run that made the bundle, or on the holdout that the guard judged it by.
    Empty for one that nobody judged."""
    run_id: str
    """The run that made the bundle; empty for one made outside a run."""
    experiment: dict[str, Any]
    """The resolved experiment config of that run."""
    library_versions: dict[str, str]
    """Versions with which the bundle was written."""
    files: dict[str, str]
    """SHA-256 of every other file of the bundle."""
    digest: str
    """SHA-256 of all fields but this one."""
    item_index: ItemIndex | None = None
    """The index of a large catalogue; None for one that is searched exactly. Not written where it is None."""
    warm_started_from: str | None = None
    """The bundle that the training began from; None for a cold start. Not written where it is None."""
    warm_starts: int = 0
    """Warm starts in a row since the last cold one, this one included. Not written where it is 0."""

    @property
    def headline(self) -> tuple[str, MetricJson] | None:
        """The metric that stands for all, ndcg@10 or the first there is; None for a bundle that nobody judged."""
        name = next((name for name in (_HEADLINE, *self.metrics) if name in self.metrics), None)
        return None if name is None else (name, self.metrics[name])

    def computed_digest(self) -> str:
        """What `digest` must be."""
        fields = self._fields()
        del fields["digest"]
        return hashlib.sha256(json.dumps(fields, sort_keys=True, allow_nan=False).encode()).hexdigest()

    def sealed(self) -> Self:
        """The same manifest with its digest filled in."""
        return self.model_copy(update={"digest": self.computed_digest()})

    def write(self, folder: Path) -> None:
        """Write `model_metadata.json`."""
        text = json.dumps(self._fields(), indent=2, ensure_ascii=False, allow_nan=False)
        (folder / MANIFEST_FILE).write_text(text + "\n", encoding="utf-8")

    def _fields(self) -> dict[str, Any]:
        """As they are written: what came to the layout after it is left out where it says nothing."""
        return self.model_dump(mode="json", exclude={name for name in _LATER if not getattr(self, name)})

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The manifest of a bundle's folder, checked against its digest and the folder's name.

        Raises:
            ArtifactError: there is none, it is damaged, or it is of another schema version.
        """
        path = folder / MANIFEST_FILE
        try:
            fields = json.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            raise ArtifactError(f"{folder}: no bundle here, {MANIFEST_FILE} is missing.") from None
        except ValueError as error:
            raise ArtifactError(f"{path}: damaged, not readable as JSON ({error}). {REMEDY}") from error
        found = fields.get("schema_version") if isinstance(fields, dict) else None
        if found != SCHEMA_VERSION:
            raise ArtifactError(
                f"{path}: expected schema version {SCHEMA_VERSION}, found {found!r}. "
                f"Use the foretaste that wrote it, or train again."
            )
        try:
            manifest = cls.model_validate(fields)
        except ValidationError as error:
            what = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
            raise ArtifactError(f"{path}: damaged, {what}. {REMEDY}") from error
        if manifest.digest != manifest.computed_digest():
            raise ArtifactError(f"{path}: damaged, its content does not match its digest. {REMEDY}")
        if manifest.bundle_id != folder.resolve().name:
            raise ArtifactError(
                f"{path}: belongs to bundle '{manifest.bundle_id}', but the folder is named "
                f"'{folder.resolve().name}'. Give the folder its name back."
            )
        return manifest

    def problems(self, folder: Path) -> Iterator[str]:
        """What is wrong with the files of the bundle, one sentence each; each file is read whole."""
        for name, expected in self.files.items():
            path = folder / name
            if path.name != name or not path.is_file():
                yield f"{path}: missing."
            elif file_hash(path) != expected:
                yield f"{path}: damaged, its SHA-256 is not the one in {MANIFEST_FILE}."
        for path in sorted(folder.iterdir()):
            if path.name not in (MANIFEST_FILE, *self.files) and not path.name.startswith("."):
                yield f"{path}: not a file of this bundle."


REMEDY = (
    "Copy the bundle again from where it came, go back to the one before with `foretaste bundles rollback`, "
    "or train again."
)
"""What can be done about a damaged bundle."""


def file_hash(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def library_versions() -> dict[str, str]:
    """Versions of Python and of the libraries that decide what a bundle's numbers are."""
    return {"python": platform.python_version(), **{name: version(name) for name in _LIBRARIES}}
