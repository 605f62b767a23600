import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretaste.data.vocabulary import Vocabulary


def test_canonical_numbers_are_in_numeric_order_and_other_ids_in_text_order():
    assert Vocabulary.of(["10", "9", "9", "0"]).ids.to_list() == ["0", "9", "10"]
    assert Vocabulary.of(["10", "9", "09"]).ids.to_list() == ["09", "10", "9"]


@given(st.lists(st.text(min_size=1, max_size=4), min_size=1, max_size=20))
def test_ids_and_indices_are_inverse(ids):
    vocabulary = Vocabulary.of(ids)
    assert len(vocabulary) == len(set(ids))
    assert vocabulary.ids_at(vocabulary.indices(ids)) == ids
    assert [vocabulary.id(vocabulary.index(one)) for one in ids] == ids


def test_an_unknown_id_is_minus_one():
    vocabulary = Vocabulary.of(["a", "b"])
    assert vocabulary.index("c") == -1
    assert vocabulary.indices(["b", "c"]).tolist() == [1, -1]
    assert "c" not in vocabulary


def test_the_fingerprint_tells_ids_apart_that_join_alike():
    assert Vocabulary.of(["ab", "c"]).fingerprint != Vocabulary.of(["a", "bc"]).fingerprint
    assert Vocabulary.of(["b", "a"]).fingerprint == Vocabulary.of(["a", "b"]).fingerprint


def test_an_empty_vocabulary_knows_nothing():
    assert len(Vocabulary.of([])) == 0
    with pytest.raises(IndexError):
        Vocabulary.of([]).id(0)
