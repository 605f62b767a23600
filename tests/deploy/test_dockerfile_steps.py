"""The Dockerfile's steps, run as they stand in a clean folder: the service's environment is built, and it answers.

The folder stands for the root of an image. What needs a system of its own, the user and its folders, is left to
`make images`.
"""

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from foretaste.artifacts.bundle import BundleContents
from foretaste.artifacts.store import BundleStore
from foretaste.data.prepare import PrepareConfig, prepare
from foretaste.data.sources import read_source
from foretaste.data.sources.synthetic_world import SyntheticConfig
from foretaste.models import registry
from foretaste.models.protocol import FitContext
from foretaste.serving.security.key_stores import FileKeys
from foretaste.serving.security.keys import create_key
from foretaste.serving.security.roles import Role

ROOT = Path(__file__).parents[2]
_PLACES = re.compile(r"(?<![\w./-])/(?=(?:build|opt|srv|tmp|wheels)\b)")


def stages(dockerfile):
    """Stage → its instructions, as (word, rest) each."""
    lines = [line for line in dockerfile.read_text().split("\n") if not line.startswith("#")]
    found = {}
    for instruction in re.sub(r"\\\n\s*", "", "\n".join(lines)).split("\n"):
        word, _, rest = instruction.partition(" ")
        if word == "FROM":
            found[rest.split()[-1]] = []
        elif word and found:
            found[list(found)[-1]].append((word, rest))
    return found


class Image:
    """A folder in which instructions are followed."""

    def __init__(self, root):
        self._root, self._work = root, root
        settings = {name: value for name, value in os.environ.items() if name.startswith("PIP_") or "CERT" in name}
        self.environment = {**settings, "PATH": f"{root / 'base'}:/usr/bin:/bin", "HOME": str(root)}
        python = root / "base/python"
        python.parent.mkdir()
        python.write_text(f'#!/bin/sh\nexec {shlex.quote(sys._base_executable)} "$@"\n')
        python.chmod(0o755)
        (root / "tmp").mkdir()

    def here(self, text):
        """The text with the places of an image in this folder."""
        return _PLACES.sub(f"{self._root}/", text)

    def follow(self, instructions, *, leave_out=()):
        for word, rest in instructions:
            if word in leave_out:
                continue
            match word:
                case "ENV":
                    for setting in shlex.split(self.here(rest)):
                        name, _, value = setting.partition("=")
                        self.environment[name] = value.replace("$PATH", self.environment["PATH"])
                case "WORKDIR":
                    self._work = Path(self.here(rest))
                    self._work.mkdir(parents=True, exist_ok=True)
                case "COPY" if not rest.startswith("--from"):
                    *names, target = rest.split()
                    for name in names:
                        self._copy(ROOT / name, self._work / (name if target == "./" else target))
                case "RUN":
                    self.run(["sh", "-ec", self.here(rest)])

    def _copy(self, source, target):
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)

    def run(self, command):
        done = subprocess.run(
            command, cwd=self._work, env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}"
        return done.stdout

    def start(self, command):
        # The first path of the environment is where the command is looked for, as in a container.
        program = shutil.which(command[0], path=self.environment["PATH"])
        return subprocess.Popen([program, *command[1:]], cwd=self._work, env=self.environment)


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    """The image of the service, and the last stage's own instructions."""
    found, image = stages(ROOT / "deploy/Dockerfile"), Image(tmp_path_factory.mktemp("image"))
    for name in ("tools", "environment", "api-environment"):
        image.follow(found[name])
    for name in ("runtime", "api"):
        image.follow(found[name], leave_out=("RUN", "USER"))
    return image, dict(found["api"])


def versions(names):
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in names}


@pytest.mark.slow
def test_what_is_installed_is_pinned_and_small(api):
    image, _ = api
    script = "import importlib.metadata as m; print(*(f'{d.name}=={d.version}' for d in m.distributions()))"
    there = versions(each.split("==") for each in image.run(["python", "-c", script]).split())
    pinned = versions(re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "constraints.txt").read_text(), flags=re.MULTILINE))
    assert there.pop("foretaste")
    assert {name: pinned.get(name) for name in there} == there
    assert {"psycopg", "faiss-cpu"} < set(there)
    assert not {"torch", "streamlit", "mlflow", "pip"} & set(there)


@pytest.mark.slow
def test_the_command_of_the_image_serves_and_its_health_check_tells(api):
    image, own = api
    artifacts = Path(image.here("/srv/foretaste/artifacts"))
    world = SyntheticConfig(num_users=100, num_items=40, num_interactions=900)
    dataset = prepare(read_source(world), PrepareConfig()).dataset
    model = registry.build("als", {"embedding_dim": 4, "iterations": 2}).fit(dataset, FitContext())
    BundleStore(artifacts / "bundles").publish(BundleContents.of("als", model, dataset, seed=0))
    key, record = create_key("test", Role.WRITE, "2026-01-01T00:00:00+00:00")
    FileKeys(artifacts / "keys.json").add(record)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    probe = json.loads(own["HEALTHCHECK"].partition("CMD ")[2].replace(":8000", f":{port}"))

    service = image.start([*json.loads(own["CMD"]), "--port", str(port)])
    try:
        ends_at = time.monotonic() + 180
        while (told := subprocess.run(probe, env=image.environment, capture_output=True, check=False)).returncode:
            assert service.poll() is None
            assert time.monotonic() < ends_at, told.stderr
            time.sleep(1)
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/recommend",
            b'{"user_id": "u1", "k": 3}',
            {"Content-Type": "application/json", "Authorization": f"Bearer {key}"},
        )
        with urllib.request.urlopen(request) as answer:
            assert len(json.load(answer)["recommendations"]) == 3
    finally:
        service.send_signal(signal.SIGTERM)
        assert service.wait(60) == 0
