"""Faults that no figure would need a holdout for."""

from dataclasses import replace

import numpy as np
import pytest

from foretaste.pipelines.retraining.soundness import check_soundness


def judged(world, **changes):
    """The findings on a bundle some of whose arrays are changed, by name."""
    contents = world.contents()
    state = {name: changes.get(name, lambda array: array)(array.copy()) for name, array in contents.state.items()}
    return {finding.name: finding for finding in check_soundness(world.published(replace(contents, state=state)))}


def zeroed(share):
    def change(array):
        array[: int(share * len(array))] = 0
        return array

    return change


def stretched(array):
    array[0] *= 1e4
    return array


def test_a_model_that_is_whole_passes(world):
    found = judged(world)
    assert list(found) == ["numbers", "dead items", "vector lengths", "scores", "constant scores"]
    assert all(finding.passed for finding in found.values())


@pytest.mark.parametrize(
    ("changes", "name", "told"),
    [
        ({"item_embeddings": zeroed(0.2)}, "dead items", "of the items with events have a vector of zeros"),
        ({"item_embeddings": stretched}, "vector lengths", "times as long as the median; at most 1,000 times"),
        ({"user_embeddings": zeroed(0.7)}, "constant scores", "get the same score for every item; at most 50% may"),
    ],
)
def test_what_is_wrong_is_named(world, changes, name, told):
    found = judged(world, **changes)
    assert [each for each, finding in found.items() if not finding.passed] == [name]
    assert told in found[name].sentence
    assert found[name].leads_to == "refuse"
    assert found[name].figure > found[name].limit


def test_values_that_are_no_numbers_end_the_look(world):
    def broken(array):
        array[3, :2] = np.inf
        return array

    found = judged(world, user_embeddings=broken)
    assert list(found) == ["numbers"]
    assert found["numbers"].sentence == "values that are no numbers: 2 of user_embeddings."


def test_scores_that_overflow_are_found_though_every_value_is_a_number(world):
    found = judged(world, item_embeddings=lambda array: array * np.float32(1e38), user_embeddings=lambda x: x * 1e8)
    assert found["numbers"].passed
    assert not found["scores"].passed


def test_a_model_that_this_version_cannot_restore_is_told(world):
    contents = world.contents()
    bundle = world.published(replace(contents, state={"item_embeddings": contents.state["item_embeddings"]}))
    *_, last = check_soundness(bundle)
    assert (last.name, last.passed) == ("model", False)
    assert "cannot restore the model 'als'" in last.sentence
