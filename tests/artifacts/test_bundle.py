import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from scipy import sparse

from foretaste.artifacts.bundle import Bundle
from foretaste.artifacts.history import History
from foretaste.artifacts.manifest import MANIFEST_FILE, Manifest, file_hash
from foretaste.artifacts.writing import write_bundle
from foretaste.errors import ArtifactError
from foretaste.models.protocol import Query


def rewrite(folder, name, write):
    """Replace a file and its hash, as a faulty writer would have made it."""
    write(folder / name)
    manifest = Manifest.read(folder)
    files = {**manifest.files, name: file_hash(folder / name)}
    manifest.model_copy(update={"files": files}).sealed().write(folder)


def test_what_goes_in_comes_out(tmp_path, full_contents, clock):
    bundle = Bundle.open(write_bundle(tmp_path, full_contents, clock=clock).folder)

    assert bundle.users.ids.to_list() == full_contents.users.ids.to_list()
    assert bundle.items.ids.to_list() == full_contents.items.ids.to_list()
    assert_frame_equal(bundle.catalogue, full_contents.catalogue)
    assert (bundle.history.weights_UI != full_contents.history.weights_UI).nnz == 0
    assert bundle.history.timestamp_N.tolist() == full_contents.history.timestamp_N.tolist()
    assert bundle.popularity_I.tolist() == [3, 2, 1, 1, 1]
    assert bundle.state.keys() == full_contents.state.keys()
    for name, array in full_contents.state.items():
        assert bundle.state[name].dtype == array.dtype, name
        assert bundle.state[name].shape == array.shape, name
        assert bundle.state[name].tobytes() == array.tobytes(), name
        assert not bundle.state[name].flags.writeable, name


def test_the_manifest_tells_where_the_model_comes_from(tmp_path, contents, clock):
    bundle = write_bundle(tmp_path, contents, clock=clock)
    manifest = json.loads((bundle.folder / MANIFEST_FILE).read_text())

    assert manifest["bundle_id"] == bundle.folder.name == bundle.id
    assert bundle.id.startswith("20261120-popularity-")
    assert manifest["seed"] == 7
    assert manifest["metrics"]["ndcg@10"] == {"mean": 0.5, "low": 0.4, "high": None}
    assert manifest["training_window"] == {"first": "1970-01-01T00:00:00+00:00", "last": "1970-01-08T00:00:00+00:00"}
    assert manifest["source"]["item_noun"] == "movie"
    assert manifest["files"].keys() == {path.name for path in bundle.folder.iterdir()} - {MANIFEST_FILE}
    assert {"python", "numpy", "foretaste"} <= manifest["library_versions"].keys()


def test_a_restored_model_scores_alike_to_the_bit(tmp_path, contents, dataset):
    bundle = write_bundle(tmp_path, contents)
    query = Query(np.arange(4, dtype=np.int32), contents.history.weights_UI)
    assert bundle.model().score(query).tolist() == [contents.state["popularity"].tolist()] * 4


def test_a_bundle_of_no_events_can_be_written_and_opened(tmp_path, contents):
    empty = replace(contents, history=History(sparse.csr_array((4, 5), dtype=np.float32), None), training_window=None)
    assert Bundle.open(write_bundle(tmp_path, empty).folder).history.weights_UI.nnz == 0


def test_the_same_contents_at_the_same_instant_get_two_ids(tmp_path, contents, clock):
    first, second = (write_bundle(tmp_path, contents, clock=clock).id for _ in range(2))
    assert second.startswith(first)
    assert len(second) == len(first) + 1


def test_a_flipped_bit_in_any_file_is_found_and_the_file_named(tmp_path, full_contents):
    folder = write_bundle(tmp_path, full_contents).folder
    paths = sorted(folder.iterdir())
    assert len(paths) == 11
    for path in paths:
        intact = path.read_bytes()
        for position in {0, len(intact) // 3, len(intact) // 2, len(intact) - 1}:
            damaged = bytearray(intact)
            damaged[position] ^= 1 << position % 8
            path.write_bytes(damaged)
            with pytest.raises(ArtifactError, match=path.name):
                Bundle.open(folder)
        path.write_bytes(intact)
    Bundle.open(folder)


def test_every_flipped_bit_of_the_manifest_is_found(tmp_path, contents):
    folder = write_bundle(tmp_path, contents).folder
    path = folder / MANIFEST_FILE
    intact = path.read_bytes()
    for position in range(len(intact) - 1):  # the last byte is the line feed after the JSON
        damaged = bytearray(intact)
        damaged[position] ^= 1 << position % 8
        path.write_bytes(damaged)
        with pytest.raises(ArtifactError, match=MANIFEST_FILE):
            Manifest.read(folder)


def test_missing_files_are_named(tmp_path, full_contents):
    folder = write_bundle(tmp_path, full_contents).folder
    for path in list(folder.iterdir()):
        intact = path.read_bytes()
        path.unlink()
        with pytest.raises(ArtifactError, match=path.name):
            Bundle.open(folder)
        path.write_bytes(intact)


def test_a_file_that_was_slipped_in_is_refused(tmp_path, contents):
    folder = write_bundle(tmp_path, contents).folder
    np.save(folder / "item_embeddings.npy", np.zeros((5, 3), np.float32))
    with pytest.raises(ArtifactError, match=r"item_embeddings\.npy: not a file of this bundle"):
        Bundle.open(folder)


@pytest.mark.parametrize(
    ("name", "write", "message"),
    [
        ("item_embeddings.npy", lambda path: np.save(path, np.zeros((4, 3), np.float32)), "4 rows, expected 5"),
        ("user_embeddings.npy", lambda path: np.save(path, np.zeros((5, 3), np.float32)), "5 rows, expected 4"),
        (
            "item_mapping.parquet",
            lambda path: pl.DataFrame({"item_id": list("abcde"), "index": [1, 0, 2, 3, 4]}).write_parquet(path),
            "'index' is not 0, 1, 2",
        ),
        (
            "item_features.parquet",
            lambda path: pl.DataFrame({"item_id": list("bacde")}).write_parquet(path),
            "not those of item_mapping",
        ),
        ("history_indices.npy", lambda path: np.save(path, np.full(8, 5, np.int32)), "cannot be read"),
        ("history_indptr.npy", lambda path: np.save(path, np.zeros(3, np.int32)), "cannot be read"),
        ("history_timestamps.npy", lambda path: np.save(path, np.zeros(7, np.int64)), "7 timestamps for 8 pairs"),
        ("history_weights.npy", lambda path: np.save(path, np.array([{}] * 8), allow_pickle=True), "cannot be read"),
    ],
)
def test_files_that_do_not_fit_together_are_refused(tmp_path, full_contents, name, write, message):
    folder = write_bundle(tmp_path, full_contents).folder
    rewrite(folder, name, write)
    with pytest.raises(ArtifactError, match=message):
        Bundle.open(folder)


def test_another_schema_version_is_refused_with_a_remedy(tmp_path, contents):
    folder = write_bundle(tmp_path, contents).folder
    Manifest.read(folder).model_copy(update={"schema_version": 2}).sealed().write(folder)
    with pytest.raises(ArtifactError, match=r"expected schema version 1, found 2.*train again"):
        Bundle.open(folder)


@pytest.mark.parametrize(
    "changed", [{"state": {"other": np.zeros(5)}}, {"config": {"no_such_key": 1}}, {"model_name": "no_such_model"}]
)
def test_a_model_that_has_changed_since_is_refused_with_a_remedy(tmp_path, contents, changed):
    bundle = write_bundle(tmp_path, replace(contents, **changed))
    with pytest.raises(ArtifactError, match=r"cannot restore the model .* written by foretaste .* train again"):
        bundle.model()


def test_a_renamed_folder_is_refused(tmp_path, contents):
    folder = write_bundle(tmp_path, contents).folder
    with pytest.raises(ArtifactError, match="Give the folder its name back"):
        Bundle.open(folder.rename(tmp_path / "other"))


def test_a_copy_opens_elsewhere(tmp_path, contents):
    folder = write_bundle(tmp_path / "here", contents).folder
    copy = shutil.copytree(folder, tmp_path / "there" / folder.name)
    assert Bundle.open(copy).id == folder.name


class PowerCutError(Exception):
    pass


def fsyncs(monkeypatch, stop_at):
    """Count the calls of fsync, and fail at the given one."""
    calls, fsync = [], os.fsync

    def counted(descriptor):
        calls.append(descriptor)
        if len(calls) == stop_at:
            raise PowerCutError
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", counted)
    return calls


def test_a_failure_at_any_step_leaves_nothing_half_done(tmp_path, full_contents, monkeypatch):
    steps = fsyncs(monkeypatch, stop_at=None)
    write_bundle(tmp_path / "whole", full_contents)
    num_files = 11
    assert len(steps) == num_files + 2, "each file, its folder, and the folder that holds it"
    for step in range(1, len(steps) + 1):
        monkeypatch.undo()
        fsyncs(monkeypatch, stop_at=step)
        root = tmp_path / str(step)
        with pytest.raises(PowerCutError):
            write_bundle(root, full_contents)
        left = list(root.iterdir())
        if step < len(steps):
            assert left == []
        else:  # renamed already: the bundle is there, and whole
            Bundle.open(left[0])


def test_an_unwritable_array_leaves_nothing(tmp_path, contents):
    with pytest.raises(ValueError, match="allow_pickle"):
        write_bundle(tmp_path, replace(contents, state={"item_embeddings": np.array([{}])}))
    assert list(tmp_path.iterdir()) == []


KILLED = """
import os, signal, sys
from pathlib import Path
from foretaste.artifacts.bundle import Bundle, BundleContents
from foretaste.artifacts.writing import write_bundle

bundle, root, step, calls, fsync = Bundle.open(Path(sys.argv[1])), Path(sys.argv[2]), int(sys.argv[3]), [], os.fsync

def fsync_or_die(descriptor):
    calls.append(descriptor)
    if len(calls) == step:
        os.kill(os.getpid(), signal.SIGKILL)
    fsync(descriptor)

os.fsync = fsync_or_die
made_of = {name: getattr(bundle, name) for name in ("state", "users", "items", "catalogue", "history")}
write_bundle(root, BundleContents("x", {}, seed=0, source=bundle.manifest.source, data_fingerprint="", **made_of))
"""


@pytest.mark.parametrize("step", [1, 5, 9])
def test_a_killed_writer_leaves_only_what_the_next_one_clears(tmp_path, contents, step):
    bundle, root = write_bundle(tmp_path / "source", contents), tmp_path / "store"
    process = subprocess.run([sys.executable, "-c", KILLED, bundle.folder, root, str(step)], check=False)
    assert process.returncode == -9
    (left,) = root.iterdir()
    assert left.name.startswith(".unfinished-")
    written = write_bundle(root, contents)
    assert list(root.iterdir()) == [written.folder]
