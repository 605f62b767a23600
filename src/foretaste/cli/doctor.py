"""`doctor`: what is installed, what the machine offers, and whether the store is in order."""

import os
import platform
import re
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import NamedTuple

import typer

from foretaste.cli.output import DEFAULT_STORE, JsonOption, StoreOption, console, example, print_json

_PACKAGES = ("foretaste", "polars", "narwhals", "numpy", "scipy", "numba", "pydantic", "fastapi", "uvicorn")
_THREAD_VARIABLES = ("POLARS_MAX_THREADS", "NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_EXTRA_REQUIREMENT = re.compile(r"^(?P<package>[\w.-]+).*extra == ['\"](?P<extra>\w+)['\"]$")
_NOT_FOR_USERS = ("all", "dev")
_GIB = 2**30


class Finding(NamedTuple):
    """One line of the report."""

    topic: str
    name: str
    value: str
    advice: str = ""
    """What to do about it; empty where all is well."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=example("foretaste doctor", "foretaste doctor --json"))(doctor)


def doctor(store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """Look at the installation, the machine, the data folder and the store; exit 1 if a bundle is damaged."""
    bundles = _store(store)
    findings = [*_versions(), *_extras(), *_machine(), *_threads(), _data(), *bundles]
    if as_json:
        print_json([finding._asdict() for finding in findings])
    else:
        _print(findings)
    if any(finding.value == "damaged" for finding in bundles):
        raise typer.Exit(1)


def _versions() -> list[Finding]:
    packages = [Finding("versions", name, version(name)) for name in _PACKAGES]
    return [Finding("versions", "python", platform.python_version()), *packages]


def _extras() -> list[Finding]:
    """The optional parts that the package declares."""
    missing: dict[str, list[str]] = {}
    for found in map(_EXTRA_REQUIREMENT.match, requires("foretaste") or []):
        if found and found["extra"] not in _NOT_FOR_USERS:
            packages = missing.setdefault(found["extra"], [])
            packages += [] if _is_installed(found["package"]) else [found["package"]]
    return [
        Finding("extras", extra, f"not installed: {', '.join(packages)}", f"pip install 'foretaste[{extra}]'")
        if packages
        else Finding("extras", extra, "installed")
        for extra, packages in missing.items()
    ]


def _is_installed(package: str) -> bool:
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True


def _machine() -> list[Finding]:
    import psutil

    memory = psutil.virtual_memory()
    return [
        Finding("machine", "system", f"{platform.system()} {platform.machine()}"),
        Finding("machine", "cores", str(os.cpu_count())),
        Finding("machine", "memory", f"{memory.available / _GIB:.1f} GiB of {memory.total / _GIB:.1f} GiB free"),
    ]


def _threads() -> list[Finding]:
    import numba
    import polars as pl

    used = [
        Finding("threads", "polars", str(pl.thread_pool_size())),
        Finding("threads", "numba", str(numba.get_num_threads())),
    ]
    variables = [(name, os.environ.get(name)) for name in _THREAD_VARIABLES]
    return used + [Finding("threads", name, value) for name, value in variables if value is not None]


def _data() -> Finding:
    from foretaste.data.locate import DATA_VARIABLE, DEFAULT_FOLDER

    named = os.environ.get(DATA_VARIABLE)
    folder = Path(named) if named else DEFAULT_FOLDER
    if not folder.is_dir():
        advice = f"let {DATA_VARIABLE} name an existing folder" if named else "foretaste data download ml-100k"
        return Finding("data", str(folder), "no such folder", advice)
    return Finding("data", str(folder), f"{sum(1 for _ in folder.iterdir())} entries")


def _store(root: Path) -> list[Finding]:
    from foretaste.artifacts.store import BundleStore
    from foretaste.errors import ArtifactError

    store = BundleStore(root)
    findings = []
    for each in store.list():
        try:
            store.check(each.bundle_id)
            findings.append(Finding("store", each.bundle_id, "intact"))
        except ArtifactError as error:
            findings.append(Finding("store", each.bundle_id, "damaged", str(error)))
    if not findings:
        return [Finding("store", str(root), "no bundle yet", "foretaste demo")]
    live = store.production_id()
    advice = "" if live else f"foretaste bundles promote {findings[-1].name}"
    return [*findings, Finding("store", "production", live or "none", advice)]


def _print(findings: list[Finding]) -> None:
    from rich.markup import escape

    out = console(as_json=False)
    width = max(len(finding.name) for finding in findings)
    topic = None
    for finding in findings:
        heading = "" if finding.topic == topic else finding.topic
        out.print(
            f"[bold]{heading:<10}[/bold]{escape(f'{finding.name:<{width}}')}   {escape(finding.value)}", soft_wrap=True
        )
        if finding.advice:
            out.print(f"{'':<10}[yellow]→ {escape(finding.advice)}[/yellow]", soft_wrap=True)
        topic = finding.topic
