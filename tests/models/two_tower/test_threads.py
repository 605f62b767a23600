"""Trainings with several threads, in processes of their own: the number of threads is set once a process."""

import os
import subprocess
import sys

import pytest

CODE = """
import numpy as np
from foretaste.data.prepare import PrepareConfig, prepare
from foretaste.data.sources import read_source
from foretaste.data.sources.synthetic_world import SyntheticConfig
from foretaste.models import registry
from foretaste.models.protocol import FitContext

world = SyntheticConfig(num_users=600, num_items=200, num_interactions=20_000)
dataset = prepare(read_source(world), PrepareConfig()).dataset
training = {"epochs": 2, "batch_size": 4096, "device": "cpu"}
model = registry.build("two_tower", {"training": training}).fit(dataset, FitContext())
print(hash(tuple(array.tobytes() for array in model.state().values())))
"""


@pytest.mark.slow
def test_the_weights_do_not_depend_on_the_number_of_threads():
    def trained(threads):
        environment = {**os.environ, "OMP_NUM_THREADS": threads, "PYTHONHASHSEED": "0"}
        command = [sys.executable, "-c", CODE]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

    assert trained("2") == trained("2")
