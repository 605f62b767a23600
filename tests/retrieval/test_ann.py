import sys

import numpy as np
import pytest

from foretaste.retrieval import ann
from foretaste.retrieval.inner_product import unit_rows

pytest.importorskip("faiss")


@pytest.fixture(scope="module")
def vectors_ID():
    rng = np.random.default_rng(0)
    centre_CD = rng.standard_normal((40, 16))
    return (centre_CD[rng.integers(0, 40, 3000)] + 0.3 * rng.standard_normal((3000, 16))).astype(np.float32)


def test_an_index_finds_the_nearest_and_says_how_many(vectors_ID, tmp_path):
    info = ann.build(vectors_ID, tmp_path)
    assert info.is_served
    assert ann.LOWEST_RECALL <= info.recall_at_10 <= 1
    assert (info.cells, info.queries) == (219, 500)
    assert info.probes <= info.cells / 8
    index, unit_ID = ann.NearestItems(tmp_path, 3000), unit_rows(vectors_ID)
    found = 0
    for item in range(100, 150):
        nearest = np.argsort(-(unit_ID @ unit_ID[item]))[:10]
        found += len(set(index.search(unit_ID[item], 10).tolist()) & set(nearest.tolist()))
    assert found / 500 >= 0.96


def test_an_index_that_finds_too_few_is_refused(tmp_path):
    # Noise in many dimensions has no cells: the nearest of an item may be anywhere.
    noise_ID = np.random.default_rng(0).standard_normal((3000, 64)).astype(np.float32)
    info = ann.build(noise_ID, tmp_path)
    assert not info.is_served
    assert info.recall_at_10 < 0.9
    assert info.note.startswith(f"refused: {info.recall_at_10:.3f} of the true ten nearest items")
    assert list(tmp_path.iterdir()) == []


def test_without_faiss_none_is_built(vectors_ID, tmp_path, monkeypatch):
    monkeypatch.setattr(ann, "find_spec", lambda name: None)
    info = ann.build(vectors_ID, tmp_path)
    assert (info.is_served, info.recall_at_10) == (False, None)
    assert "pip install 'foretaste[ann]'" in info.note


def test_a_damaged_file_or_one_of_another_catalogue_is_refused(vectors_ID, tmp_path):
    ann.build(vectors_ID[:500], tmp_path)
    with pytest.raises(ValueError, match="500 items, expected 501"):
        ann.NearestItems(tmp_path, 501)
    (tmp_path / ann.INDEX_FILE).write_bytes(b"nothing of the kind")
    with pytest.raises(ValueError, match=r"item_index.faiss: cannot be read"):
        ann.NearestItems(tmp_path, 500)


def test_faiss_is_loaded_by_nobody_who_does_not_need_it():
    import subprocess

    script = "import sys, foretaste.serving.engine; assert 'faiss' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True)
