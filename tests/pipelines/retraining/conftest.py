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
