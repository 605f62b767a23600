from datetime import UTC, datetime, timedelta
from itertools import count

import numpy as np
import orjson
import polars as pl
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from scipy import sparse

from foretaste.artifacts.bundle import Bundle, BundleContents
from foretaste.artifacts.writing import write_bundle
from foretaste.errors import RequestError, UnknownItemError
from foretaste.evaluation.protocol import EvaluationConfig, evaluate
from foretaste.models.als import ALS, ALSConfig
from foretaste.models.protocol import Query
from foretaste.serving.engine import Engine, RecommendRequest

MODELS = ("popularity", "item_knn", "ease", "als")


def ids(answer):
    return answer.items.item_ids


def seen(world, user):
    events = world.interactions
    return {f"m{item}" for item in events.item_N[events.user_N == user]}


@pytest.mark.parametrize("name", MODELS)
def test_served_scores_are_the_evaluated_ones_to_the_bit(engines, world, name):
    events = world.interactions
    engine = engines[name]
    judged = evaluate(engine.bundle.model(), events, events, EvaluationConfig(cutoffs=(10,), exclude_seen=False))
    assert len(judged.user_B) == 59
    for user, score_K in zip(judged.user_B, judged.top.score_BK, strict=True):
        answer = engine.recommend(RecommendRequest(f"u{user}", k=10, exclude_seen=False))
        assert [item.score for item in answer.items] == score_K.tolist()


@pytest.mark.parametrize("name", MODELS)
def test_a_reopened_bundle_answers_the_same(engines, name):
    request = RecommendRequest("u7", k=20)
    reopened = Engine(Bundle.open(engines[name].bundle.folder))
    assert reopened.recommend(request) == engines[name].recommend(request)


@pytest.mark.parametrize("name", MODELS)
def test_a_known_user_gets_k_items_that_are_new_to_them(engines, world, name):
    for user in range(59):
        answer = engines[name].recommend(RecommendRequest(f"u{user}", k=25))
        assert len(set(ids(answer))) == 25
        assert not seen(world, user) & set(ids(answer))
        assert not answer.is_fallback
        assert answer.fallback_reason is None
        assert answer.model_version == engines[name].bundle.id


def test_a_model_with_tastes_tells_users_apart(engines):
    for name in ("item_knn", "ease", "als"):
        drama = engines[name].recommend(RecommendRequest("u0", k=5))
        comedy = engines[name].recommend(RecommendRequest("u1", k=5))
        assert ids(drama) != ids(comedy), name


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (RecommendRequest("nobody"), "unknown user 'nobody': popular items"),
        (RecommendRequest("u59"), "user 'u59' has no history: popular items"),
        (RecommendRequest(None), "nothing is known of the user: popular items"),
        (
            RecommendRequest("nobody", history=["?"]),
            "unknown user 'nobody' and the bundle holds none of the history's items: popular items",
        ),
    ],
)
@pytest.mark.parametrize("name", MODELS)
def test_without_a_history_popular_items_come_and_the_reason_is_said(engines, name, request_, reason):
    engine = engines[name]
    answer = engine.recommend(request_)
    assert answer.is_fallback
    assert answer.fallback_reason == reason
    assert ids(answer) == ids(engine.popular(10))
    assert {item.source for item in answer.items} == {"popularity"}


@pytest.mark.parametrize("name", ["item_knn", "ease", "als"])
def test_a_history_in_the_request_changes_the_answer(engines, name):
    engine = engines[name]
    known, more = (engine.recommend(RecommendRequest("u0", history=history)) for history in ((), ("m1", "m5", "m7")))
    assert ids(known) != ids(more)
    stranger = engine.recommend(RecommendRequest("new", history=["m1", "m5", "m7"]))
    assert not stranger.is_fallback
    assert not {"m1", "m5", "m7"} & set(ids(stranger))


@pytest.mark.parametrize("name", MODELS)
def test_a_stranger_with_the_history_of_a_user_gets_what_the_user_gets(engines, world, name):
    user = engines[name].recommend(RecommendRequest("u3"))
    stranger = engines[name].recommend(RecommendRequest("new", history=sorted(seen(world, 3))))
    assert stranger.items == user.items


def test_a_history_that_is_stored_already_changes_nothing(engine, world):
    known = engine.recommend(RecommendRequest("u3"))
    assert engine.recommend(RecommendRequest("u3", history=[*seen(world, 3), "unheard of"])) == known


@pytest.mark.parametrize("name", ["item_knn", "ease", "als"])
def test_what_is_dismissed_never_comes_and_never_counts(engines, world, name):
    engine, met = engines[name], sorted(seen(world, 3))
    everything = engine.recommend(RecommendRequest("u3", k=40, exclude_seen=False, dismissed=["m0", met[0], "?"]))
    assert len(everything.items) == 38
    assert not {"m0", met[0]} & set(ids(everything))
    turned_away = engine.recommend(RecommendRequest("u3", dismissed=[met[0]], history=[met[0]]))
    rest = engine.recommend(RecommendRequest("new", history=met[1:], exclude=[met[0]]))
    assert turned_away.items == rest.items
    first = engine.recommend(RecommendRequest("u3", k=1)).items.item_ids
    others = engine.recommend(RecommendRequest("u3", k=5, dismissed=first)).items
    assert others == engine.recommend(RecommendRequest("u3", k=6)).items[1:], "who is dismissed moves no score"


def test_seeds_stand_for_a_history_where_there_is_none(engine):
    answer = engine.recommend(RecommendRequest("new", seeds=["m1", "m5", "?"]))
    assert (answer.is_fallback, answer.fallback_reason) == (True, "unknown user 'new': by 2 seed items")
    assert answer.items == engine.recommend(RecommendRequest("new", history=["m1", "m5"])).items
    for known in (RecommendRequest("u3"), RecommendRequest("new", history=["m2"])):
        seeded = RecommendRequest(known.user_id, history=known.history, seeds=["m1"])
        assert engine.recommend(seeded) == engine.recommend(known)
    one = engine.recommend(RecommendRequest(None, seeds=["m1", "m5"], dismissed=["m5"]))
    assert one.fallback_reason == "nothing is known of the user: by 1 seed item"


@pytest.mark.parametrize("name", MODELS)
def test_an_explanation_names_what_the_score_would_lose(engines, world, name):
    engine = engines[name]
    answer = engine.explain("m6", user_id="u3", limit=40)
    assert (answer.item_id, answer.title, answer.model_version) == ("m6", "Movie 6", engine.model_version)
    assert {reason.item_id for reason in answer.because} <= seen(world, 3)
    assert [reason.contribution for reason in answer.because] == sorted(
        (reason.contribution for reason in answer.because), reverse=True
    )
    if name == "popularity":
        assert answer.because == []
        return
    for reason in answer.because:
        without = sorted(seen(world, 3) - {reason.item_id})
        rest = engine.recommend(RecommendRequest("new", history=without, include=["m6"], exclude_seen=False))
        assert answer.score - rest.items[0].score == pytest.approx(reason.contribution, abs=1e-5)


def test_an_explanation_needs_an_item_and_a_history(engine):
    assert len(engine.explain("m6", history=["m2"]).because) <= 1
    with pytest.raises(UnknownItemError, match="unknown item 'x'"):
        engine.explain("x", user_id="u3")
    with pytest.raises(RequestError, match="nothing is known that 'm6' could rest on: user 'nobody' has no history"):
        engine.explain("m6", user_id="nobody")


@pytest.mark.parametrize("name", MODELS)
def test_items_as_json_are_the_items(engines, name):
    items = engines[name].recommend(RecommendRequest("u3", k=40, exclude_seen=False)).items
    parsed = orjson.loads(items.json())
    assert [list(card)[:2] for card in parsed] == [["item_id", "movie_id"]] * 40
    assert [card["item_id"] for card in parsed] == [card["movie_id"] for card in parsed] == items.item_ids
    assert [card["score"] for card in parsed] == items.scores
    for card, item in zip(parsed, items, strict=True):
        ours = {name: card.pop(name) for name in ("item_id", "movie_id", "title", "score", "source")}
        assert ours["title"] == item.title
        assert ours["source"] == item.source
        assert card == item.attributes
    assert engines[name].recommend(RecommendRequest("u3", filters={"year": 1}, k=1)).items.json() == b"[]"


def test_seen_items_come_back_only_when_asked_for(engine, world):
    everything = engine.recommend(RecommendRequest("u3", k=40, exclude_seen=False, history=["m0"]))
    assert len(everything.items) == 40
    new = engine.recommend(RecommendRequest("u3", k=40, history=["m0"]))
    assert set(ids(everything)) - set(ids(new)) == seen(world, 3) | {"m0"}


def test_filters_include_and_exclude_hold_together(engine):
    answer = engine.recommend(
        RecommendRequest(
            "u0", k=40, exclude_seen=False, filters={"genres": "Comedy", "year_min": 1990}, exclude=["m11"]
        )
    )
    assert sorted(ids(answer)) == sorted(f"m{item}" for item in range(13, 40, 2))
    for item in answer.items:
        assert item.attributes["genres"] == ["Comedy"]
        assert item.attributes["year"] >= 1990
    only = engine.recommend(RecommendRequest("u0", exclude_seen=False, include=["m1", "m2", "?"], exclude=["m1"]))
    assert ids(only) == ["m2"]


def test_nothing_eligible_is_an_empty_answer(engine):
    assert engine.recommend(RecommendRequest("u0", filters={"year_min": 3000})).items == []


@pytest.mark.parametrize("k", [0, -3])
def test_a_k_below_one_is_refused(engine, k):
    for ask in (lambda: engine.recommend(RecommendRequest("u0", k=k)), lambda: engine.popular(k)):
        with pytest.raises(RequestError, match=f"k is {k}; expected 1 or more"):
            ask()


def test_an_item_shows_what_the_catalogue_knows(engine):
    (item,) = engine.recommend(RecommendRequest("u0", include=["m4"], exclude_seen=False)).items
    assert (item.item_id, item.title, item.source) == ("m4", "Movie 4", "model")
    popularity = int(engine.bundle.popularity_I[4])
    assert item.attributes == {"year": None, "genres": ["Drama", "War"], "price": 1.0, "popularity": popularity}
    (untitled,) = engine.recommend(RecommendRequest("u0", include=["m3"], exclude_seen=False)).items
    assert untitled.title == "m3"


def test_similar_items_are_the_nearest_by_cosine(engine):
    vectors_ID = engine.bundle.state["item_embeddings"].astype(np.float64)
    cosine_I = vectors_ID @ vectors_ID[6] / np.linalg.norm(vectors_ID, axis=1) / np.linalg.norm(vectors_ID[6])
    cosine_I[6] = -np.inf
    answer = engine.similar("m6", k=5)
    assert answer.item_id == "m6"
    assert answer.title == "Movie 6"
    assert ids(answer) == [f"m{item}" for item in np.argsort(-cosine_I)[:5]]
    assert [item.score for item in answer.items] == pytest.approx(np.sort(cosine_I)[::-1][:5].tolist(), abs=1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_similar_works_with_every_model_and_filter(engines, name):
    answer = engines[name].similar("m6", k=30, filters={"genres": "Comedy"})
    assert sorted(ids(answer)) == sorted(f"m{item}" for item in range(1, 40, 2))
    assert "m6" not in ids(engines[name].similar("m6", k=40))


def test_an_unknown_item_is_refused(engine):
    with pytest.raises(UnknownItemError, match=r"unknown item 'x'; the bundle .* holds 40 items, as 'm0'"):
        engine.similar("x")


def test_popular_counts_events(engine, world):
    counts_I = world.interactions.item_counts()
    answer = engine.popular(40, {"genres": ["War"]})
    assert [item.score for item in answer.items] == sorted(counts_I[::2], reverse=True)


def test_history_tells_the_latest_first(engine, world):
    events = world.interactions
    latest = [f"m{item}" for item in events.item_N[events.user_N == 3][::-1]]
    assert [card["item_id"] for card in engine.history("u3", limit=4)] == latest[:4]
    assert engine.history("nobody") == engine.history("u59") == []


def test_health_tells_what_is_served_and_since_when(engine):
    seconds = count(step=90)
    engine = Engine(engine.bundle, clock=lambda: datetime(2026, 11, 20, tzinfo=UTC) + timedelta(seconds=next(seconds)))
    health = engine.health()
    assert (health.status, health.model_version, health.n_users, health.n_items) == ("ok", engine.bundle.id, 60, 40)
    assert health.model_loaded_at == "2026-11-20T00:00:00+00:00"
    assert health.uptime_seconds == 90


def test_titles_are_found_without_regard_to_case(engine):
    assert [card["item_id"] for card in engine.cards.titles_like("MOVIE 39", 5)] == ["m39"]
    assert engine.cards.titles_like("(", 5) == []
    found = engine.cards.titles_like("movie", 3)
    assert [card["popularity"] for card in found] == sorted(engine.bundle.popularity_I, reverse=True)[:3]


def test_warming_up_changes_nothing(engine):
    before = engine.recommend(RecommendRequest("u0"))
    engine.warm_up()
    assert engine.recommend(RecommendRequest("u0")) == before


def reference(scores_I, popularity_I, catalogue, seen_items, request):
    """Item ids by sorting in plain Python."""
    rows = catalogue.with_row_index("i").to_dicts()

    def may_come(row):
        wanted = request.filters
        return (
            not (request.exclude_seen and row["i"] in seen_items)
            and (
                row["available"] is not False if "available" not in wanted else row["available"] is wanted["available"]
            )
            and ("genres" not in wanted or bool(set(wanted["genres"]) & set(row["genres"] or ())))
            and ("year_min" not in wanted or (row["year"] is not None and row["year"] >= wanted["year_min"]))
            and ("year_max" not in wanted or (row["year"] is not None and row["year"] <= wanted["year_max"]))
            and (not request.include or row["item_id"] in request.include)
            and row["item_id"] not in request.exclude
            and row["item_id"] not in request.dismissed
        )

    def merit(row):
        has_score = scores_I[row["i"]] > -np.inf
        return (not has_score, -scores_I[row["i"]] if has_score else 0, -popularity_I[row["i"]], row["i"])

    return [row["item_id"] for row in sorted(filter(may_come, rows), key=merit)][: request.k]


ITEM_IDS = st.lists(st.integers(0, 90).map(lambda item: f"m{item}"), max_size=12)
REQUESTS = st.builds(
    RecommendRequest,
    user_id=st.sampled_from([None, "u0", "u1", "u2", "nobody"]),
    k=st.integers(1, 100),
    exclude_seen=st.booleans(),
    filters=st.fixed_dictionaries(
        {},
        optional={
            "genres": st.lists(st.sampled_from("ABCD"), min_size=1, max_size=3),
            "year_min": st.integers(1989, 1996),
            "year_max": st.integers(1989, 1996),
            "available": st.booleans(),
        },
    ),
    include=st.one_of(st.just([]), st.just([]), ITEM_IDS),
    exclude=ITEM_IDS,
    history=ITEM_IDS,
    dismissed=ITEM_IDS,
)


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 2**32 - 1),
    num_items=st.integers(1, 90),
    by_vectors=st.booleans(),
    requests=st.lists(REQUESTS, min_size=1, max_size=8),
)
@example(
    seed=0,
    num_items=9,
    by_vectors=True,
    requests=[RecommendRequest(user, history=["m1"], dismissed=["m1"]) for user in ("u0", "u1")],
)
def test_answers_are_those_of_brute_force(fixed_model, make_dataset, tmp_path, seed, num_items, by_vectors, requests):
    rng = np.random.default_rng(seed)
    is_event_UI = rng.random((3, num_items)) < 0.2
    is_event_UI[2] = False
    catalogue = pl.DataFrame(
        {
            "item_id": [f"m{item}" for item in range(num_items)],
            "genres": [None if rng.random() < 0.1 else list(rng.choice(list("ABC"), 2)) for _ in range(num_items)],
            "year": [None if rng.random() < 0.1 else int(year) for year in rng.integers(1990, 1996, num_items)],
            "available": [None if rng.random() < 0.1 else bool(rng.random() < 0.8) for _ in range(num_items)],
        },
        schema={"item_id": pl.String, "genres": pl.List(pl.String), "year": pl.Int32, "available": pl.Boolean},
    )
    world = make_dataset(*np.nonzero(is_event_UI), 3, catalogue)
    if by_vectors:
        item_ID = rng.integers(-1, 2, (num_items, 3)).astype(np.float32)  # many equal scores
        state = {
            "user_embeddings": rng.integers(-2, 3, (3, 3)).astype(np.float32),
            "item_embeddings": item_ID,
            "item_energy": np.square(item_ID).sum(axis=0),
            "unobserved_weight": np.array([0.5]),
        }
        contents = BundleContents.of("als", ALS(ALSConfig(embedding_dim=3)).load_state(state), world, seed=0)
    else:
        scores_I = rng.choice(np.array([-np.inf, 0, 0, 0.5, 1, 2], dtype=np.float32), num_items)
        contents = BundleContents.of("fixed", fixed_model(scores_I), world, seed=0)
    engine = Engine(write_bundle(tmp_path, contents))
    model, popularity_I = engine.bundle.model(), is_event_UI.sum(axis=0)
    known_ids = set(catalogue["item_id"])
    for request in requests:
        user = {"u0": 0, "u1": 1, "u2": 2}.get(request.user_id)
        stored = set() if user is None else set(np.flatnonzero(is_event_UI[user]).tolist())
        met = stored | {int(item_id[1:]) for item_id in request.history if item_id in known_ids}
        met -= {int(item_id[1:]) for item_id in request.dismissed}
        history = np.zeros((1, num_items), dtype=np.float32)
        history[0, sorted(met)] = 1
        answer = engine.recommend(request)
        as_stored = user is not None and met == stored
        query = Query(np.array([user if as_stored else -1], dtype=np.int32), sparse.csr_array(history))
        used_I = model.score(query)[0] if met else popularity_I
        assert answer.is_fallback == (not met)
        assert ids(answer) == reference(used_I, popularity_I, catalogue, met, request)
        has_score_K = used_I[answer.items.item_K] > -np.inf
        shown_K = np.where(has_score_K, used_I[answer.items.item_K], popularity_I[answer.items.item_K])
        assert answer.items.scores == shown_K.tolist(), "scores are equal to the bit"
