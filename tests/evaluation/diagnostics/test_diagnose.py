import numpy as np
import polars as pl
import pytest
from scipy import sparse

from foretaste.data.interactions import Dataset, Interactions
from foretaste.data.raw import SourceInfo
from foretaste.data.vocabulary import Vocabulary
from foretaste.evaluation.diagnostics import DiagnosticsConfig, Examination
from foretaste.evaluation.diagnostics.matches import is_match, matches
from foretaste.evaluation.diagnostics.metadata import Categories
from foretaste.evaluation.protocol import EvaluationConfig, evaluate
from foretaste.models.protocol import FitContext
from foretaste.models.registry import build

CONFIG = EvaluationConfig(cutoffs=(5,), metrics=("ndcg",), select_by="ndcg@5")


def test_hit_ratios_by_hand():
    has = Categories("genres", ["A", "B"], sparse.csr_array(np.array([[1, 0], [0, 1], [1, 1], [0, 0]], np.float32)))
    likes = sparse.csr_array(np.array([[2, 0], [0, 3], [0, 1]], dtype=np.float32))
    lists = np.array([[0, 1, 2], [3, 0, -1], [-1, -1, -1]])
    assert is_match(lists, likes, has).tolist() == [[True, False, True], [False, False, False], [False] * 3]
    met = sparse.csr_array(np.array([[0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]], dtype=np.float32))
    told = matches(lists, likes, met, has, np.array([True, True, True, False]))
    assert told.num_users == 2
    assert told.share.mean == pytest.approx((2 / 3 + 0) / 2)
    # Of the items with events: both that the first user has not met, and two of three for the second.
    assert told.expected == pytest.approx((1 + 2 / 3) / 2)


@pytest.fixture(scope="module")
def world():
    """Two tastes, two genres: users of one kind choose items of one kind."""
    rng = np.random.default_rng(0)
    is_alike_UI = np.arange(60)[:, None] % 2 == np.arange(40)[None, :] % 2
    user_N, item_N = np.nonzero(rng.random((60, 40)) < np.where(is_alike_UI, 0.5, 0.02))
    users, items = (Vocabulary.of([f"{name}{n:02}" for n in range(size)]) for name, size in (("u", 60), ("i", 40)))
    events = Interactions(
        user_N.astype(np.int32), item_N.astype(np.int32), np.ones(len(user_N), np.float32), None, users, items
    )
    catalogue = pl.DataFrame(
        {"item_id": items.ids, "genres": [["even"] if item % 2 == 0 else ["odd"] for item in range(40)]}
    )
    is_test = rng.random(len(events)) < 0.2
    return Dataset(events.select(~is_test), catalogue, SourceInfo("two tastes")), events.select(is_test)


def diagnose(world, name, hyperparameters, **config):
    dataset, test = world
    model = build(name, hyperparameters).fit(dataset, FitContext())
    judged = evaluate(model, dataset.interactions, test, CONFIG)
    return Examination(dataset, DiagnosticsConfig(**config)).diagnose("it", model, judged)


def test_an_embedding_model_of_planted_tastes_is_seen_through(world):
    told = diagnose(world, "als", {"embedding_dim": 4}, neighbor_k=5, user_sample_size=30)
    (near,), (aligned,), (listed,) = told.cohesion, told.alignment, told.matches
    assert near.share.mean > 0.95
    assert near.expected == pytest.approx(19 / 39)
    assert aligned.difference.low > 0.2
    assert listed.share.mean > 0.95
    assert listed.expected == pytest.approx(10 / 30, abs=0.05)  # half of the 20 that they like are met
    assert told.user_norms.num_vectors == 30
    assert told.item_norms.num_vectors == 40
    assert told.remarks == []


def test_a_model_without_vectors_is_asked_about_its_scores_and_lists(world):
    told = diagnose(world, "popularity", {})
    assert told.item_norms is None
    assert (told.cohesion, told.alignment) == ((), ())
    assert told.correlations[0].feature == "popularity"
    assert told.correlations[0].r > 0.9
    assert "it has no vectors" in told.remarks[0]
    assert len(told.matches) == 1


def test_without_metadata_it_says_what_is_left_out(world):
    dataset, test = world
    bare = Dataset(dataset.interactions, dataset.catalogue.select("item_id"), dataset.info)
    told = diagnose((bare, test), "als", {"embedding_dim": 4})
    assert (told.cohesion, told.alignment, told.matches) == ([], [], [])
    assert "none of genres, author" in told.remarks[0]
    assert told.item_norms is not None
    assert [one.feature for one in told.correlations] == ["popularity"]


def test_it_is_the_same_twice(world):
    assert diagnose(world, "als", {}, user_sample_size=7) == diagnose(world, "als", {}, user_sample_size=7)
