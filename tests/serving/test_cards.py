import numpy as np
import polars as pl
import pytest

from foretaste.serving.cards import ItemCards


@pytest.mark.parametrize("noun", ["book", "item"])
def test_a_card_has_the_id_whatever_items_are_called(noun):
    cards = ItemCards(pl.DataFrame({"item_id": ["i1", "i2"], "title": ["One", None]}), noun)
    one, other = cards.at(np.array([0, 1], dtype=np.int32))
    assert (one["item_id"], one["title"]) == ("i1", "One")
    assert (other["item_id"], other["title"]) == ("i2", "i2")
