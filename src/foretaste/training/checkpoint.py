"""Resumable checkpoints: written whole or not at all, read without running any code."""

import os
import pickle
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import torch

from foretaste.errors import ArtifactError, ConfigError

_NAME = "checkpoint.pt"
_FORMAT = 1


def checkpoint_path(folder: Path) -> Path:
    """Where the checkpoint of a folder lies."""
    return folder / _NAME


def save_checkpoint(folder: Path, identity: dict[str, Any], state: dict[str, Any]) -> None:
    """Replace the checkpoint of `folder`. Killed at any moment, the old one or the new one is there, whole.

    Args:
        folder: made if it is missing.
        identity: what a run must share with this one to continue it; plain values.
        state: tensors and plain values, nested in dicts and lists.

    Raises:
        ArtifactError: it cannot be written; the old one is still there.
    """
    make_folder(folder)
    path = checkpoint_path(folder)
    unfinished = path.with_suffix(".unfinished")
    try:
        with unfinished.open("wb") as file:
            torch.save({"format": _FORMAT, "identity": identity, "state": state}, file)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
        _sync_folder(folder)
    except (OSError, RuntimeError) as error:  # torch wraps some failures of a write
        raise ArtifactError(
            f"{path}: the checkpoint cannot be written ({error}); make room, or choose another place. One that was "
            f"there before is kept, and `--resume` continues from it."
        ) from error


def make_folder(folder: Path) -> None:
    """Make the folder of the checkpoint, where it is missing.

    Raises:
        ArtifactError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ArtifactError(
            f"{folder}: the folder of the checkpoint cannot be made ({error}); choose another one, by checkpoint_dir "
            f"of the training or by --artifacts."
        ) from error


def _sync_folder(folder: Path) -> None:
    # The rename itself lasts only once the folder is on disk.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def load_checkpoint(folder: Path, identity: dict[str, Any]) -> dict[str, Any] | None:
    """The state that was saved, its tensors on the CPU; None where the folder has no checkpoint.

    Raises:
        ArtifactError: the file is damaged or of another format.
        ConfigError: it was written by a run of another identity.
    """
    path = checkpoint_path(folder)
    if not path.exists():
        return None
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, OSError, pickle.UnpicklingError) as error:
        raise ArtifactError(f"{path}: damaged, or not a checkpoint; delete it and train from the start.") from error
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise ArtifactError(f"{path}: expected a checkpoint of format {_FORMAT}; delete it and train from the start.")
    saved, present = _flat(content["identity"]), _flat(identity)
    differing = [
        f"{key} was {saved.get(key)} and is now {present.get(key)}"
        for key in sorted(saved.keys() | present.keys())
        if saved.get(key) != present.get(key)
    ]
    if differing:
        raise ConfigError(
            f"{path}: cannot be continued by this run: {'; '.join(differing)}. Use the settings it was written with, "
            f"or train from the start without --resume."
        )
    state: dict[str, Any] = content["state"]
    return state


def _flat(settings: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return flat


@dataclass
class Interrupt:
    """Whether someone has asked the run to stop."""

    requested: bool = False


@contextmanager
def deferred_interrupt() -> Iterator[Interrupt]:
    """Inside the block, the first Ctrl-C or SIGTERM only sets `requested`; the second acts as ever.

    Outside the main thread, where Python lets nobody handle signals, nothing is deferred.
    """
    interrupt = Interrupt()
    if threading.current_thread() is not threading.main_thread():
        yield interrupt
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def request(_number: int, _frame: FrameType | None) -> None:
        interrupt.requested = True
        restore()

    for number in before:
        signal.signal(number, request)
    try:
        yield interrupt
    finally:
        restore()
