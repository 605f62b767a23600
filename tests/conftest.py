"""Fixtures that every test may use."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A busy machine is no bug: what an example takes in time depends on all that runs beside it.
settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of public archives; skips where FORETASTE_DATA names none."""
    folder = os.environ.get("FORETASTE_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("FORETASTE_DATA names no folder of public archives")
    return Path(folder).resolve()
