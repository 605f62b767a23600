"""A PostgreSQL server for as long as something runs: `python tests/temporary_postgres.py COMMAND ...`.

The command finds the server's URL in FORETASTE_POSTGRES_URL. Without PostgreSQL on the machine the command runs all the
same, without that variable, and the tests that need a server say that they were skipped.
"""

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

VARIABLE = "FORETASTE_POSTGRES_URL"
_UNPRIVILEGED = ("postgres", "nobody")
"""Users to run the server as: it refuses to run as root."""


class NoPostgresError(Exception):
    """Why no server can be started."""


@contextmanager
def running_postgres() -> Iterator[str]:
    """The URL of an empty server that listens on a socket in a temporary folder.

    Raises:
        NoPostgresError: it is not installed, or does not start.
    """
    binaries = _binaries()
    with tempfile.TemporaryDirectory(prefix="fpg", dir="/tmp") as name:  # a socket's path must be short
        folder, as_user = Path(name), _as_user(Path(name))
        data = folder / "data"
        _run([*as_user, binaries / "initdb", "-D", data, "-A", "trust", "-U", "foretaste", "--no-sync", "-E", "UTF8"])
        options = f"-k {folder} -c listen_addresses='' -c fsync=off"
        control = [*as_user, binaries / "pg_ctl", "-D", data, "-w"]
        _run([*control, "-l", folder / "server.log", "-o", options, "start"])
        try:
            yield f"postgresql+psycopg://foretaste@/postgres?host={folder}"
        finally:
            with suppress(NoPostgresError):  # what was to be done with it is done
                _run([*control, "-m", "immediate", "stop"])


def _binaries() -> Path:
    found = [Path(on_path).parent] if (on_path := shutil.which("initdb")) else []
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not any((folder / "initdb").exists() for folder in found):
        raise NoPostgresError("no initdb on PATH or under /usr/lib/postgresql; apt-get install postgresql")
    return found[-1]


def _as_user(folder: Path) -> list[str]:
    if os.getuid() != 0:
        return []
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    name = next((name for name in _UNPRIVILEGED if name in known), None)
    if name is None or shutil.which("runuser") is None:
        raise NoPostgresError(f"the server refuses to run as root, and there is no user {' or '.join(_UNPRIVILEGED)}")
    os.chown(folder, known[name].pw_uid, known[name].pw_gid)
    return ["runuser", "-u", name, "--"]


def _run(command: list[str | Path]) -> None:
    # Not a pipe: the server would inherit it, and reading it would wait for the server's end.
    with tempfile.TemporaryFile("w+") as output:
        done = subprocess.run(command, cwd="/", stdout=output, stderr=output, stdin=subprocess.DEVNULL, check=False)
        if done.returncode:
            output.seek(0)
            raise NoPostgresError(f"{command[-1]}: {output.read().strip()}")


def main(command: list[str]) -> int:
    """Exit code of the command."""
    environment = dict(os.environ)
    with ExitStack() as stack:
        if VARIABLE not in environment:
            try:
                environment[VARIABLE] = stack.enter_context(running_postgres())
            except NoPostgresError as reason:
                print(f"no PostgreSQL: {reason}", file=sys.stderr)
        return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
