import numba
import numpy as np
import pytest

from foretaste.models.als import ALS, ALSConfig, balanced_weight
from foretaste.models.protocol import FitContext, Query


def two_tastes(num_users=40, num_items=30, seed=0):
    rng = np.random.default_rng(seed)
    chance_UI = np.where(np.add.outer(np.arange(num_users), np.arange(num_items)) % 2 == 0, 0.6, 0.05)
    return (rng.random((num_users, num_items)) < chance_UI) * rng.choice([1.0, 2.0], (num_users, num_items))


def objective(weights_UI, model):
    """The formula of the module, term by term."""
    config = model.config
    x_UD, y_ID = model.user_embeddings_UD.astype(np.float64), model.item_embeddings_ID.astype(np.float64)
    scores_UI = x_UD @ y_ID.T
    (num_users, num_items), alpha = weights_UI.shape, float(model.state()["unobserved_weight"][0])
    count_U, count_I = (weights_UI > 0).sum(axis=1), (weights_UI > 0).sum(axis=0)
    ridge_U = (count_U + alpha * num_items) ** config.regularization_exponent
    ridge_I = (count_I + alpha * num_users) ** config.regularization_exponent
    pull = (ridge_U * (x_UD**2).sum(axis=1)).sum() + (ridge_I * (y_ID**2).sum(axis=1)).sum()
    return (weights_UI * (1 - scores_UI) ** 2).sum() + alpha * (scores_UI**2).sum() + config.regularization * pull


def test_more_iterations_lower_the_objective(dataset_of):
    weights_UI = two_tastes()
    values = [
        objective(weights_UI, ALS(ALSConfig(embedding_dim=6, iterations=n)).fit(dataset_of(weights_UI), FitContext()))
        for n in (1, 2, 4, 8, 32)
    ]
    assert values == sorted(values, reverse=True)


def test_it_ends_in_a_minimum_of_the_objective(dataset_of):
    weights_UI = two_tastes()
    config = ALSConfig(embedding_dim=3, iterations=200, cg_steps=5, regularization=0.05, unobserved_weight=0.2)
    model = ALS(config).fit(dataset_of(weights_UI), FitContext())
    lowest = objective(weights_UI, model)
    rng = np.random.default_rng(0)
    users_UD, items_ID = model.user_embeddings_UD, model.item_embeddings_ID
    for _ in range(20):
        change = 0.05 * rng.standard_normal((70, 3)).astype(np.float32)
        moved = ALS(config).load_state(
            {**model.state(), "user_embeddings": users_UD + change[:40], "item_embeddings": items_ID + change[40:]}
        )
        assert objective(weights_UI, moved) > lowest


def test_a_stored_vector_is_the_fold_in_of_its_history(dataset_of):
    dataset = dataset_of(two_tastes())
    model = ALS(ALSConfig(embedding_dim=7, iterations=3)).fit(dataset, FitContext())
    history_UI = dataset.interactions.to_csr()
    np.testing.assert_array_equal(model.embed_users(Query.of_history(history_UI)), model.user_embeddings_UD)
    for user in range(5):
        alone_BD = model.embed_users(Query.of_history(history_UI[[user]]))
        np.testing.assert_array_equal(alone_BD[0], model.user_embeddings_UD[user])


def test_users_and_items_without_events_have_zero_vectors(dataset_of):
    weights_UI = two_tastes()
    weights_UI[3], weights_UI[:, 5] = 0, 0
    model = ALS(ALSConfig(embedding_dim=4, iterations=2)).fit(dataset_of(weights_UI), FitContext())
    assert not model.user_embeddings_UD[3].any()
    assert not model.item_embeddings_ID[5].any()
    assert model.user_embeddings_UD[2].any()


def test_the_seed_decides_and_the_number_of_threads_does_not(dataset_of):
    dataset, config = dataset_of(two_tastes(300, 200)), ALSConfig(embedding_dim=12, iterations=3)
    vectors, most = [], numba.get_num_threads()
    for threads, seed in ((1, 0), (most, 0), (most, 1)):
        numba.set_num_threads(threads)
        vectors.append(ALS(config).fit(dataset, FitContext(seed=seed)).item_embeddings_ID)
    numba.set_num_threads(most)
    np.testing.assert_array_equal(vectors[0], vectors[1])
    assert not np.array_equal(vectors[1], vectors[2])


def test_without_a_weight_all_pairs_count_ten_times_the_events(dataset_of):
    # Weights 1 + 2 + 3 over 2 × 5 pairs.
    dataset = dataset_of([[1, 0, 0, 2, 0], [0, 3, 0, 0, 0]])
    assert balanced_weight(dataset.interactions.to_csr()) == pytest.approx(10 * 6 / 10)
    states = [
        ALS(ALSConfig(embedding_dim=2, unobserved_weight=w)).fit(dataset, FitContext()).state() for w in (None, 6.0)
    ]
    for name in states[0]:
        np.testing.assert_array_equal(states[0][name], states[1][name])


def test_progress_is_told_once_an_iteration(dataset_of):
    told = []
    context = FitContext(progress=lambda done, total, figures: told.append((done, total)))
    ALS(ALSConfig(embedding_dim=2, iterations=3)).fit(dataset_of(two_tastes()), context)
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_a_strong_regularisation_shrinks_to_zero_without_an_error(dataset_of):
    model = ALS(ALSConfig(embedding_dim=4, regularization=1e4)).fit(dataset_of(two_tastes()), FitContext())
    assert np.abs(model.item_embeddings_ID).max() == pytest.approx(0, abs=1e-10)
