"""Every command of README and of the guide is run, in the order of the page, in an empty folder beside the configs."""

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs/guide").glob("*.md"))]
NEEDS_DATA = "movielens"
MAKE_TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))


def blocks(page):
    return re.findall(r"^```sh\n(.*?)^```", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def run_block(script, folder):
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], cwd=folder, capture_output=True, text=True, check=False, timeout=300
    )


def start_server(command, folder):
    """The server, once it answers."""
    port = re.search(r"--port (\d+)", command)
    process = subprocess.Popen(command.split(), cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    for _ in range(300):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port[1] if port else 8000}/ready", timeout=1)
        except OSError:
            assert process.poll() is None, process.stderr.read().decode()
            time.sleep(0.1)
        else:
            return process
    raise AssertionError(f"{command} did not get ready")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    return tmp_path


@pytest.mark.slow
@pytest.mark.real_data
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_commands_of_a_page_run(page, folder, real_data, request):
    if page.stem == "larger-data":
        request.getfixturevalue("needs_spark")
    if page.name == "README.md":
        assert run_block("foretaste demo", folder).returncode == 0  # what `make demo` runs
    server = None
    try:
        for block in blocks(page):
            commands = [line for line in block.splitlines() if line.startswith("make ")]
            for command in commands:
                assert command.split()[1] in MAKE_TARGETS
            script = "\n".join(line for line in block.splitlines() if line not in commands)
            serve = next((line for line in script.splitlines() if line.startswith("foretaste serve")), None)
            if serve:
                script = script.replace(serve, "")
            result = run_block(script, folder)
            assert result.returncode == 0, f"{script}\n{result.stdout}\n{result.stderr}"
            if "curl" in script:
                assert '"title"' in result.stdout
                assert '"status":4' not in result.stdout.replace(" ", "")
            if serve:
                server = start_server(serve, folder)
    finally:
        if server:
            server.terminate()
            assert server.wait(timeout=20) in (0, -signal.SIGTERM)


def test_every_link_leads_somewhere():
    for page in [*PAGES, ROOT / "CONTRIBUTING.md", *(ROOT / "docs/decisions").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_page_of_the_guide_is_listed():
    listing = (ROOT / "docs/guide/README.md").read_text()
    assert all(f"({page.name})" in listing for page in PAGES if page.name != "README.md")


def test_every_command_is_in_the_documentation():
    from typer.main import get_command

    from foretaste.cli import create_app

    text = "\n".join(page.read_text() for page in PAGES)
    for name in get_command(create_app()).commands:
        assert f"foretaste {name}" in text, name
