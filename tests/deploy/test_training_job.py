"""The Job of a training on several nodes: its pods as two processes of this machine, as the manifest starts them."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from foretaste.artifacts.store import BundleStore

CONFIG = {
    "data": {"source": "synthetic", "num_users": 200, "num_items": 100, "num_interactions": 4000},
    "models": {"two_tower": {"training": {"epochs": 1, "batch_size": 512, "device": "cpu"}}},
}


@pytest.fixture(scope="module")
def job(deploy):
    resources = yaml.safe_load_all((deploy / "kubernetes/training/job.yaml").read_text())
    return next(each for each in resources if each["kind"] == "Job")


def test_as_many_pods_run_as_expect_one_another(job):
    spec = job["spec"]
    pod = spec["template"]["spec"]
    arguments = pod["containers"][0]["args"]
    assert spec["completionMode"] == "Indexed"
    assert spec["completions"] == spec["parallelism"]
    assert f"--nnodes={spec['completions']}" in arguments
    assert (
        f"--master-addr={job['metadata']['name']}-0.{pod['subdomain']}" in arguments
    )  # pod 0, by the headless Service


@pytest.mark.slow
def test_its_pods_train_one_model(job, tmp_path):
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(CONFIG))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    changed = {
        "--master-addr=train-0.train": "--master-addr=127.0.0.1",
        "--master-port=29500": f"--master-port={port}",
        "configs/two-tower-movielens-100k.yaml": "small.yaml",
    }
    arguments = job["spec"]["template"]["spec"]["containers"][0]["args"]
    assert changed.keys() <= set(arguments)
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}
    pods = [
        subprocess.Popen(
            [changed.get(each, each).replace("$(NODE_RANK)", str(rank)) for each in arguments],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(job["spec"]["completions"])
    ]
    told = [pod.communicate(timeout=400)[0] for pod in pods]
    assert [pod.returncode for pod in pods] == [0, 0], "\n".join(told)
    (trained,) = BundleStore(tmp_path / "artifacts/bundles").list()
    assert trained.manifest.model == "two_tower"
    assert not trained.is_production
