"""Each page when the service fails: what happened, what to do, and nothing raw."""

import httpx
import pytest

from foretaste.ui import page
from foretaste.ui.views import about, compare, for_you, more_like_this, new_here, popular

FAILURES = [
    (httpx.ConnectError("refused"), "cannot be reached", "foretaste serve"),
    (httpx.ReadTimeout("late"), "takes too long", "--timeout"),
    (401, "valid API key", "FORETASTE_API_KEY"),
    (422, "cannot meet", "Change what is asked for"),
    (503, "too busy", "Wait a few seconds"),
]
OWN_CALLS = [
    (for_you.show, "/recommend", {"user_id": "u5"}),
    (for_you.show, "/history", {"user_id": "u5"}),
    (more_like_this.show, "/similar", {"item_id": "m3"}),
    (popular.show, "/popular", {}),
    (lambda client, card: new_here.show(client, card, print), "/recommend", {"picks": {"m4": "Movie 4"}}),
    (lambda client, card: new_here.show(client, card, print), "/popular", {}),
    (about.show, "/health", {}),
    (about.show, "/about", {}),
]


@pytest.fixture
def visit(draw):
    """Draws a page with all that surrounds it."""

    def visited(show, **session):
        return draw(lambda client, card: page.draw(client, "Title", lambda told: show(client, told)), **session)

    return visited


@pytest.mark.parametrize(("refusal", "happened", "to_do"), FAILURES)
def test_a_failure_of_the_service_is_told_in_place_of_the_page(visit, service, refusal, happened, to_do):
    service.refusals["/health"] = refusal
    test = visit(popular.show)
    assert happened in test.error[0].value
    assert to_do in test.error[0].value.replace("\\", "")
    assert test.title[0].value == "Title"
    assert service.bodies("/popular") == []
    assert "ft-down" in test.sidebar.get("html")[0].proto.body


@pytest.mark.parametrize(("show", "path", "session"), OWN_CALLS)
def test_a_failure_of_a_call_of_the_page_is_told_on_it(visit, service, show, path, session):
    service.refusals[path] = 503
    test = visit(show, **session)
    assert "too busy" in test.error[0].value
    assert test.title


def test_the_words_of_the_service_are_told_as_text(visit, service):
    service.refusals["/recommend"] = 422
    told = visit(for_you.show, user_id="u5").error[0].value
    assert "The service says: told by the \\*service\\*" in told
    assert "abab" in told


def test_trying_again_draws_the_page(visit, service):
    service.refusals["/health"] = 503
    test = visit(popular.show)
    service.refusals.clear()
    test.button(key="try_again").click().run()
    assert not test.error
    assert "ft-up" in test.sidebar.get("html")[0].proto.body
    assert service.bodies("/popular")


def test_the_model_card_is_asked_for_again_when_another_model_answers(visit, service):
    test = visit(popular.show)
    test.run()
    assert len(service.bodies("/about")) == 1
    service.card_of_model["model_version"] = "v2"
    test.run()
    assert len(service.bodies("/about")) == 2


def test_a_second_service_that_fails_is_told(visit, service):
    other = type(service)()
    other.refusals["/about"] = 401
    test = visit(lambda client, card: compare.show(client, card, other.client("http://other")))
    assert "valid API key" in test.error[0].value
