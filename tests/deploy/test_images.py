"""The images, built by Podman from the Dockerfile as it stands, and run as the deployments run them.

Building them takes ten minutes and more, so it is asked for by `make images`. Where the base image cannot be pulled, a
Debian with Python takes its place: the same release, put together by debootstrap.
"""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import time
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
TARGETS = ("api", "ui", "dashboard", "mlflow", "trainer")
USER = 10001
LIMITS = ["--ulimit", "nofile=4096:4096", "--ulimit", "nproc=4096:4096"]
CONFINED = ["--read-only", "--tmpfs", "/tmp", "--cap-drop", "all", "--security-opt", "no-new-privileges"]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif("FORETASTE_IMAGES" not in os.environ, reason="takes ten minutes and more: make images"),
    pytest.mark.skipif(
        os.getuid() != 0 or not shutil.which("podman"),
        reason="needs root and Podman: apt-get install podman runc debootstrap",
    ),
]


class Podman:
    """An engine with a store of its own."""

    def __init__(self, folder):
        self._options = ["--root", folder / "storage", "--runroot", folder / "run"]
        if shutil.which("runc"):
            self._options += ["--runtime", "runc"]

    def __call__(self, *arguments, check=True, **how):
        done = subprocess.run(
            ["podman", *self._options, *map(str, arguments)], capture_output=True, text=True, check=False, **how
        )
        assert not check or done.returncode == 0, f"podman {arguments}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done

    def run(self, image, *command, options=()):
        return self(
            "run", "--rm", "--network", "none", *LIMITS, *CONFINED, *options, f"foretaste-{image}", *command
        ).stdout


@pytest.fixture(scope="module")
def podman(tmp_path_factory):
    """With the base image, and every target built on demand."""
    folder = tmp_path_factory.mktemp("podman")
    engine = Podman(folder)
    base = re.search(r"^ARG PYTHON_IMAGE=(\S+)$", (ROOT / "deploy/Dockerfile").read_text(), flags=re.MULTILINE)[1]
    if engine("pull", "--quiet", base, check=False).returncode:
        import_debian(engine, base, folder / "debian")
    yield engine
    engine("rm", "--all", "--force", check=False)
    engine("rmi", "--all", "--force", check=False)


def import_debian(engine, name, folder):
    if not shutil.which("debootstrap"):
        pytest.skip(f"{name} cannot be pulled, and there is no debootstrap to stand in for it")
    release = name.rpartition("-")[2]
    packages = "--include=python3,python3-venv,ca-certificates"
    made = subprocess.run(
        ["debootstrap", "--variant=minbase", packages, release, folder], capture_output=True, text=True, check=False
    )
    if made.returncode:
        pytest.skip(f"no Debian can be put together: {made.stdout[-500:]}")
    for command in ("python", "python3"):
        (folder / "usr/local/bin" / command).symlink_to("/usr/bin/python3")
    archive = folder.with_suffix(".tar")
    subprocess.run(["tar", "-C", folder, "-cf", archive, "."], check=True)
    shutil.rmtree(folder)
    engine("import", archive, name)
    archive.unlink()


def pip_settings(folder):
    """Options with which pip in a build finds what pip here finds: its settings, and the folders that they name."""
    done = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True)
    values = {}
    for line in done.stdout.splitlines():
        key, _, value = line.partition("=")
        values[key.rpartition(".")[2]] = ast.literal_eval(value)
    written = folder / "pip.conf"
    written.write_text("[global]\n" + "".join(f"{key} = {text}\n" for key, text in values.items()))
    named = {word.removeprefix("file://") for text in values.values() for word in str(text).split()}
    # The files of an index lie beside its pages.
    named = {str(Path(path).parent) if path.endswith("/simple") else path for path in named}
    local = sorted(path for path in named if path.startswith("/") and Path(path).exists())
    return [
        "--volume",
        f"{written}:/etc/pip.conf:ro",
        *(part for path in local for part in ("--volume", f"{path}:{path}:ro")),
    ]


@pytest.fixture(scope="module")
def images(podman, tmp_path_factory):
    """Every target, built; each tagged as Compose calls it."""
    settings = pip_settings(tmp_path_factory.mktemp("pip"))
    for target in TARGETS:
        podman(
            "build", "--isolation", "chroot", "--network", "host", "--format", "docker", "--layers", *settings,
            "--file", "deploy/Dockerfile", "--target", target, "--tag", f"foretaste-{target}", ".",
            cwd=ROOT,
        )  # fmt: skip
    return podman


def installed(images, target):
    script = "import importlib.metadata as m; print(*(f'{d.name}=={d.version}' for d in m.distributions()), sep='\\n')"
    lines = images.run(target, "python", "-c", script).split()
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in (line.split("==") for line in lines)}


@pytest.mark.parametrize("target", TARGETS)
def test_an_image_is_small_and_confined(images, target):
    shown = images.run(
        target, "sh", "-c", "id -u; foretaste --version; command -v pip || echo no pip; touch configs/x 2>&1 || true"
    )
    assert shown.splitlines()[0] == str(USER)
    assert "foretaste 0." in shown
    assert "no pip" in shown
    assert "Read-only file system" in shown
    there = installed(images, target)
    assert ("torch" in there) == (target == "trainer")
    assert ("streamlit" in there) == (target in ("ui", "dashboard"))
    assert ("mlflow" in there) == (target in ("mlflow", "trainer"))
    pinned = dict(re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "constraints.txt").read_text(), flags=re.MULTILINE))
    pinned = {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in pinned.items()}
    for name, version in there.items():
        if name in pinned:
            assert version.partition("+")[0] == pinned[name], name
    assert {"foretaste"} >= {name for name in there if name not in pinned}


@pytest.fixture
def state(tmp_path):
    """A folder with a live bundle and a key, owned by the user of the images; and the key."""
    dataset = prepare(
        read_source(SyntheticConfig(num_users=100, num_items=40, num_interactions=900)), PrepareConfig()
    ).dataset
    model = registry.build("als", {"embedding_dim": 4, "iterations": 2}).fit(dataset, FitContext())
    BundleStore(tmp_path / "bundles").publish(BundleContents.of("als", model, dataset, seed=0))
    key, record = create_key("test", Role.WRITE, "2026-01-01T00:00:00+00:00")
    FileKeys(tmp_path / "keys.json").add(record)
    subprocess.run(["chown", "-R", f"{USER}:{USER}", tmp_path], check=True)
    return tmp_path, key


def healthy(images, container):
    ends_at = time.monotonic() + 180
    while images("healthcheck", "run", container, check=False).returncode:
        assert time.monotonic() < ends_at, images("logs", container).stdout
        assert images("inspect", "--format", "{{.State.Running}}", container).stdout.strip() == "true", images(
            "logs", container
        )
        time.sleep(1)


@pytest.fixture
def started(images):
    """Starts an image with its own command."""
    names = []

    def start(target, *options):
        name = f"test-{target}"
        names.append(name)
        images(
            "run", "--detach", "--network", "none", "--name", name, *LIMITS, *CONFINED, *options, f"foretaste-{target}"
        )
        return name

    yield start
    for name in names:
        images("rm", "--force", name, check=False)


def test_the_service_answers_on_a_read_only_root(images, started, state):
    folder, key = state
    artifacts = "/srv/foretaste/artifacts"
    bundles = f"{folder}/bundles:{artifacts}/bundles:ro"  # as Kubernetes mounts them
    name = started("api", "--volume", f"{folder}:{artifacts}", "--volume", bundles)
    healthy(images, name)
    ask = (
        "import json, urllib.request as http\n"
        "request = http.Request('http://127.0.0.1:8000/recommend', json.dumps({'user_id': 'u1', 'k': 3}).encode(),"
        f" {{'Content-Type': 'application/json', 'Authorization': 'Bearer {key}'}})\n"
        "print(http.urlopen(request).read().decode())"
    )
    answer = json.loads(images("exec", name, "python", "-c", ask).stdout)
    assert len(answer["recommendations"]) == 3
    assert images("stop", "--time", "30", name).returncode == 0
    assert images("inspect", "--format", "{{.State.ExitCode}}", name).stdout.strip() == "0"  # SIGTERM, as pid 1
    assert (folder / "service/log.db").exists()


def test_the_dashboard_only_reads(images, started, state):
    folder, _ = state
    healthy(images, started("dashboard", "--volume", f"{folder}:/srv/foretaste/artifacts:ro"))


def test_mlflow_answers_on_a_read_only_root(images, started, tmp_path):
    tmp_path.chmod(0o777)
    healthy(images, started("mlflow", "--volume", f"{tmp_path}:/srv/foretaste/artifacts/mlflow"))


def test_the_web_app_answers_on_a_read_only_root(images, started):
    healthy(images, started("ui"))


def test_the_trainer_trains_on_a_read_only_root(images, tmp_path):
    tmp_path.chmod(0o777)
    volume = ["--volume", f"{tmp_path}:/srv/foretaste/artifacts"]
    small = [f"--set=data.{key}" for key in ("num_users=200", "num_items=100", "num_interactions=4000")]
    command = ["foretaste", "train", "configs/demo.yaml", "--model", "als", "--promote", *small]
    images.run("trainer", *command, options=volume)
    assert BundleStore(tmp_path / "bundles").check()
    assert "torch" in images.run(
        "trainer", "sh", "-c", "torchrun --help | head -3; python -c 'import lightgbm, torch; print(torch.__name__)'"
    )
