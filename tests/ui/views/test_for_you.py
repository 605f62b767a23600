import httpx
import pytest

from foretaste.ui.views import for_you


def like(test, item_id):
    return test.button(key=f"for_you_Like_{item_id}")


def not_for_me(test, item_id):
    return test.button(key=f"for_you_Not for me_{item_id}")


def test_without_a_user_it_says_what_to_do(draw, said, service):
    test = draw(for_you.show)
    assert "Choose a user above" in said(test)
    assert service.bodies("/recommend") == []


def test_a_user_sees_a_list_with_reasons_and_what_they_liked_last(draw, said, service):
    text = said(draw(for_you.show, user_id="u5"))
    assert "Liked last: Movie 90" in text
    assert text.count("Because you liked Movie 90<") == 10  # Movie 91 speaks against the item
    assert "1982 · Comedy" in text
    assert service.bodies("/recommend")[-1] == {"user_id": "u5", "k": 10, "exclude_seen": True, "filters": {}}


def test_a_like_goes_to_the_service_and_changes_the_list(draw, said, service):
    test = draw(for_you.show, user_id="u5")
    like(test, "m2").click().run()
    assert [(event["kind"], event["item_id"], event["user_id"]) for event in service.events] == [("click", "m2", "u5")]
    assert service.events[0]["request_id"] == "cd" * 16
    keys = [button.key for button in test.button]
    assert "for_you_Like_m2" not in keys
    assert "for_you_Like_m10" in keys
    assert "Liked last: Movie 2 · Movie 90" in said(test)


def test_what_is_not_for_them_is_skipped(draw, service):
    test = draw(for_you.show, user_id="u5")
    not_for_me(test, "m0").click().run()
    assert [event["kind"] for event in service.events] == ["skip"]
    assert "for_you_Like_m0" not in [button.key for button in test.button]


@pytest.mark.parametrize("refusal", [403, 503, httpx.ConnectError("refused")])
def test_a_rating_that_is_refused_is_told_and_the_list_stays(draw, said, service, refusal):
    test = draw(for_you.show, user_id="u5")
    service.refusals["/feedback"] = refusal
    like(test, "m2").click().run()
    assert "The rating was not kept" in said(test)
    assert like(test, "m2")
    assert not test.exception


def test_filters_and_size_are_asked_for(draw, service):
    test = draw(for_you.show, user_id="u5")
    test.multiselect(key="for_you_genres").select("Comedy").run()
    test.slider(key="for_you_year").set_range(1990, 2020).run()
    test.selectbox(key="for_you_subtitled").select("yes").run()
    test.toggle(key="for_you_exclude_seen").set_value(False).run()
    test.selectbox(key="for_you_k").select(5).run()
    assert service.bodies("/recommend")[-1] == {
        "user_id": "u5",
        "k": 5,
        "exclude_seen": False,
        "filters": {"genres": ["Comedy"], "year_min": 1990, "subtitled": True},
    }


def test_nothing_left_says_how_to_get_something(draw, said):
    test = draw(for_you.show, user_id="u5")
    test.multiselect(key="for_you_genres").select("War").run()
    assert "No movie is left after the filters" in said(test)


def test_a_stranger_is_told_that_popular_items_are_shown(draw, said, service):
    text = said(draw(for_you.show, user_id="stranger"))
    assert "Nothing is known of this user yet" in text
    assert service.bodies("/explain") == []


def test_reasons_that_cannot_be_had_leave_the_list(draw, said, service):
    service.refusals["/explain"] = 500
    text = said(draw(for_you.show, user_id="u5"))
    assert "Movie 2" in text
    assert "Because" not in text


def test_reasons_are_asked_for_once(draw, service):
    test = draw(for_you.show, user_id="u5")
    assert len(service.bodies("/explain")) == 10
    test.selectbox(key="for_you_k").select(5).run()
    assert len(service.bodies("/explain")) == 10


def test_a_title_is_shown_as_it_is_written(draw, said, service):
    text = said(draw(for_you.show, user_id="u5"))
    assert service.nasty not in text
    assert "*&lt;b&gt;_:red[Big]_ $x$ &amp; &lt;script&gt;alert(1)&lt;/script&gt;" in text


def test_the_noun_follows_the_data(draw, said, service):
    service.card_of_model["item_noun"] = "library"
    assert "so no libraries are shown" in said(draw(for_you.show)).replace("\\", "")
