"""Trainings in processes of their own: many at once under torchrun, and one that is interrupted."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

SCRIPT = Path(__file__).with_name("small_training.py")

pytestmark = pytest.mark.slow


def test_a_training_stopped_by_ctrl_c_goes_on_as_if_nothing_had_happened(tmp_path):
    process = subprocess.Popen(
        [sys.executable, SCRIPT, "to_be_interrupted", tmp_path], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    # The checkpoint of epoch 3 is due at step 42: what lies there in the end is the interrupt's own.
    for line in process.stdout:
        if int(line) > 16:
            break
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert b"KeyboardInterrupt" in errors
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.pt"]

    subprocess.run([sys.executable, SCRIPT, "resumed", tmp_path], check=True, timeout=60)
    results = torch.load(tmp_path / "results.pt", weights_only=True)
    assert 17 < results["first_step"] < 42
    (weights, history), (expected_weights, expected_history) = results["continued"], results["undisturbed"]
    assert history == expected_history
    assert all(torch.equal(weights[name], expected_weights[name]) for name in expected_weights)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """What one process and what each of two under torchrun made of the same trainings."""
    folder = tmp_path_factory.mktemp("processes")
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    for started in ([], torchrun):
        subprocess.run([sys.executable, *started, SCRIPT, "in_processes", folder], check=True, timeout=120)
    return {path.stem: torch.load(path, weights_only=True) for path in folder.iterdir()}


def test_two_processes_gather_rows_in_their_order(results):
    for name in ("1-0", "2-0", "2-1"):
        assert torch.equal(results[name]["gathered"], results[name]["expected"])
        assert results[name]["nothing"].shape == (0, 3)


@pytest.mark.parametrize("variant", ["dense", "sparse", "sgd", "together", "hard"])
def test_two_processes_train_as_one(variant, results):
    (weights, history), (left, left_history), (right, right_history) = (
        results[name][variant] for name in ("1-0", "2-0", "2-1")
    )
    assert left_history == right_history
    assert len(left_history) == len(history) == 4
    for ours, expected in zip(left_history, history, strict=True):
        assert ours == pytest.approx(expected, rel=1e-5)
    assert weights.keys() == left.keys()
    for name in weights:
        # The ranks agree to the bit; with one process only up to the order in which gradients are added.
        assert torch.equal(left[name], right[name])
        torch.testing.assert_close(left[name], weights[name], rtol=1e-3, atol=1e-4)
