import numpy as np
import pytest
from pydantic import ValidationError
from scipy import sparse

from foretaste.errors import ModelError
from foretaste.models.popularity import Popularity, PopularityConfig, decayed_counts, genre_affinity, genre_shares
from foretaste.models.protocol import FitContext, Query


def history(*rows):
    return Query.of_history(sparse.csr_array(np.array(rows, dtype=np.float32)))


def test_an_item_scores_the_weight_of_its_events(dataset_of):
    model = Popularity().fit(dataset_of([[1, 0, 2], [1, 0, 0.5]]), FitContext())
    assert model.score(history([0, 0, 0], [1, 0, 0])).tolist() == [[2, 0, 2.5]] * 2


def test_plain_popularity_is_shared_by_the_rows_not_copied(dataset_of):
    scores_BI = Popularity().fit(dataset_of([[1, 0, 2]]), FitContext()).score(history(*[[0, 0, 0]] * 5))
    assert scores_BI.strides[0] == 0


def test_an_event_halves_every_half_life():
    # Ages 3, 1 and 0 days with a half-life of one day: 1/8, and 2 · 1/2 + 1.
    counts_I = decayed_counts(
        np.array([0, 1, 1]), np.array([1.0, 2.0, 1.0]), np.array([0, 2 * 86_400, 3 * 86_400]), 3, half_life_days=1.0
    )
    assert counts_I.tolist() == [0.125, 2.0, 0.0]
    assert counts_I.dtype == np.float32


def test_recency_is_used_when_asked_for(dataset_of):
    dataset = dataset_of([[1, 0], [0, 1]], days=[0, 7])
    model = Popularity(PopularityConfig(half_life_days=7)).fit(dataset, FitContext())
    assert model.score(history([0, 0])).tolist() == [[0.5, 1.0]]


def test_recency_without_timestamps_names_the_remedy(dataset_of):
    with pytest.raises(ModelError, match=r"half_life_days is 7, .*no timestamps; leave half_life_days out"):
        Popularity(PopularityConfig(half_life_days=7)).fit(dataset_of([[1]]), FitContext())


def test_genres_without_genres_name_the_remedy(dataset_of):
    for genres in (None, [[], []]):
        with pytest.raises(ModelError, match="no item has a genre; set by_genre to false"):
            Popularity(PopularityConfig(by_genre=True)).fit(dataset_of([[1, 1]], genres=genres), FitContext())


def test_a_half_life_must_be_positive():
    with pytest.raises(ValidationError):
        PopularityConfig(half_life_days=0)


def test_an_item_divides_itself_among_its_genres_and_one_without_takes_the_mix():
    item_genres_IG = sparse.csr_array(np.array([[1, 1], [0, 1], [0, 0]], dtype=np.float32))
    # The mix of all events: 2 · (½, ½) + 6 · (0, 1) = (1, 7), of 8.
    shares_IG = genre_shares(item_genres_IG, np.array([2, 6, 100], dtype=np.float32))
    np.testing.assert_allclose(shares_IG.toarray(), [[0.5, 0.5], [0, 1], [0.125, 0.875]])


def test_affinity_is_the_chance_that_history_and_item_choose_the_same_genre():
    shares_IG = sparse.csr_array(np.array([[1, 0], [0, 1], [0.5, 0.5]], dtype=np.float32))
    history_BI = sparse.csr_array(np.array([[3, 1, 0], [0, 0, 0]], dtype=np.float32))
    # Three parts of the first genre, one of the second; then nothing known.
    np.testing.assert_allclose(genre_affinity(history_BI, shares_IG), [[0.75, 0.25, 0.5], [1, 1, 1]])


def test_by_genre_multiplies_popularity_by_affinity(dataset_of):
    dataset = dataset_of([[1, 1, 1], [0, 1, 1], [0, 1, 0]], genres=[["a"], ["b"], ["a", "b"]])
    model = Popularity(PopularityConfig(by_genre=True)).fit(dataset, FitContext())
    # Popularity 1, 3, 2. A fan of genre a; then a user without history.
    scores_BI = model.score(history([1, 0, 0], [0, 0, 0]))
    np.testing.assert_allclose(scores_BI, [[1, 0, 1], [1, 3, 2]])
    assert scores_BI.dtype == np.float32
