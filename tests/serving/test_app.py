import json

import pytest

from foretaste.serving import answer_schemas
from foretaste.serving.engine import RecommendRequest

ITEM_FIELDS = {"item_id", "movie_id", "title", "score", "source", "year", "genres", "price", "popularity"}


@pytest.fixture
def service(make_service):
    return make_service()


@pytest.fixture
def engine(service):
    return service.models.current.default.engine


@pytest.fixture
def client(service, client_of):
    return client_of(service)


def problem(response, status, kind):
    """The problem of a response, checked for what all problems have."""
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    found = response.json()
    assert found["type"] == f"urn:foretaste:problem:v1:{kind}"
    assert found["status"] == status
    assert found["request_id"] == response.headers["x-request-id"]
    assert answer_schemas.Problem.model_validate(found, extra="forbid")
    return found


def test_health(client, engine):
    found = client.get("/health").json()
    assert found.keys() == answer_schemas.HealthAnswer.model_fields.keys()
    assert (found["status"], found["model_version"], found["n_users"], found["n_items"]) == (
        "ok",
        engine.bundle.id,
        60,
        40,
    )


def test_probes(client):
    assert client.get("/live").json() == {"status": "alive"}
    ready = client.get("/ready").json()
    assert (ready["status"], ready["problems"]) == ("ready", {})


def test_recommend_gives_what_the_engine_gives(client, engine):
    filters = {"genres": ["War"], "year_min": 1985}
    response = client.post("/recommend", json={"user_id": "u3", "k": 7, "filters": filters})
    assert response.status_code == 200
    found = response.json()
    assert answer_schemas.RecommendAnswer.model_validate(found)
    expected = engine.recommend(RecommendRequest("u3", 7, filters=filters))
    assert [item["item_id"] for item in found["recommendations"]] == [item.item_id for item in expected.items]
    assert [item["score"] for item in found["recommendations"]] == [item.score for item in expected.items]
    assert len(found["recommendations"]) == 7
    for item in found["recommendations"]:
        assert item.keys() == ITEM_FIELDS
        assert item["movie_id"] == item["item_id"]
    assert (found["user_id"], found["model_version"]) == ("u3", engine.bundle.id)
    assert (found["is_fallback"], found["fallback_reason"]) == (False, None)
    assert found["request_id"] == response.headers["x-request-id"]


def test_the_defaults_are_ten_items_that_are_new_to_the_user(client, world):
    found = client.post("/recommend", json={"user_id": "u3"}).json()["recommendations"]
    seen = {f"m{item}" for item in world.interactions.item_N[world.interactions.user_N == 3]}
    assert len(found) == 10
    assert not seen & {item["item_id"] for item in found}
    everything = client.post("/recommend", json={"user_id": "u3", "k": 40, "exclude_seen": False}).json()
    assert len(everything["recommendations"]) == 40


def test_an_unknown_user_gets_popular_items_and_the_reason(client):
    found = client.post("/recommend", json={"user_id": "nobody", "k": 3}).json()
    assert found["is_fallback"] is True
    assert found["fallback_reason"] == "unknown user 'nobody': popular items"
    popular = client.get("/popular", params={"k": 3}).json()
    assert found["recommendations"] == popular["recommendations"]


def test_history_include_and_exclude_reach_the_engine(client):
    body = {"user_id": "new", "history": ["m1", "m3"], "include": ["m1", "m5", "m7", "m9"], "exclude": ["m7"]}
    found = client.post("/recommend", json=body).json()
    assert {item["item_id"] for item in found["recommendations"]} == {"m5", "m9"}
    assert found["is_fallback"] is False


def test_ids_may_come_as_numbers(client):
    assert client.post("/recommend", json={"user_id": 196}).json()["user_id"] == "196"


@pytest.mark.parametrize("name", ["item_id", "movie_id"])
def test_similar_takes_the_item_by_either_name(client, engine, name):
    response = client.post("/similar", json={name: "m6", "k": 4, "filters": {"genres": "War"}})
    found = response.json()
    assert answer_schemas.SimilarAnswer.model_validate(found)
    assert found["item_id"] == found["movie_id"] == "m6"
    assert found["title"] == "Movie 6"
    expected = engine.similar("m6", 4, {"genres": "War"}).items
    assert [item["item_id"] for item in found["similar_items"]] == [item.item_id for item in expected]
    assert found["similar_items"][0].keys() == ITEM_FIELDS
    assert found["request_id"] == response.headers["x-request-id"]


def test_popular_by_years(client):
    found = client.get("/popular", params={"k": 40, "year_min": 1985, "year_max": 1987}).json()["recommendations"]
    assert sorted(item["year"] for item in found) == [1985, 1986, 1987]


def test_popular_by_genre(client):
    response = client.get("/popular", params={"k": 40, "genre": ["War", "Nothing"]})
    found = response.json()
    assert answer_schemas.PopularAnswer.model_validate(found)
    assert found["source"] == "popularity"
    assert len(found["recommendations"]) == 20
    assert all("War" in item["genres"] for item in found["recommendations"])


def test_an_unknown_item_is_a_404(client):
    found = problem(client.post("/similar", json={"item_id": "x"}), 404, "unknown-item")
    assert "unknown item 'x'" in found["detail"]


def test_a_filter_that_does_not_fit_is_a_422_that_names_those_that_do(client):
    found = problem(client.post("/recommend", json={"filters": {"genre": "War"}}), 422, "bad-request")
    assert "did you mean 'genres'" in found["detail"]
    problem(client.post("/recommend", json={"filters": {"year": "1990"}}), 422, "bad-request")


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/recommend", {"k": 0}, "k"),
        ("/recommend", {"k": 1001}, "k"),
        ("/recommend", {"k": 10**30}, "k"),
        ("/recommend", {"k": "many"}, "k"),
        ("/recommend", {"user_id": ""}, "user_id"),
        ("/recommend", {"user_id": "x" * 257}, "user_id"),
        ("/recommend", {"user_id": ["x"]}, "user_id"),
        ("/recommend", {"userid": "x"}, "userid"),
        ("/recommend", {"history": ["m1"] * 1001}, "history"),
        ("/recommend", {"include": ["m1"] * 10_001}, "include"),
        ("/recommend", {"filters": {"genres": ["x"] * 1001}}, "filters.genres"),
        ("/recommend", {"filters": {"genres": "x" * 257}}, "filters.genres"),
        ("/recommend", {"filters": {f"a{n}": 1 for n in range(33)}}, "filters"),
        ("/recommend", {"filters": []}, "filters"),
        ("/users", {"user_id": "x", "attributes": {"age": "0" * 257}}, "attributes.age"),
        ("/users", {"user_id": "x", "attributes": {"age": [30]}}, "attributes.age"),
        ("/users", {"user_id": "x", "attributes": {"age": 10**400}}, "attributes.age"),
        ("/similar", {}, "item_id"),
        ("/similar", {"item_id": "m1", "book_id": "m1"}, "book_id"),
    ],
)
def test_what_is_not_valid_is_a_422_that_names_the_field(client, path, body, field):
    found = problem(client.post(path, json=body), 422, "invalid-request")
    assert field in [error["field"] for error in found["errors"]]
    assert field in found["detail"]


@pytest.mark.parametrize(
    ("path", "body", "hint"),
    [
        ("/recommend", {"user": "u3"}, "user: unknown field; did you mean 'user_id'?"),
        ("/recommend", {"zzz": 1}, "zzz: unknown field; expected user_id, k, exclude_seen"),
        ("/similar", {"item_id": "m1", "movie": "m1"}, "movie: unknown field; did you mean 'movie_id'?"),
        ("/recommend/batch", {"requests": [{"kk": 1}]}, "requests.0.kk: unknown field; did you mean 'k'?"),
        (
            "/feedback",
            {"events": [{"kind": "click", "item_id": "m1", "user": "u3"}]},
            "events.0.user: unknown field; did you mean 'user_id'?",
        ),
    ],
)
def test_an_unknown_field_is_told_with_those_that_there_are(client, path, body, hint):
    assert hint in problem(client.post(path, json=body), 422, "invalid-request")["detail"]


def test_of_very_many_unknown_fields_some_are_named(client):
    response = client.post("/recommend", json={f"a{n}": 1 for n in range(10_000)})
    found = problem(response, 422, "invalid-request")
    assert len(found["errors"]) == 20
    assert found["detail"].endswith("and 9,980 more")
    assert len(response.content) < 10_000


@pytest.mark.parametrize("params", [{"k": 0}, {"k": 1001}, {"k": "x"}, {"genre": ["x"] * 33}])
def test_query_parameters_are_bounded_too(client, params):
    problem(client.get("/popular", params=params), 422, "invalid-request")


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"\xff",
        b'{"user_id": "\\ud800"}',
        b'{"filters": {"\\ud800": 1}}',
        b'{"filters": {"genres": "\\ud800"}}',
        b'{"filters": {"genres": [["War"]]}}',
        b'{"filters": {"genres": {"a": 1}}}',
        b'{"filters": {"year_min": NaN}}',
        b'{"filters": {"year_min": 1e999}}',
        b'{"filters": {"year_min": [1, 2]}}',
        b'{"filters": {"genres": [null]}}',
    ],
)
def test_odd_bodies_are_refused_not_failures(client, body):
    response = client.post("/recommend", content=body, headers={"content-type": "application/json"})
    assert response.status_code in (400, 422)
    assert response.headers["content-type"] == "application/problem+json"


def test_wrong_paths_and_methods_are_problems(client):
    assert "/docs" in problem(client.get("/nothing"), 404, "not-found")["detail"]
    assert "another method" in problem(client.get("/recommend"), 405, "method-not-allowed")["detail"]


def test_a_failure_of_ours_tells_nothing_of_the_inside_but_the_log_does(service, client_of, monkeypatch, capfd):
    def broken(request):
        raise RuntimeError("the secret")

    monkeypatch.setattr(service.models.current.default.engine, "recommend", broken)
    response = client_of(service).post("/recommend", json={})
    found = problem(response, 500, "internal-error")
    assert "secret" not in response.text
    (line,) = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert line["request_id"] == found["request_id"]
    assert "the secret" in line["traceback"]


def test_the_request_log_tells_which_model_failed_and_no_error_of_the_caller(make_service, client_of, monkeypatch):
    service = make_service(clock=lambda: 7.5)
    rows, client = [], client_of(service)
    monkeypatch.setattr(service.logs.requests, "append", rows.append)

    def broken(request):
        raise RuntimeError("no")

    engine = service.models.current.default.engine
    monkeypatch.setattr(engine, "recommend", broken)
    assert client.post("/recommend", json={"k": -1}).status_code == 422
    assert client.post("/similar", json={"item_id": "m99"}).status_code == 404
    assert rows == []
    response = client.post("/recommend", json={"user_id": "u3"})
    assert response.status_code == 500
    (row,) = rows
    assert (row.endpoint, row.status, row.model_version) == ("/recommend", 500, engine.model_version)
    assert (row.request_id, row.timestamp) == (response.json()["request_id"], 7.5)
    assert (row.user_id, row.recommendations) == (None, ())


def test_request_ids_differ(client):
    assert len({client.get("/health").json()["request_id"] for _ in range(5)}) == 5


def test_the_examples_of_the_documentation_run(client):
    described = client.get("/openapi.json").json()
    assert client.get("/docs").status_code == 200
    tried = 0
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            for example in content.get("examples", {}).values():
                response = client.request(method, path, json=example["value"])
                assert response.status_code == 200, (path, example, response.text)
                tried += 1
    assert tried == 9
    named = json.dumps(described)
    assert not any(f'"u{user}"' in named for user in range(60)), "a user of the data is named"


def test_the_documentation_names_the_problems(client):
    described = client.get("/openapi.json").json()["paths"]
    assert described["/similar"]["post"]["responses"].keys() >= {"200", "401", "403", "404", "413", "422", "429", "503"}
    assert described["/live"]["get"]["responses"].keys() == {"200", "421"}
    assert "application/problem+json" in described["/recommend"]["post"]["responses"]["422"]["content"]


def test_a_batch_answers_each_as_alone_and_logs_each(client, service):
    bodies = [{"user_id": "u3", "k": 2}, {"user_id": "nobody", "k": 3}, {"history": ["m1"], "k": 1}]
    found = client.post("/recommend/batch", json={"requests": bodies}).json()
    assert answer_schemas.BatchAnswer.model_validate(found)
    for body, answer in zip(bodies, found["answers"], strict=True):
        alone = client.post("/recommend", json=body).json()
        assert answer["recommendations"] == alone["recommendations"]
    ids = {answer["request_id"] for answer in found["answers"]} | {found["request_id"]}
    assert len(ids) == 4, "feedback can name each of them"
    assert service.logs.requests.num_appended == 6


def test_feedback_changes_the_next_answer_and_what_was_skipped_is_gone(client):
    before = client.post("/recommend", json={"user_id": "new", "k": 5}).json()
    assert before["is_fallback"]
    skipped = before["recommendations"][0]["item_id"]
    events = [
        {"kind": "click", "movie_id": "m1", "user_id": "new", "event_id": "e1", "request_id": before["request_id"]},
        {"kind": "skip", "item_id": skipped, "user_id": "new", "event_id": "e2"},
    ]
    for _ in range(2):
        assert client.post("/feedback", json={"events": events}).json()["event_ids"] == ["e1", "e2"]
    after = client.post("/recommend", json={"user_id": "new", "k": 40}).json()
    assert not after["is_fallback"]
    assert not {"m1", skipped} & {item["item_id"] for item in after["recommendations"]}


@pytest.mark.parametrize(
    "event",
    [{"kind": "rating", "item_id": "m1"}, {"kind": "click", "item_id": "m1", "timestamp": 1e11}, {"kind": "like"}],
)
def test_events_that_say_nothing_are_refused(client, service, event):
    assert client.post("/feedback", json={"events": [event]}).status_code == 422
    assert service.logs.status().feedback_taken == 0
