import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretaste.monitoring.drift import DriftConfig, compare_features, population_stability


def test_stability_by_hand():
    # Shares (with half a row each) 100.5 / 201 and 100.5 / 201 then, 150.5 / 201 and 50.5 / 201 now.
    then, now = np.array([0.5, 0.5]), np.array([150.5, 50.5]) / 201
    expected = sum((now - then) * np.log(now / then))
    assert population_stability([100, 100], [150, 50]) == pytest.approx(expected)
    assert population_stability([100, 100], [100, 100]) == 0


@given(st.lists(st.integers(0, 1000), min_size=2, max_size=8), st.integers(0, 10**6))
def test_stability_is_symmetric_and_never_negative(counts, seed):
    other = np.random.default_rng(seed).integers(0, 1000, len(counts))
    there = population_stability(counts, other)
    assert there >= 0
    assert there == pytest.approx(population_stability(other, counts))


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_what_moved_is_found_and_what_stayed_is_not(rng):
    then = {
        "age": rng.normal(40, 10, 3000),
        "score": rng.normal(0, 1, 3000),
        "country": rng.choice(["DE", "FR"], 3000),
        "device": rng.choice(["phone", "desk"], 3000, p=[0.5, 0.5]),
    }
    now = {
        "age": rng.normal(40, 10, 2000),
        "score": rng.normal(0.8, 1, 2000),
        "country": rng.choice(["DE", "FR"], 2000),
        "device": rng.choice(["phone", "desk"], 2000, p=[0.9, 0.1]),
    }
    drifts = {drift.feature: drift for drift in compare_features(then, now)}
    assert {name for name, drift in drifts.items() if drift.has_drifted} == {"score", "device"}
    assert (drifts["score"].kind, drifts["device"].kind) == ("numeric", "category")
    assert (drifts["age"].reference_rows, drifts["age"].current_rows) == (3000, 2000)
    assert next(iter(drifts)) in ("score", "device")


def test_a_trifle_that_a_test_finds_on_many_rows_is_no_drift(rng):
    then, now = {"score": rng.normal(0, 1, 200_000)}, {"score": rng.normal(0.03, 1, 200_000)}
    (drift,) = compare_features(then, now)
    assert drift.p < 0.001
    assert not drift.has_drifted


def test_a_large_move_of_few_rows_may_be_chance(rng):
    then, now = {"kind": ["a"] * 3 + ["b"] * 3}, {"kind": ["a"] * 5 + ["b"]}
    (drift,) = compare_features(then, now, DriftConfig(min_rows=2))
    assert drift.psi > 0.2
    assert not drift.has_drifted


def test_p_is_corrected_for_the_number_of_features(rng):
    then = {f"f{i}": rng.normal(0, 1, 500) for i in range(20)}
    now = {name: rng.normal(0, 1, 500) for name in then}
    alone = [compare_features({name: then[name]}, {name: now[name]})[0].p for name in then]
    together = {drift.feature: drift.p for drift in compare_features(then, now)}
    assert min(together.values()) == pytest.approx(min(1, 20 * min(alone)))


def test_a_category_that_did_not_exist_is_drift():
    then, now = {"genre": ["Drama"] * 300}, {"genre": ["Drama"] * 200 + ["Anime"] * 100}
    (drift,) = compare_features(then, now)
    assert drift.has_drifted


def test_rare_categories_are_counted_together(rng):
    then = {"item": rng.integers(0, 5000, 20_000).astype(str)}
    now = {"item": rng.integers(0, 5000, 20_000).astype(str)}
    (drift,) = compare_features(then, now, DriftConfig(max_categories=20))
    assert drift.psi < 0.02
    assert drift.p > 0.001


def test_constants_and_missing_numbers_are_no_drift():
    then, now = {"x": [1.0] * 200 + [np.nan] * 50}, {"x": [1.0] * 200}
    (drift,) = compare_features(then, now)
    assert (drift.psi, drift.reference_rows, drift.has_drifted) == (pytest.approx(0, abs=1e-6), 200, False)


def test_with_few_rows_nothing_is_said():
    assert compare_features({"x": [1.0] * 99}, {"x": [2.0] * 1000}) == []
