import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretaste.ui.text import described, markdown, plural


@given(st.text())
def test_no_punctuation_is_left_that_markdown_could_take(text):
    shown = markdown(text)
    bare = shown.replace("\\\\", "").replace("\\", "\0")
    marks = [place for place, letter in enumerate(bare) if letter in "*_`:[]<>$#!|~&"]
    assert all(bare[place - 1] == "\0" for place in marks)
    assert "\n" not in shown


def test_letters_of_any_script_stay():
    assert markdown("Amélie 東京 7") == "Amélie 東京 7"


@pytest.mark.parametrize(
    ("noun", "many"), [("movie", "movies"), ("book", "books"), ("library", "libraries"), ("toy", "toys")]
)
def test_the_plural_of_a_noun(noun, many):
    assert plural(noun) == many


def test_an_item_is_described_by_what_is_known():
    assert described({"year": 1999, "genres": ["War", "Drama"]}) == "1999 · War, Drama"
    assert described({"year": None, "genres": None, "author": "A. B."}) == "A. B."
    assert described({}) == ""
