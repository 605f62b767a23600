import pytest
from pydantic import ValidationError

from foretaste.errors import ConfigError
from foretaste.models.als import ALSConfig
from foretaste.models.bpr_mf import BPRMFConfig
from foretaste.models.search_space import Dimension, check_space, is_whole, value_of, with_values


def space(**dimensions):
    return {name.replace("__", "."): Dimension(**values) for name, values in dimensions.items()}


def test_values_are_found_and_replaced_by_their_path():
    base = BPRMFConfig()
    assert value_of(base, "training.sampler.num_negatives") == 4
    assert value_of(base, "training.early_stopping.patience") is None  # no such section
    changed = with_values(base, {"training.early_stopping.patience": 2, "embedding_dim": 8})
    assert changed.training.early_stopping.patience == 2
    assert changed.training.epochs == base.training.epochs
    assert changed.embedding_dim == 8


def test_values_that_do_not_go_together_are_told():
    with pytest.raises(ConfigError, match="`loss: ccl` has its margin among cosines"):
        with_values(BPRMFConfig(), {"loss": "ccl"})


def test_whole_numbers_are_those_that_the_model_declares():
    assert is_whole(ALSConfig(), "embedding_dim")
    assert not is_whole(ALSConfig(), "regularization")
    assert not is_whole(ALSConfig(), "unobserved_weight")
    assert is_whole(BPRMFConfig(), "training.sampler.num_negatives")


def test_a_space_within_the_limits_is_taken():
    dimensions = space(
        embedding_dim={"low": 8, "high": 64},
        loss={"choices": ["bpr", "ccl"]},  # ccl goes with another similarity, which is another dimension
        similarity={"choices": ["dot", "cosine"]},
        training__learning_rate={"low": 1e-4, "high": 0.1, "log": True},
        training__gradient_clip_norm={"choices": [None, 1.0]},
    )
    check_space(dimensions, BPRMFConfig(), where="tune.space")


@pytest.mark.parametrize(
    ("dimensions", "message"),
    [
        (space(embeding_dim={"choices": [8]}), r"tune.space: unknown hyperparameter .* did you mean 'embedding_dim'\?"),
        (space(training__epoch={"choices": [8]}), r"did you mean 'training.epochs'\?"),
        (space(training={"choices": [8]}), "'training' is a section, not a value; .* as in 'training.epochs'"),
        (space(embedding_dim={"low": 0, "high": 8}), "tune.space.embedding_dim: the model refuses 0"),
        (
            space(training__sampler__popularity_exponent={"low": 0, "high": 3}),
            "refuses 3.0: .* less than or equal to 2",
        ),
        (space(embedding_dim={"low": 1.5, "high": 8}), "is a whole number; expected whole numbers"),
        (space(loss={"low": 1, "high": 8}), "tune.space.loss: has no order to range over; give it choices"),
        (space(loss={"choices": ["bpr", "bpp"]}), "refuses 'bpp': input should be 'bpr', 'bce', 'softmax' or 'ccl'"),
    ],
)
def test_a_space_beyond_the_model_is_refused(dimensions, message):
    with pytest.raises(ConfigError, match=message):
        check_space(dimensions, BPRMFConfig(), where="tune.space")


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"low": 1},
        {"low": 2, "high": 1},
        {"low": 0, "high": 1, "log": True},
        {"low": 1, "high": 2, "log": True, "step": 0.1},
        {"choices": []},
        {"choices": [1, 1]},
        {"choices": [1, 2], "low": 1},
    ],
)
def test_a_dimension_is_choices_or_a_range(values):
    with pytest.raises(ValidationError):
        Dimension(**values)


def test_a_dimension_holds_what_would_be_tried():
    assert Dimension(choices=[1, None, "a"]).holds(None)
    assert not Dimension(choices=[1]).holds(True)
    assert Dimension(low=1, high=2).holds(1.3)
    assert not Dimension(low=1, high=2).holds(None)
    assert not Dimension(low=1, high=2).holds(2.1)
    assert not Dimension(low=1, high=3, step=1).holds(1.5)


def test_lists_are_kept_as_text_and_given_as_lists():
    layers = Dimension(choices=[[64, 32], [16]])
    assert layers.values == ["[64, 32]", "[16]"]
    assert layers.holds("[16]")
    assert layers.choice("[16]") == [16]
