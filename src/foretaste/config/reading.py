"""A YAML file as a config: read, overridden from the command line, checked before any data is touched."""

import copy
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from foretaste.config.explained import explain
from foretaste.errors import ConfigError
from foretaste.settings import Settings

Config = TypeVar("Config", bound=Settings)

_MANY = 3
"""Unknown keys from which a file is taken for one of another kind."""


def load_config(path: Path, config_class: type[Config], overrides: Sequence[str] = ()) -> Config:
    """A config from a YAML file, with `section.key=value` overrides laid over it.

    Raises:
        ConfigError: the file is missing or no YAML, a key is unknown (the message names the nearest known one), or a
            value is not of its type or range.
    """
    values = _read_yaml(path)
    _refuse_other_kind(path, values, config_class)
    for override in overrides:
        _lay_over(values, override)
    if "name" in config_class.model_fields:
        values.setdefault("name", path.stem.lower())
    return check(values, config_class, where=str(path))


def config_of(
    overrides: Sequence[str], config_class: type[Config], built_in: Mapping[str, Any] | None = None
) -> Config:
    """A config without a file: its defaults, with `section.key=value` overrides laid over them.

    Args:
        overrides: as typed.
        config_class: what it should be.
        built_in: sections and keys that stand for the file.

    Raises:
        ConfigError: as `load_config`.
    """
    values: dict[str, Any] = copy.deepcopy(dict(built_in or {}))
    for override in overrides:
        _lay_over(values, override)
    return check(values, config_class, where="--set")


def check(values: Mapping[str, Any], config_class: type[Config], where: str) -> Config:
    """Values as a config.

    Args:
        values: sections and keys, as from YAML.
        config_class: what they should be.
        where: begins the message of an error.

    Raises:
        ConfigError: all that is wrong, one line each.
    """
    try:
        return config_class.model_validate(values)
    except ValidationError as error:
        lines = [line for details in error.errors() for line in explain(details, config_class)]
        raise ConfigError("\n".join(f"{where}: {line}" for line in lines)) from error


class _UniqueKeyLoader(yaml.SafeLoader):
    """YAML in which a key given twice is an error, not a silent choice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                raise yaml.MarkedYAMLError(problem="a key is a list or a section", problem_mark=key_node.start_mark)
            if key in seen:
                raise yaml.MarkedYAMLError(problem=f"key '{key}' is given twice", problem_mark=key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        near = sorted(str(other) for other in path.parent.glob("*.yaml")) if path.parent.is_dir() else []
        beside = f" Beside it: {', '.join(near)}." if near else ""
        raise ConfigError(f"{path}: no such file; expected a YAML config such as configs/demo.yaml.{beside}") from None
    except IsADirectoryError:
        raise ConfigError(f"{path} is a folder; expected a YAML config such as configs/demo.yaml.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as UTF-8 text ({error}).") from error
    try:
        values = _parsed(text)
    except yaml.MarkedYAMLError as error:
        line = f" line {error.problem_mark.line + 1}:" if error.problem_mark else ""
        raise ConfigError(f"{path}:{line} {error.problem or error}; expected YAML, as in 'seed: 0'.") from error
    if not isinstance(values, dict):
        found = "nothing" if values is None else f"{values!r:.40}"
        raise ConfigError(f"{path}: expected sections such as 'data:' and 'models:', found {found}.")
    return values


def _refuse_other_kind(path: Path, values: Mapping[str, Any], config_class: type[BaseModel]) -> None:
    """Refuse in one sentence the config of another command, whose keys are unknown one by one.

    Raises:
        ConfigError: three keys or more are unknown, and they are most of the file.
    """
    known = config_class.model_fields
    unknown = [str(key) for key in values if key not in known]
    if len(unknown) < _MANY or 2 * len(unknown) <= len(values):
        return
    first = path.read_text(encoding="utf-8").split("\n", 1)[0].removeprefix("# ").strip()
    hint = f" Its first line says what it is for: `{first}`." if first.startswith("foretaste ") else ""
    raise ConfigError(
        f"{path} is a config of another kind: unknown keys {', '.join(unknown)}; expected any of "
        f"{', '.join(known)}.{hint}"
    )


def _parsed(text: str) -> Any:
    """The value of a YAML text.

    Raises:
        MarkedYAMLError: it is none; PyYAML says so in errors of several families.
    """
    try:
        return yaml.load(text, _UniqueKeyLoader)
    except yaml.reader.ReaderError as error:
        mark = yaml.Mark("", error.position, text.count("\n", 0, error.position), 0, text, error.position)
        raise yaml.MarkedYAMLError(problem=f"the character {error.character:#06x}", problem_mark=mark) from error
    except (ValueError, RecursionError) as error:  # a date or a number that is none; sections without end
        raise yaml.MarkedYAMLError(problem=str(error)) from error


def _lay_over(values: dict[str, Any], override: str) -> None:
    """Put the value of `section.key=value` into its section.

    Raises:
        ConfigError: it is not of that form, no YAML value, or names a value as a section.
    """
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise ConfigError(f"--set {override}: expected key=value, as in --set models.als.embedding_dim=128.")
    *path, last = key.split(".")
    section = values
    for name in path:
        if section.get(name) is None:
            section[name] = {}
        section = section[name]
        if not isinstance(section, dict):
            raise ConfigError(f"--set {override}: '{name}' is a value, not a section.")
    try:
        section[last] = _parsed(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"--set {override}: '{text}' is not a YAML value ({error}).") from error
