import pytest

from foretaste.ui import cards


@pytest.mark.parametrize(
    ("scores", "bars"),
    [
        ([], []),
        ([2.0, 1.0, 0.0], [1.0, 0.5, 0.04]),
        ([1.0, -1.0, -3.0], [1.0, 0.5, 0.04]),
        ([-1.0, -2.0], [1.0, 0.04]),
        ([0.0, 0.0], [1.0, 1.0]),
    ],
)
def test_bars_go_from_nothing_to_the_highest(scores, bars):
    assert cards.lengths(scores) == pytest.approx(bars)


def test_all_text_of_a_card_is_escaped():
    item = {"title": "<i>T</i>", "genres": ['"x"'], "score": 0.5}
    html = cards.body(item, 1, 0.5, why="<b>")
    assert "<i>" not in html
    assert "<b>" not in html
    assert "&lt;i&gt;T&lt;/i&gt;" in html
