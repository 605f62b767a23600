import pytest

from foretaste.ui.views import compare


def test_one_model_is_not_enough(draw, said):
    text = said(draw(compare.show)).replace("\\", "")
    assert "There is only one model to ask" in text
    assert "--compare-with" in text


def test_two_variants_side_by_side(draw, said, service):
    service.card_of_model["variants"] = ["default", "b"]
    text = said(draw(compare.show, user_id="u5"))
    assert [body["variant"] for body in service.bodies("/recommend")] == ["default", "b"]
    assert "9 of 10 are in both lists, 0 of them at the same place." in text
    assert text.count("only here") == 2  # m0 on the left, m10 on the right
    assert text.count("lower by 1") == text.count("higher by 1") == 9


def test_two_services_side_by_side(draw, said, service):
    other = type(service)()
    other.card_of_model["model_version"] = "v2"
    text = said(draw(compare.show, other.client("http://other"), user_id="u5")).replace("\\", "")
    assert "v2 at http://other" in text
    assert "Both lists are the same." in text
    assert "only here" not in text
    assert len(other.bodies("/recommend")) == 1
    assert "variant" not in other.bodies("/recommend")[0]


def test_a_side_that_fails_leaves_the_other(draw, said, service):
    other = type(service)()
    other.refusals["/recommend"] = 503
    text = said(draw(compare.show, other.client("http://other"), user_id="u5"))
    assert "Movie 2" in text
    assert "One of the two did not answer." in text
    assert "only here" not in text


@pytest.mark.parametrize(
    ("item", "place", "told"),
    [("a", 1, ""), ("b", 1, "higher by 1"), ("a", 3, "lower by 2"), ("z", 2, "only here")],
)
def test_a_mark_tells_how_an_item_stands_against_the_other_list(item, place, told):
    mark = compare.mark(item, place, ["a", "b", "c"])
    assert told in mark
    assert bool(mark) == bool(told)
