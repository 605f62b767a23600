import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest


@pytest.fixture(scope="session")
def planted():
    """Trainings that went wrong, and the world that they are judged in: the names of `planted.py`."""
    return SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("planted.py")), run_name="planted"))


@pytest.fixture(scope="session")
def world(planted, tmp_path_factory):
    """One world, for tests that change nothing in it."""
    return planted.retraining(tmp_path_factory.mktemp("world") / "bundles")


@pytest.fixture(scope="session")
def loops():
    """Services that have run for a while: the names of `loop.py`."""
    return SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("loop.py")), run_name="loop"))


@pytest.fixture(scope="session")
def _loop_at_the_start(loops, tmp_path_factory):
    return loops.running(tmp_path_factory.mktemp("loop") / "at")


@pytest.fixture
def loop(loops, _loop_at_the_start, tmp_path):
    """A service that has run for a while, with 300 clicks since its model was trained."""
    return _loop_at_the_start.copied(tmp_path / "loop")
