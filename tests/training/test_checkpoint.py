import os
import signal
import threading

import pytest
import torch

from foretaste.errors import ArtifactError, ConfigError
from foretaste.training.checkpoint import checkpoint_path, deferred_interrupt, load_checkpoint, save_checkpoint

IDENTITY = {"batch_size": 8, "sampler": {"kind": "uniform"}}


def test_a_checkpoint_comes_back_as_it_was(tmp_path):
    state = {
        "module": {"weight": torch.arange(3.0)},
        "position": {"epoch": 2, "history": [{"loss": 0.5}]},
        "none": None,
    }
    save_checkpoint(tmp_path / "new", IDENTITY, state)
    loaded = load_checkpoint(tmp_path / "new", IDENTITY)
    assert torch.equal(loaded["module"]["weight"], state["module"]["weight"])
    assert (loaded["position"], loaded["none"]) == (state["position"], None)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["checkpoint.pt"]


def test_without_a_checkpoint_there_is_nothing_to_load(tmp_path):
    assert load_checkpoint(tmp_path, IDENTITY) is None


def test_a_failed_write_leaves_the_old_checkpoint(tmp_path, monkeypatch):
    save_checkpoint(tmp_path, IDENTITY, {"epoch": 1})

    def full_disk(descriptor):
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(ArtifactError, match=r"cannot be written \(no space left on device\)"):
        save_checkpoint(tmp_path, IDENTITY, {"epoch": 2})
    assert load_checkpoint(tmp_path, IDENTITY) == {"epoch": 1}


def test_another_run_is_told_what_differs(tmp_path):
    save_checkpoint(tmp_path, IDENTITY, {})
    with pytest.raises(ConfigError, match=r"batch_size was 8 and is now 4; sampler.kind was uniform and is now hard"):
        load_checkpoint(tmp_path, {"batch_size": 4, "sampler": {"kind": "hard"}})


class Harmful:
    def __reduce__(self):
        return (os.mkdir, ("harmful",))


@pytest.mark.parametrize("damage", ["truncated", "text", "harmful", "other"])
def test_a_file_that_is_no_checkpoint_is_refused_and_runs_no_code(damage, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_checkpoint(tmp_path, IDENTITY, {"weight": torch.zeros(1000)})
    path = checkpoint_path(tmp_path)
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:500])
    elif damage == "text":
        path.write_text("not a checkpoint")
    else:
        torch.save(Harmful() if damage == "harmful" else {"format": 0}, path)
    with pytest.raises(ArtifactError, match=r"checkpoint\.pt"):
        load_checkpoint(tmp_path, IDENTITY)
    assert not (tmp_path / "harmful").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_waits_and_the_second_acts(number):
    def stop(number, frame):
        raise KeyboardInterrupt

    before = signal.signal(number, stop)
    try:
        with pytest.raises(KeyboardInterrupt), deferred_interrupt() as interrupt:  # noqa: PT012
            assert not interrupt.requested
            signal.raise_signal(number)
            assert interrupt.requested
            signal.raise_signal(number)
        assert signal.getsignal(number) is stop
    finally:
        signal.signal(number, before)


def test_a_thread_defers_nothing_and_fails_at_nothing():
    seen = []

    def work():
        with deferred_interrupt() as interrupt:
            seen.append(interrupt.requested)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [False]
