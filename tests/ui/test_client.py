"""Each way in which a call can fail, and what a person is told of it."""

import json

import httpx
import pytest

from foretaste.ui.client import ApiClient
from foretaste.ui.failures import ApiError

HEALTH = {"status": "ok", "model_version": "v1", "model_loaded_at": "2026-01-02T03:04:05+00:00", "uptime_seconds": 1}


def client_of(handler, **options):
    waits = []
    made = ApiClient("http://service", transport=httpx.MockTransport(handler), sleep=waits.append, **options)
    return made, waits


def failing(error):
    def handler(request):
        raise error

    return handler


def failure_of(handler, call=ApiClient.health):
    client, waits = client_of(handler)
    with pytest.raises(ApiError) as caught:
        call(client)
    return caught.value.failure, waits


def problem(status, **headers):
    body = {"type": "urn:foretaste:problem:v1:x", "detail": "told by the service", "request_id": "ab" * 16}
    return lambda request: httpx.Response(status, json=body, headers=headers)


@pytest.mark.parametrize(
    ("handler", "kind", "title", "remedy"),
    [
        (failing(httpx.ConnectError("refused")), "unreachable", "cannot be reached", "foretaste serve"),
        (failing(httpx.ConnectTimeout("late")), "unreachable", "cannot be reached", "--api"),
        (failing(httpx.RemoteProtocolError("cut")), "unreachable", "cannot be reached", "http://service"),
        (failing(httpx.ReadTimeout("late")), "slow", "too long", "--timeout"),
        (problem(401), "status-401", "valid API key", "FORETASTE_API_KEY"),
        (problem(403), "status-403", "does not allow", "--role write"),
        (problem(404), "status-404", "does not know", "Search"),
        (problem(421), "status-421", "under this name", "127.0.0.1"),
        (problem(422), "status-422", "cannot meet", "Change"),
        (problem(429), "status-429", "Too many", "Wait"),
        (problem(503), "status-503", "too busy", "Wait"),
        (problem(500), "status-500", "failed", "log"),
        (problem(599), "status-599", "failed", "log"),
        (lambda request: httpx.Response(200, html="<h1>Hello</h1>"), "unreadable", "not from foretaste", "--api"),
        (lambda request: httpx.Response(200, json={"hello": 1}), "unreadable", "not from foretaste", "--api"),
        (lambda request: httpx.Response(502, html="<h1>nginx</h1>"), "status-502", "failed", "Try again"),
    ],
)
def test_each_failure_says_what_happened_and_what_to_do(handler, kind, title, remedy):
    failure, _ = failure_of(handler)
    assert failure.kind == kind
    assert title in failure.title
    assert remedy in failure.remedy


def test_the_words_of_the_service_and_the_request_id_are_passed_on():
    failure, _ = failure_of(problem(422))
    assert failure.detail == "told by the service"
    assert failure.request_id == "ab" * 16


def test_what_is_not_a_problem_is_not_passed_on():
    failure, _ = failure_of(lambda request: httpx.Response(500, html="<h1>Traceback</h1>"))
    assert failure.detail == ""


@pytest.mark.parametrize(
    ("handler", "pauses"),
    [
        (problem(503), 2),
        (problem(429), 2),
        (problem(503, **{"Retry-After": "1"}), 2),
        (problem(429, **{"Retry-After": "60"}), 0),
        (failing(httpx.ConnectError("refused")), 2),
        (failing(httpx.ReadTimeout("late")), 0),
        (problem(401), 0),
        (problem(422), 0),
        (problem(500), 0),
    ],
)
def test_what_may_pass_is_asked_again_and_nothing_else(handler, pauses):
    calls = []

    def counting(request):
        calls.append(request)
        return handler(request)

    _, waits = failure_of(counting)
    assert len(waits) == pauses
    assert len(calls) == pauses + 1


def test_the_pause_that_the_service_asks_for_is_kept():
    _, waits = failure_of(problem(503, **{"Retry-After": "1"}))
    assert waits == [1.0, 1.0]


def test_a_long_wait_is_told():
    failure, _ = failure_of(problem(429, **{"Retry-After": "60"}))
    assert "60 s" in failure.remedy


def test_an_answer_after_a_failure_is_taken():
    answers = [httpx.Response(503), httpx.ConnectError("cut"), httpx.Response(200, json=HEALTH)]

    def handler(request):
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    client, _ = client_of(handler)
    assert client.health() == HEALTH


def test_a_repeated_event_keeps_its_id():
    sent = []

    def handler(request):
        sent.append(json.loads(request.content))
        return httpx.Response(503 if len(sent) < 3 else 200, json={"event_ids": []})

    client, _ = client_of(handler)
    client.feedback("click", ["m1", "m2"], "u1", "ab" * 16)
    assert sent[0] == sent[1] == sent[2]
    first, second = sent[0]["events"]
    assert first["event_id"] != second["event_id"]
    assert (first["kind"], first["item_id"], first["user_id"], first["request_id"]) == ("click", "m1", "u1", "ab" * 16)


def test_the_key_is_sent_and_none_where_there_is_none():
    seen = []

    def handler(request):
        seen.append(request.headers.get("Authorization"))
        return httpx.Response(200, json=HEALTH)

    client_of(handler, key="ft_secret")[0].health()
    client_of(handler)[0].health()
    assert seen == ["Bearer ft_secret", None]


def test_an_item_id_with_a_slash_stays_one_part_of_the_path():
    seen = []

    def handler(request):
        seen.append(request.url.raw_path)
        return httpx.Response(200, json={"title": "T"})

    client_of(handler)[0].item("a/b?c")
    assert seen == [b"/items/a%2Fb%3Fc"]


def test_popular_sends_genres_and_years():
    seen = []

    def handler(request):
        seen.append(dict(request.url.params.multi_items()) | {"genre": request.url.params.get_list("genre")})
        return httpx.Response(200, json={"recommendations": []})

    client_of(handler)[0].popular(5, {"genres": ["War", "Drama"], "year_min": 1990})
    assert seen == [{"k": "5", "genre": ["War", "Drama"], "year_min": "1990"}]
