"""/similar through an index: what is found, when it is not asked, and what happens without it."""

import logging

import numpy as np
import polars as pl
import pytest

from foretaste.artifacts.bundle import Bundle, BundleContents
from foretaste.artifacts.writing import write_bundle
from foretaste.errors import ArtifactError
from foretaste.models.als import ALS
from foretaste.models.protocol import FitContext
from foretaste.retrieval import ann
from foretaste.serving import rankings
from foretaste.serving.engine import Engine

pytest.importorskip("faiss")


@pytest.fixture
def contents(make_dataset, monkeypatch):
    """2,000 items in 40 clusters; every tenth is of genre War."""
    monkeypatch.setattr(ann, "FEWEST_ITEMS", 1000)
    rng = np.random.default_rng(0)
    catalogue = pl.DataFrame(
        {
            "item_id": [f"m{item}" for item in range(2000)],
            "genres": [["War"] if item % 10 == 0 else ["Love"] for item in range(2000)],
        }
    )
    world = make_dataset(*np.nonzero(rng.random((30, 2000)) < 0.02), 30, catalogue)
    centre_CD = rng.standard_normal((40, 8))
    item_ID = (centre_CD[np.arange(2000) % 40] + 0.2 * rng.standard_normal((2000, 8))).astype(np.float32)
    state = {
        "user_embeddings": rng.standard_normal((30, 8)).astype(np.float32),
        "item_embeddings": item_ID,
        "item_energy": np.square(item_ID).sum(axis=0),
        "unobserved_weight": np.array([0.1]),
    }
    model = ALS.__new__(ALS)
    ALS.__init__(model, ALS().config.model_copy(update={"embedding_dim": 8}))
    return BundleContents.of("als", model.load_state(state), world, seed=0)


def test_the_index_finds_what_exact_search_finds(contents, tmp_path, monkeypatch):
    bundle = write_bundle(tmp_path, contents)
    assert bundle.manifest.item_index.is_served
    assert ann.INDEX_FILE in bundle.manifest.files
    by_index = Engine(Bundle.open(bundle.folder))
    asked = []
    search = ann.NearestItems.search
    monkeypatch.setattr(ann.NearestItems, "search", lambda self, *given: asked.append(given) or search(self, *given))
    monkeypatch.setattr(rankings, "is_installed", lambda: False)
    exact = Engine(bundle)
    same = [by_index.similar(f"m{item}").items == exact.similar(f"m{item}").items for item in range(0, 2000, 40)]
    assert np.mean(same) >= 0.8
    assert len(asked) == 50
    found = by_index.similar("m7", 5, {"genres": "Love"}).items
    assert "m7" not in found.item_ids
    assert len(asked) == 51
    assert by_index.similar("m7", 5, {"genres": "War"}).items == exact.similar("m7", 5, {"genres": "War"}).items
    assert len(asked) == 51, "a selective filter goes the exact way"
    assert len(by_index.similar("m7", 1000).items) == 1000, "what the cells do not hold is found exactly"


def test_without_faiss_exact_search_answers_and_the_log_says_so(contents, tmp_path, monkeypatch, caplog):
    bundle = write_bundle(tmp_path, contents)
    monkeypatch.setattr(rankings, "is_installed", lambda: False)
    with caplog.at_level(logging.WARNING):
        engine = Engine(bundle)
    assert "faiss is not installed: exact search answers" in caplog.text
    assert len(engine.similar("m7").items) == 10


def test_a_refused_index_is_told_by_the_manifest(contents, tmp_path, monkeypatch):
    monkeypatch.setattr(ann, "LOWEST_RECALL", 1.01)
    bundle = write_bundle(tmp_path, contents)
    assert ann.INDEX_FILE not in bundle.manifest.files
    assert "refused" in Bundle.open(bundle.folder).manifest.item_index.note
    assert len(Engine(bundle).similar("m7").items) == 10


def test_a_damaged_index_is_found(contents, tmp_path):
    bundle = write_bundle(tmp_path, contents)
    path = bundle.folder / ann.INDEX_FILE
    path.chmod(0o644)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match=r"item_index.faiss: damaged"):
        Bundle.open(bundle.folder)


def test_small_catalogues_have_none(world, tmp_path):
    model = ALS().fit(world, FitContext())
    assert write_bundle(tmp_path, BundleContents.of("als", model, world, seed=0)).manifest.item_index is None
