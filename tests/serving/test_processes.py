import os
import subprocess
import sys

import numpy as np
import pytest

from foretaste.serving.processes import one_thread_each

VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
SCRIPT = """
import os, sys
import foretaste.cli.serving
from foretaste.serving.processes import one_thread_each
one_thread_each()
print(*(os.environ.get(name) for name in sys.argv[1:]))
"""


def test_a_process_of_its_own_keeps_to_one_thread_unless_told_otherwise():
    environment = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    environment["OMP_NUM_THREADS"] = "2"
    told = subprocess.run(
        [sys.executable, "-c", SCRIPT, *VARIABLES], env=environment, capture_output=True, text=True, check=True
    )
    assert told.stdout.split() == ["2", "1", "1", "1"]


def test_where_numpy_is_loaded_nothing_changes(monkeypatch: pytest.MonkeyPatch):
    assert np.__version__
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    one_thread_each()
    assert not any(name in os.environ for name in VARIABLES)
