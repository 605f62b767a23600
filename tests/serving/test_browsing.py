import pytest

from foretaste.serving.settings import ExperimentSettings, VariantSettings


@pytest.fixture
def service(make_service):
    return make_service()


@pytest.fixture
def client(service, client_of):
    with client_of(service) as client:
        yield client


def test_items_are_found_by_a_part_of_their_title(client, world):
    found = client.get("/items", params={"query": "mOvIe 1", "limit": 50}).json()["items"]
    assert {item["title"] for item in found} == {f"Movie {number}" for number in (1, *range(10, 20))}
    assert found[0]["movie_id"] == found[0]["item_id"]
    popularity = [item["popularity"] for item in found]
    assert popularity == sorted(popularity, reverse=True)
    assert len(client.get("/items", params={"limit": 5}).json()["items"]) == 5
    assert client.get("/items", params={"query": "(.*"}).json()["items"] == []


def test_users_are_found_by_the_beginning_of_their_id(client):
    assert client.get("/users", params={"query": "u1", "limit": 3}).json()["user_ids"] == ["u1", "u10", "u11"]
    assert client.get("/users", params={"query": "nobody"}).json()["user_ids"] == []


def test_a_history_has_what_the_training_knew_and_what_came_since(client, service):
    engine = service.models.current.default.engine
    before = client.get("/history", params={"user_id": "u3"}).json()
    assert before["is_known"]
    assert [item["item_id"] for item in before["history"]] == [card["item_id"] for card in engine.history("u3")]
    assert before["recent"] == []
    new = client.post("/recommend", json={"user_id": "u3", "k": 1}).json()["recommendations"][0]
    event = {"kind": "click", "item_id": new["item_id"], "user_id": "u3"}
    assert client.post("/feedback", json={"events": [event]}).status_code == 200
    after = client.get("/history", params={"user_id": "u3"}).json()
    assert after["recent"] == [{"item_id": new["item_id"], "title": new["title"]}]
    stranger = client.get("/history", params={"user_id": "nobody"}).json()
    assert (stranger["is_known"], stranger["history"], stranger["recent"]) == (False, [], [])
    assert client.get("/history").status_code == 422


def test_the_model_card(client, service):
    told = client.get("/about").json()
    manifest = service.models.current.default.engine.bundle.manifest
    assert (told["model"], told["model_version"], told["item_noun"]) == ("als", manifest.bundle_id, "movie")
    assert told["config"]["embedding_dim"] == 8
    assert told["variants"] == ["default"]
    assert told["filters"]["genres"] == {"kind": "text", "several": True, "values": ["Comedy", "Drama", "War"]}
    assert told["filters"]["year"] == {"kind": "number", "several": False, "min": 1980.0, "max": 2019.0}


def test_a_variant_may_be_asked_by_name(make_service, client_of, store):
    first, second = [each.bundle_id for each in store.list()][:2]
    variants = (VariantSettings(name="blue", bundle=second, share=0.5),)
    experiment = ExperimentSettings(name="colours", variants=variants)
    service = make_service(store=store.root, bundle=first, experiment=experiment)
    with client_of(service) as client:
        for user_id in ("u1", "u2", "u3", "u4"):
            for variant, bundle_id in (("default", first), ("blue", second)):
                answer = client.post("/recommend", json={"user_id": user_id, "variant": variant}).json()
                assert (answer["variant"], answer["model_version"]) == (variant, bundle_id)
        refused = client.post("/recommend", json={"user_id": "u1", "variant": "green"})
        assert refused.status_code == 422
        assert "expected one of default, blue" in refused.json()["detail"]
