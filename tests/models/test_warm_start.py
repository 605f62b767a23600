from typing import ClassVar

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from foretaste.data.vocabulary import Vocabulary
from foretaste.errors import ConfigError
from foretaste.models.als import ALS, ALSConfig
from foretaste.models.ease import EASEConfig
from foretaste.models.protocol import FitContext, WarmStart
from foretaste.models.warm_start import Continued, carried_over, in_earlier_items, obstacle, refuse_obstacle
from foretaste.settings import Settings


def ids(*names):
    return Vocabulary(pl.Series(names, dtype=pl.String))


def earlier_als(**changes):
    config = {**ALSConfig(embedding_dim=2).resolved(), **changes}
    state = {"user_embeddings": np.zeros((1, 2)), "item_embeddings": np.zeros((2, 2))}
    return WarmStart("the-one-before", "als", config, state, ids("u"), ids("a", "b"))


def test_rows_are_carried_over_by_id_in_any_order():
    earlier_XD = np.array([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]])
    begin_XD = np.array([[-1.0, -1.0], [-2.0, -2.0], [-3.0, -3.0]])
    carried_XD = carried_over(begin_XD, ids("c", "new", "a"), earlier_XD, ids("a", "gone", "c"))
    assert carried_XD.tolist() == [[3, 3], [-2, -2], [1, 1]]
    assert begin_XD.tolist() == [[-1, -1], [-2, -2], [-3, -3]]


@given(st.permutations(["a", "b", "c", "d"]), st.sets(st.sampled_from(["a", "b", "c", "d", "e"]), min_size=1))
def test_every_row_is_the_earlier_one_of_its_id_or_its_own_beginning(order, now):
    now = sorted(now)
    value_of = {"a": 1.0, "b": 2.0, "c": 3.0, "d": 4.0}
    carried_X = carried_over(np.zeros(len(now)), ids(*now), np.array([value_of[one] for one in order]), ids(*order))
    assert carried_X.tolist() == [value_of.get(one, 0.0) for one in now]


def test_a_history_is_told_in_items_of_before():
    # Of the items a, new and b, the first and the last were known, in the other order and beside one that is gone.
    history_UI = sparse.csr_array(np.array([[1, 2, 3], [0, 5, 0]], dtype=np.float32))
    found_UI = in_earlier_items(history_UI, ids("a", "new", "b"), ids("b", "gone", "a"))
    assert found_UI.toarray().tolist() == [[3, 0, 1], [0, 0, 0]]
    assert found_UI.dtype == np.float32


def test_an_earlier_model_of_the_same_shape_is_no_obstacle():
    assert obstacle("als", ALSConfig(embedding_dim=2, regularization=0.5), earlier_als()) is None


@pytest.mark.parametrize(
    ("model", "config", "earlier", "reason"),
    [
        ("als", ALSConfig(embedding_dim=3), earlier_als(), "embedding_dim was 2 and is now 3. Set these as they were"),
        ("ease", EASEConfig(), earlier_als(), "of type 'als', and what is to be trained is of type 'ease'"),
        ("als", ALSConfig(embedding_dim=2), earlier_als(unheard_of=1), "are not known to this foretaste"),
    ],
    ids=["shape", "type", "unknown hyperparameter"],
)
def test_what_cannot_be_continued_is_told_with_the_remedy(model, config, earlier, reason):
    assert reason in obstacle(model, config, earlier)


def test_a_model_that_learns_in_closed_form_has_nothing_to_continue():
    earlier = WarmStart("before", "ease", EASEConfig().resolved(), {}, ids("u"), ids("a"))
    assert "nothing that a training could go on from" in obstacle("ease", EASEConfig(), earlier)


def test_a_state_that_lacks_what_is_needed_is_told():
    class Demanding(Settings):
        continued: ClassVar[Continued] = Continued(same=(), arrays=("moments",))

    earlier = WarmStart("before", "demanding", {}, {}, ids("u"), ids("a"))
    assert "did not keep moments" in obstacle("demanding", Demanding(), earlier)


def test_a_model_refuses_what_it_cannot_begin_from(dataset_of):
    with pytest.raises(ConfigError, match="warm start: 'the-one-before' has another shape"):
        ALS(ALSConfig(embedding_dim=3)).fit(dataset_of([[1, 0], [0, 1]]), FitContext(warm_start=earlier_als()))
    assert refuse_obstacle("als", ALSConfig(), None) is None
