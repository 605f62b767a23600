"""Fixtures that every test may use."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of public archives; skips where FORETASTE_DATA names none."""
    folder = os.environ.get("FORETASTE_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("FORETASTE_DATA names no folder of public archives")
    return Path(folder).resolve()
