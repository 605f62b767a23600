"""A user whom the training never saw, beside the same user trained: the figures of `benchmarks/serving/fold_in.py`."""

import importlib.util
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.real_data, pytest.mark.slow]

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "serving" / "fold_in.py"


@pytest.fixture(scope="module")
def benchmark():
    spec = importlib.util.spec_from_file_location("benchmark_fold_in", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def prepared(benchmark, real_data):
    return benchmark.movielens(real_data)


@pytest.mark.parametrize("label", ["popularity", "item_knn", "ease", "als", "bpr_mf", "ncf", "two_tower"])
def test_a_hidden_user_with_ten_events_gets_nine_tenths_of_what_training_would_give(benchmark, prepared, label):
    if label in ("bpr_mf", "ncf", "two_tower"):
        pytest.importorskip("torch")
    outcome = benchmark.compare(label, prepared, seed=0)
    assert outcome.trained > 0.4, "the protocol itself must work"
    assert outcome.share >= 0.9
    # What is popular does not depend on taste; it loses the item that was met.
    assert outcome.changed_by_first_event >= (0.1 if label == "popularity" else 1.0)
