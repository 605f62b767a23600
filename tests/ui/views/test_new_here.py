import pytest

from foretaste.ui.views import new_here


@pytest.fixture
def opened():
    return []


@pytest.fixture
def page(draw, opened):
    def drawn(**session):
        return draw(new_here.show, opened.append, **session)

    return drawn


def register(test, name):
    test.text_input(key="register_id").set_value(name)
    next(button for button in test.button if button.label == "Register").click().run()


def test_it_offers_what_many_know_and_a_choice_leads_to_a_list(page, said, service):
    test = page()
    test.button(key="suggested_m4").click().run()
    asked = service.bodies("/recommend")[-1]
    assert asked["seeds"] == ["m4"]
    assert asked["exclude"] == ["m4"]
    assert "user_id" not in asked
    assert "Because you liked Movie 90" in said(test)
    assert service.bodies("/explain")[-1]["history"] == ["m4"]


def test_thumbs_choose_and_pass_over(page, service):
    test = page(picks={"m4": "Movie 4"})
    test.button(key="new_Like_m5").click().run()
    test.button(key="new_Not for me_m6").click().run()
    assert service.bodies("/recommend")[-1]["seeds"] == ["m4", "m5"]
    assert service.bodies("/recommend")[-1]["exclude"] == ["m4", "m5", "m6"]
    test.button(key="unpick_m4").click().run()
    assert service.bodies("/recommend")[-1]["seeds"] == ["m5"]
    assert service.events == []


def test_registration_keeps_what_was_chosen(page, service, opened):
    register(page(picks={"m4": "Movie 4", "m5": "Movie 5"}), " anna ")
    assert service.registered == ["anna"]
    assert [(event["kind"], event["item_id"], event["user_id"]) for event in service.events] == [
        ("click", "m4", "anna"),
        ("click", "m5", "anna"),
    ]
    assert opened == ["anna"]


def test_a_name_that_is_taken_is_refused(page, said, service, opened):
    test = page(picks={"m4": "Movie 4"})
    register(test, "u7")
    assert "Somebody has this name already" in said(test)
    assert service.registered == opened == []


def test_a_name_is_needed(page, said, service):
    test = page(picks={"m4": "Movie 4"})
    register(test, "  ")
    assert "A name is missing" in said(test)
    assert service.registered == []


@pytest.mark.parametrize("path", ["/users", "/feedback"])
def test_a_registration_that_fails_says_so(page, said, service, opened, path):
    service.refusals[path] = 403
    test = page(picks={"m4": "Movie 4"})
    register(test, "anna")
    assert "You are not registered" in said(test)
    assert opened == []
    assert "unpick_m4" in [button.key for button in test.button]
