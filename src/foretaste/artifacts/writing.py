"""A bundle is written: into a hidden folder first, which gets its name when all of it is on disk."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
from safetensors.numpy import save_file

from foretaste.artifacts import atomic
from foretaste.artifacts.bundle import (
    CATALOGUE_FILE,
    EMBEDDINGS,
    ITEMS_FILE,
    STATE_FILE,
    USERS_FILE,
    Bundle,
    BundleContents,
    Clock,
    utc_now,
)
from foretaste.artifacts.history import write_history
from foretaste.artifacts.manifest import Manifest, TrainingWindow, file_hash, library_versions
from foretaste.data.schemas import ITEM_ID, USER_ID
from foretaste.retrieval import ann

_SHORTEST_HASH = 4


def write_bundle(root: Path, contents: BundleContents, *, clock: Clock = utc_now) -> Bundle:
    """Write a bundle into a new folder of `root`, named by its id; it appears whole or not at all.

    The id is the date, the model and the first characters of a hash of the contents, four or as many as make it unique.
    """
    now = clock()
    root.mkdir(parents=True, exist_ok=True)
    with atomic.unfinished_folder(root) as folder:
        _write_files(folder, contents)
        index = _write_index(folder, contents)
        unnamed = _manifest(folder, contents, now).model_copy(update={"item_index": index})
        with atomic.locked(root):
            manifest = unnamed.model_copy(update={"bundle_id": _free_id(root, unnamed, now)}).sealed()
            manifest.write(folder)
            final = atomic.finish(folder, manifest.bundle_id)
    return Bundle.open(final, verify=False)


def _free_id(root: Path, unnamed: Manifest, now: datetime) -> str:
    digest = unnamed.computed_digest()
    sizes = range(_SHORTEST_HASH, len(digest) + 1)
    ids = (f"{now:%Y%m%d}-{unnamed.model}-{digest[:size]}" for size in sizes)
    return next(bundle_id for bundle_id in ids if not (root / bundle_id).exists())


def _manifest(folder: Path, contents: BundleContents, now: datetime) -> Manifest:
    """The manifest of the files in `folder`, still without an id and a digest."""
    window = contents.training_window
    num_users, num_items = contents.history.weights_UI.shape
    earlier = contents.begun_from
    return Manifest(
        bundle_id="",
        created_at=now.isoformat(),
        model=contents.model_name,
        config=contents.config,
        seed=contents.seed,
        source=contents.source,
        data_fingerprint=contents.data_fingerprint,
        num_users=num_users,
        num_items=num_items,
        num_interactions=contents.history.weights_UI.nnz,
        training_window=TrainingWindow(first=_iso(window[0]), last=_iso(window[1])) if window else None,
        metrics=contents.metrics,
        run_id=contents.run_id,
        experiment=contents.experiment,
        library_versions=library_versions(),
        files={path.name: file_hash(path) for path in sorted(folder.iterdir())},
        digest="",
        warm_started_from=None if earlier is None else earlier.bundle_id,
        warm_starts=0 if earlier is None else earlier.warm_starts + 1,
    )


def _iso(utc_seconds: int) -> str:
    return datetime.fromtimestamp(utc_seconds, UTC).isoformat()


def _write_files(folder: Path, contents: BundleContents) -> None:
    assert contents.history.weights_UI.shape == (len(contents.users), len(contents.items))
    assert contents.catalogue[ITEM_ID].equals(contents.items.ids.alias(ITEM_ID))
    write_history(folder, contents.history)
    for name in EMBEDDINGS:
        if name in contents.state:
            np.save(folder / f"{name}.npy", np.asarray(contents.state[name], order="C"), allow_pickle=False)
    rest = {name: np.asarray(array, order="C") for name, array in contents.state.items() if name not in EMBEDDINGS}
    if rest:
        save_file(rest, folder / STATE_FILE)
    for vocabulary, column, file in ((contents.users, USER_ID, USERS_FILE), (contents.items, ITEM_ID, ITEMS_FILE)):
        index = pl.Series("index", np.arange(len(vocabulary), dtype=np.int32))
        pl.DataFrame([vocabulary.ids.alias(column), index]).write_parquet(folder / file)
    contents.catalogue.write_parquet(folder / CATALOGUE_FILE)
    if contents.segments is not None:
        contents.segments.write(folder)


def _write_index(folder: Path, contents: BundleContents) -> ann.ItemIndex | None:
    """An index of the item vectors where the catalogue is large enough to gain from one."""
    vectors_ID = contents.state.get("item_embeddings")
    if vectors_ID is None or len(vectors_ID) < ann.FEWEST_ITEMS:
        return None
    return ann.build(vectors_ID, folder)
