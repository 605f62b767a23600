"""The services of a compose file, as far as plain processes need to know them."""

import re
import shlex
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import PurePosixPath
from typing import Any

import yaml

IMAGE_FOLDER = PurePosixPath("/srv/foretaste")
"""Working folder of the images; the working folder of the processes stands for it."""
LOOPBACK = "127.0.0.1"
HEALTHY, COMPLETED = "service_healthy", "service_completed_successfully"
"""What another service may wait for."""

_VARIABLE = re.compile(r"\$(?:(?P<dollar>\$)|\{(?P<name>\w+)(?:(?P<how>:?[-?])(?P<other>[^}]*))?\})")
_DURATION = re.compile(r"(\d+)(ms|s|m|h)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class ComposeError(Exception):
    """What cannot be started, and why."""


@dataclass(frozen=True)
class HealthCheck:
    """How it is found out that a service answers."""

    command: tuple[str, ...]
    patience_seconds: float
    """From the start until it must have answered once."""


@dataclass(frozen=True)
class Service:
    """A service as a process."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    depends_on: Mapping[str, str]
    """Name → condition."""
    health: HealthCheck | None
    port: int | None
    """On the loopback address; None where it listens on none."""
    folders: tuple[PurePosixPath, ...]
    """That it writes to, in the working folder."""
    stop_seconds: float
    """How long it may take to stop."""


def services(text: str, variables: Mapping[str, str], wanted: Collection[str] = ()) -> dict[str, Service]:
    """The services that have a build of their own, in the order in which they start.

    Args:
        text: a compose file.
        variables: what `${NAME}` stands for.
        wanted: these, and what they depend on; all where none is named.

    Raises:
        ComposeError: a variable is missing, services wait for one another in a circle, or a name is unknown.
    """
    described = yaml.safe_load(text)["services"]
    here = re.compile(rf"(?<=://)(?:{'|'.join(map(re.escape, described))})(?=:|/|$)|\b0\.0\.0\.0\b")
    own = {
        name: _service(name, _resolved(one, variables, here), described)
        for name, one in described.items()
        if "build" in one
    }
    try:
        order = tuple(TopologicalSorter({name: one.depends_on for name, one in own.items()}).static_order())
    except CycleError as error:
        raise ComposeError(f"services wait for one another: {' → '.join(error.args[1])}.") from error
    needed = _needed(own, wanted or own)
    return {name: own[name] for name in order if name in needed}


def _needed(own: Mapping[str, Service], wanted: Collection[str]) -> set[str]:
    if unknown := sorted(set(wanted) - set(own)):
        raise ComposeError(
            f"no service {', '.join(unknown)} to start as a process; there are {', '.join(sorted(own))}."
        )
    needed = set(wanted)
    for name in wanted:
        needed |= _needed(own, own[name].depends_on)
    return needed


def _resolved(value: Any, variables: Mapping[str, str], here: re.Pattern[str]) -> Any:
    """A part of the file with its variables filled in, and the names of services made addresses."""
    if isinstance(value, Mapping):
        return {key: _resolved(one, variables, here) for key, one in value.items()}
    if isinstance(value, list):
        return [_resolved(one, variables, here) for one in value]
    return here.sub(LOOPBACK, interpolated(value, variables)) if isinstance(value, str) else value


def interpolated(text: str, variables: Mapping[str, str]) -> str:
    """Text with `${NAME}`, `${NAME:-default}`, `${NAME-default}`, `${NAME:?reason}` and `$$` as Compose reads them.

    Raises:
        ComposeError: a variable that must be there is not.
    """

    def value(found: re.Match[str]) -> str:
        if found["dollar"]:
            return "$"
        name, how, other = found["name"], found["how"] or "", found["other"] or ""
        given = variables.get(name)
        if given or (given is not None and not how.startswith(":")):
            return given
        if how.endswith("?"):
            raise ComposeError(f"the variable {name} is not set: {other or 'it is required'}.")
        return other

    return _VARIABLE.sub(value, text)


def _service(name: str, one: Mapping[str, Any], described: Mapping[str, Any]) -> Service:
    command = one["command"]
    depends_on = one.get("depends_on", {})
    ports = [str(port).rsplit(":", 2)[-2] for port in one.get("ports", ())]
    targets = [PurePosixPath(volume.split(":")[1]) for volume in one.get("volumes", ())]
    return Service(
        name=name,
        command=tuple(shlex.split(command) if isinstance(command, str) else map(str, command)),
        environment={key: str(value) for key, value in one.get("environment", {}).items()},
        depends_on={other: how["condition"] for other, how in depends_on.items() if "build" in described[other]},
        health=_health(one["healthcheck"]) if "healthcheck" in one else None,
        port=int(ports[0]) if ports else None,
        folders=tuple(target.relative_to(IMAGE_FOLDER) for target in targets),
        stop_seconds=_seconds(one.get("stop_grace_period", "10s")),
    )


def _health(check: Mapping[str, Any]) -> HealthCheck:
    kind, *command = check["test"]
    if kind != "CMD":
        raise ComposeError(f"healthcheck {check['test']}: expected a list that begins with CMD.")
    patience_seconds = _seconds(check.get("start_period", "0s")) + check["retries"] * _seconds(check["interval"])
    return HealthCheck(tuple(command), patience_seconds)


def _seconds(text: str) -> float:
    return sum(int(number) * _SECONDS[unit] for number, unit in _DURATION.findall(text))
