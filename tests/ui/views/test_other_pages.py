import pytest

from foretaste.ui.views import about, more_like_this, popular


def test_similar_items_of_the_one_chosen(draw, said, service):
    text = said(draw(more_like_this.show, item_id="m3"))
    assert "Movies like Movie 3" in text
    assert "Movie 5" in text
    assert service.bodies("/similar")[-1] == {"item_id": "m3", "k": 10, "filters": {}}


def test_similar_without_an_item_says_what_to_do(draw, said):
    assert "Type part of a title above" in said(draw(more_like_this.show))


def test_similar_with_nothing_left(draw, said):
    test = draw(more_like_this.show, item_id="m3")
    test.multiselect(key="similar_genres").select("War").run()
    assert "No movie is left after the filters" in said(test)


def test_popular_by_genre_and_years(draw, said, service):
    test = draw(popular.show)
    assert "100 events" in said(test)
    test.multiselect(key="popular_genres").select("Comedy").run()
    test.slider(key="popular_year").set_range(1980, 1999).run()
    assert service.bodies("/popular")[-1] == {"k": "10", "genre": "Comedy", "year_max": "1999"}
    assert "popular_price" not in [slider.key for slider in test.slider]


def test_the_model_card_is_readable(draw, said):
    text = said(draw(about.show))
    for part in (
        "2 January 2023, 00:00 UTC to 2 January 2024, 00:00 UTC",
        "0.150 [0.140 – 0.160]",
        "<td>0.340</td>",
        "1 d 2 h 3 min",
        "1,200",
    ):
        assert part in text


def test_the_report_of_the_run_is_told(draw):
    assert draw(about.show).get("code")[0].value == "foretaste report 20260102-small --open"


def test_a_card_without_figures_and_times(draw, said, service):
    service.card_of_model |= {"metrics": {}, "training_window": None, "run_id": ""}
    test = draw(about.show)
    assert "published without an evaluation" in said(test)
    assert "the data has no times" in said(test)
    assert not test.get("code")


@pytest.mark.parametrize(
    ("seconds", "told"), [(0, "0 min"), (3599, "59 min"), (3600, "1 h 0 min"), (90000, "1 d 1 h 0 min")]
)
def test_a_span_to_the_minute(seconds, told):
    assert about.lasted(seconds) == told
