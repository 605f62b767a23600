import json
import signal
import socket
import subprocess
import sys
import time

import httpx
import pytest
import yaml

from foretaste.config import load_config
from foretaste.errors import ArtifactError, ConfigError, RequestError
from foretaste.serving.engine import Engine, RecommendRequest
from foretaste.serving.settings import ServingConfig


@pytest.fixture
def engine(store):
    return Engine(store.open())


def test_recommend_prints_titles_and_what_was_liked_last(foretaste, store, engine):
    result = foretaste("recommend", "--user", "u0", "-k", 3, "--store", store.root)
    assert result.exit_code == 0, result.output
    for item in engine.recommend(RecommendRequest("u0", 3)).items:
        assert item.item_id in result.stdout
        assert item.title in result.stdout, "titles that look like markup are shown as they stand"
    assert "liked last" in result.stdout
    assert engine.history("u0", 1)[0]["title"] in result.stdout


def test_recommend_as_json(foretaste, store, engine):
    result = foretaste("recommend", "--user", "u0", "-k", 3, "--store", store.root, "--json")
    found = json.loads(result.stdout)
    expected = engine.recommend(RecommendRequest("u0", 3))
    assert result.stdout.count("\n") == 1
    assert (found["user_id"], found["model_version"], found["is_fallback"]) == ("u0", engine.bundle.id, False)
    assert [(each["item_id"], each["title"], each["score"]) for each in found["recommendations"]] == [
        (item.item_id, item.title, item.score) for item in expected.items
    ]


@pytest.mark.parametrize(
    ("options", "filters"),
    [
        (["--genre", "Comedy"], {"genres": "Comedy"}),
        (["--genre", "Comedy", "--genre", "War", "--year-min", 1995, "--year-max", 2000], {"year": range(1995, 2001)}),
        (["--filter", "price_max=2", "--filter", "genres=[War, Drama]"], {"price_max": 2}),
        (["--filter", "title=Star Wars 1"], {"title": "Star Wars 1"}),
    ],
)
def test_filters_reach_the_engine(foretaste, store, engine, options, filters):
    result = foretaste("recommend", "--user", "x", "-k", 15, *options, "--store", store.root, "--json")
    found = json.loads(result.stdout)["recommendations"]
    expected = engine.recommend(RecommendRequest("x", 15, filters=filters))
    assert [each["item_id"] for each in found] == [item.item_id for item in expected.items]


def test_history_and_seen_items_reach_the_engine(foretaste, store, engine):
    base = ("recommend", "--user", "u0", "-k", 15, "--store", store.root, "--json")
    with_history = json.loads(foretaste(*base, "--history", "m1", "--history", "m9").stdout)["recommendations"]
    assert not {"m1", "m9"} & {each["item_id"] for each in with_history}
    assert len(json.loads(foretaste(*base, "--include-seen").stdout)["recommendations"]) == 15


def test_an_unknown_user_is_told_why_popular_items_come(foretaste, store):
    result = foretaste("recommend", "--user", "nobody", "--store", store.root)
    assert "unknown user 'nobody': popular items" in result.stdout
    assert "events" in result.stdout
    assert "liked last" not in result.stdout


def test_when_nothing_is_left_the_genres_are_named(foretaste, store):
    result = foretaste("recommend", "--user", "u0", "--genre", "Wra", "--store", store.root)
    assert "No movie is left after the filters. Genres of the catalogue: Comedy, Drama, War." in result.stdout


def test_similar_by_id_and_by_title(foretaste, store, engine):
    by_id = foretaste("similar", "--item", "m1", "-k", 4, "--store", store.root, "--json")
    expected = engine.similar("m1", 4)
    found = json.loads(by_id.stdout)
    assert found["movie_id"] == "m1"
    assert [each["item_id"] for each in found["similar_items"]] == [item.item_id for item in expected.items]
    by_title = foretaste("similar", "--title", "star wars 1", "-k", 4, "--store", store.root, "--json")
    assert by_title.stdout == by_id.stdout
    assert "Star Wars 1" in foretaste("similar", "--item", "m1", "--store", store.root).stdout


def test_a_title_that_could_mean_several_says_which_and_what_else(foretaste, store):
    result = foretaste("similar", "--title", "STAR", "--store", store.root, "--json")
    assert json.loads(result.stdout)["title"].startswith("Star Wars")
    assert "is taken for Star Wars" in result.stderr
    assert result.stderr.count("--item m") == 2


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("similar", "--title", "nothing"), RequestError, "no movie has 'nothing' in its title"),
        (("similar", "--item", "x"), RequestError, "unknown item 'x'"),
        (("recommend", "--user", "u0", "--filter", "colour=red"), RequestError, "unknown filter 'colour'"),
        (("recommend", "--user", "u0", "--filter", "price_max"), ConfigError, "expected ATTRIBUTE=VALUE"),
        (("recommend", "--user", "u0", "--filter", "price_max=["), ConfigError, "expected ATTRIBUTE=VALUE"),
        (("recommend", "--user", "u0", "--filter", "year=2020-13-45"), ConfigError, "expected ATTRIBUTE=VALUE"),
        (("recommend", "--user", "u0", "--bundle", "x"), ArtifactError, "no bundle 'x'; there are"),
        (("serve", "--port", "99999"), ConfigError, "port"),
        (("serve", "--config", "nowhere.yaml"), ConfigError, "nowhere.yaml"),
        (("serve", "--set", "limits.que=3"), ConfigError, "did you mean 'limits.queue'"),
        (("serve", "--host", "0.0.0.0"), ConfigError, "foretaste keys create --name NAME --role read"),
    ],
)
def test_what_cannot_be_done_is_explained(foretaste, store, arguments, error, message):
    result = foretaste(*arguments, "--store", store.root)
    assert isinstance(result.exception, error)
    assert message in str(result.exception)


@pytest.mark.parametrize("arguments", [("similar",), ("similar", "--item", "m1", "--title", "x"), ("recommend",)])
def test_wrong_use_exits_with_2(foretaste, arguments):
    assert foretaste(*arguments).exit_code == 2


def test_without_a_bundle_the_command_to_run_first_is_named(shell, tmp_path):
    result = shell("recommend", "--user", "1", "--store", tmp_path / "none")
    assert result.returncode == 1
    assert result.stdout == ""
    assert "run `foretaste demo` or `foretaste run CONFIG` first" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_taken_port_is_explained(foretaste, store):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = foretaste("serve", "--port", taken.getsockname()[1], "--store", store.root)
    assert isinstance(result.exception, ConfigError)
    assert "--port 0 takes a free one" in str(result.exception)


def test_the_shipped_config_says_the_defaults(pytestconfig):
    path = pytestconfig.rootpath / "configs" / "serving.yaml"
    assert load_config(path, ServingConfig) == ServingConfig()
    assert yaml.safe_load(path.read_text()).keys() == ServingConfig.model_fields.keys()


def start_server(store_root, port, config):
    arguments = ["serve", "--config", str(config), "--port", str(port), "--store", str(store_root)]
    code = "from foretaste.cli import main; main()"
    process = subprocess.Popen([sys.executable, "-c", code, *arguments], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            httpx.get(f"http://127.0.0.1:{port}/ready").raise_for_status()
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            return process
    process.kill()
    raise AssertionError(f"the server did not start: {process.communicate()[1]}")


def four_calls(port):
    """The answers of the four calls, without what differs between two requests."""
    with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        responses = [
            client.get("/health"),
            client.post("/recommend", json={"user_id": "u0", "k": 5, "filters": {"year_min": 1992}}),
            client.post("/similar", json={"movie_id": "m2", "k": 3}),
            client.get("/popular", params={"k": 4, "genre": "Comedy"}),
        ]
    assert [response.status_code for response in responses] == [200] * 4
    changing = {"request_id", "uptime_seconds", "model_loaded_at"}
    return [{key: value for key, value in each.json().items() if key not in changing} for each in responses]


def test_a_server_answers_the_four_calls_and_again_after_a_restart(store, tmp_path, pytestconfig, engine):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    config = pytestconfig.rootpath / "configs" / "serving.yaml"
    answers = []
    for stop, exit_code in ((signal.SIGTERM, 0), (signal.SIGINT, 130)):
        process = start_server(store.root, port, config)
        answers.append(four_calls(port))
        process.send_signal(stop)
        _, told = process.communicate(timeout=30)
        assert f"http://127.0.0.1:{port}" in told
        assert "Traceback" not in told
        assert process.returncode == exit_code
    assert answers[0] == answers[1]
    health, recommended, similar, popular = answers[0]
    assert health["model_version"] == store.production_id()
    served = [(each["movie_id"], each["score"]) for each in recommended["recommendations"]]
    expected = engine.recommend(RecommendRequest("u0", 5, filters={"year_min": 1992})).items
    assert served == [(item.item_id, item.score) for item in expected]
    assert len(similar["similar_items"]) == 3
    assert len(popular["recommendations"]) == 4
