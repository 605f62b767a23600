import errno
import subprocess
import sys

import pytest
import typer

import foretaste.cli
from foretaste.cli import create_app, main
from foretaste.errors import ArtifactError, ConfigError


def run_main(monkeypatch, body):
    """The exit code of `main()` with one command, `act`, whose body is given."""
    app = typer.Typer(pretty_exceptions_enable=False)
    app.callback()(lambda: None)
    app.command("act")(body)
    monkeypatch.setattr(foretaste.cli, "create_app", lambda: app)
    monkeypatch.setattr(sys, "argv", ["foretaste", "act"])
    with pytest.raises(SystemExit) as exit_request:
        main()
    return exit_request.value.code


@pytest.mark.parametrize(("error", "code"), [(ConfigError("no such key"), 2), (ArtifactError("no such bundle"), 1)])
def test_what_a_user_can_fix_is_said_without_a_traceback(monkeypatch, capsys, error, code):
    def act() -> None:
        raise error

    assert run_main(monkeypatch, act) == code
    assert capsys.readouterr() == ("", f"error: {error}\n")


def test_what_the_system_refuses_is_said_without_a_traceback(monkeypatch, capsys):
    def act() -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "artifacts/x")

    assert run_main(monkeypatch, act) == 1
    assert capsys.readouterr() == (
        "",
        "error: artifacts/x: the disk is full; free space there, or name another folder.\n",
    )


def test_a_mistake_of_ours_keeps_its_traceback(monkeypatch):
    def act() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_main(monkeypatch, act)


def test_ctrl_c_exits_with_130_and_one_line(monkeypatch, capsys):
    def act() -> None:
        raise KeyboardInterrupt

    assert run_main(monkeypatch, act) == 130
    assert capsys.readouterr() == ("", "interrupted\n")


def commands(app):
    """(name, command) of every command, those of groups included."""
    pending = [("foretaste", typer.main.get_command(app))]
    while pending:
        name, command = pending.pop()
        if hasattr(command, "commands"):
            pending += [(f"{name} {child}", each) for child, each in command.commands.items()]
        else:
            yield name, command


def test_every_command_has_an_example_in_its_help():
    for name, command in commands(create_app()):
        assert command.help, name
        assert command.epilog, name
        assert command.epilog.startswith("Example"), name
        assert name in command.epilog, f"{name}: the example does not use it"


def test_help_loads_nothing_heavy():
    heavy = {"polars", "numpy", "numba", "scipy", "pydantic", "fastapi", "torch"}
    code = "import sys; from foretaste.cli import create_app; create_app(); print(*sys.modules)"
    loaded = set(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    )
    assert not heavy & loaded
