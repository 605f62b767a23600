"""One YAML an experiment: read, overridden from the command line, checked before any data is touched."""

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, Field, SerializeAsAny, ValidationError, field_validator
from pydantic_core import ErrorDetails

from foretaste.data.prepare import PrepareConfig
from foretaste.data.sources import SourceConfig
from foretaste.data.splits import GlobalTimeSplit, SplitConfig
from foretaste.data.validate import BadRows
from foretaste.errors import ConfigError
from foretaste.evaluation.protocol import EvaluationConfig
from foretaste.models.registry import entry
from foretaste.settings import Settings, sections_in


class ModelSpec(Settings):
    """One model of an experiment: which, and its hyperparameters."""

    type: str
    """Name in the registry: popularity, item_knn, ease, als …"""
    hyperparameters: SerializeAsAny[Settings]

    def resolved(self) -> dict[str, Any]:
        """As it stands in the YAML, defaults included."""
        return {"type": self.type, **self.hyperparameters.resolved()}


class ExperimentConfig(Settings):
    """All that a run depends on: the same config on the same data gives the same result."""

    name: str = Field(default="experiment", pattern=r"^[a-z0-9][a-z0-9._-]*$")
    """Begins the ids of its runs: lower case, digits, dots and dashes. Default: the name of the file."""
    seed: int = Field(default=0, ge=0)
    """Of every model's training."""
    data: SourceConfig
    """Which source, and where its files are."""
    bad_rows: BadRows = BadRows()
    """What happens to rows that cannot be read."""
    prepare: PrepareConfig = PrepareConfig()
    split: SplitConfig = GlobalTimeSplit()
    models: dict[str, ModelSpec] = Field(min_length=1)
    """Label → hyperparameters; the label is the type of the model unless `type` says otherwise."""
    evaluation: EvaluationConfig = EvaluationConfig()
    refit: bool = True
    """Train each model again on train and valid before it is tested and published."""

    @field_validator("models", mode="before")
    @classmethod
    def _by_registry(cls, models: Any) -> Any:
        if not isinstance(models, Mapping):
            raise ValueError("expected a section for each model, as in 'als: {embedding_dim: 64}'")
        return {label: _model_spec(str(label), section) for label, section in models.items()}

    def resolved(self) -> dict[str, Any]:
        """As it stands in the YAML, defaults included."""
        return super().resolved() | {"models": {label: spec.resolved() for label, spec in self.models.items()}}


class _SectionError(ValueError):
    """An error within a section that is checked apart, with the path to it."""

    def __init__(self, path: tuple[str, ...], cause: ValidationError, section: type[Settings]) -> None:
        super().__init__(str(cause))
        self.path, self.cause, self.section = path, cause, section


def _model_spec(label: str, section: Any) -> ModelSpec:
    if isinstance(section, ModelSpec):
        return section
    if not isinstance(section, Mapping | None):
        raise ValueError(f"expected hyperparameters under models.{label}, as in 'embedding_dim: 64', not '{section}'")
    values = dict(section or {})
    name = str(values.pop("type", label))
    config_class = entry(name).config_class()
    try:
        return ModelSpec(type=name, hyperparameters=config_class.model_validate(values))
    except ValidationError as error:
        raise _SectionError(("models", label), error, config_class) from error


Config = TypeVar("Config", bound=Settings)


def load_config(path: Path, config_class: type[Config], overrides: Sequence[str] = ()) -> Config:
    """A config from a YAML file, with `section.key=value` overrides laid over it.

    Raises:
        ConfigError: the file is missing or no YAML, a key is unknown (the message names the nearest known one), or a
            value is not of its type or range.
    """
    values = _read_yaml(path)
    for override in overrides:
        _lay_over(values, override)
    if "name" in config_class.model_fields:
        values.setdefault("name", path.stem.lower())
    return check(values, config_class, where=str(path))


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
        lines = [line for details in error.errors() for line in _explain(details, config_class)]
        raise ConfigError("\n".join(f"{where}: {line}" for line in lines)) from error


class _UniqueKeyLoader(yaml.SafeLoader):
    """YAML in which a key given twice is an error, not a silent choice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
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
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as UTF-8 text ({error}).") from error
    try:
        values = yaml.load(text, _UniqueKeyLoader)
    except yaml.MarkedYAMLError as error:
        line = f" line {error.problem_mark.line + 1}:" if error.problem_mark else ""
        raise ConfigError(f"{path}:{line} {error.problem or error}; expected YAML, as in 'seed: 0'.") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: expected sections such as 'data:' and 'models:', found {values!r:.40}.")
    return values


def _lay_over(values: dict[str, Any], override: str) -> None:
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
        section[last] = yaml.load(text, _UniqueKeyLoader)
    except yaml.YAMLError as error:
        raise ConfigError(f"--set {override}: '{text}' is not a YAML value ({error}).") from error


def _explain(details: ErrorDetails, config_class: type[BaseModel], above: tuple[str, ...] = ()) -> list[str]:
    """What is wrong, in words of the file."""
    cause = details.get("ctx", {}).get("error")
    if isinstance(cause, _SectionError):
        inner = cause.cause.errors()
        return [line for inside in inner for line in _explain(inside, cause.section, cause.path)]
    section, keys = _walk(config_class, details["loc"])
    path = ".".join((*above, *keys))
    if details["type"] == "extra_forbidden":
        return [_unknown_key(path, keys[-1], section, ".".join((*above, *keys[:-1])))]
    if details["type"] == "missing":
        return [f"'{path}' is missing. {_keys_of(section, '.'.join((*above, *keys[:-1])))}"]
    if details["type"] in ("union_tag_invalid", "union_tag_not_found"):
        return [_unknown_tag(details, path)]
    if isinstance(cause, ValueError):
        place = f"{path}: " if path else ""
        return [f"{place}{str(cause).removesuffix('.')}."]
    return [f"{path}: {details['msg'][0].lower()}{details['msg'][1:]}, got {details['input']!r:.60}."]


def _unknown_key(path: str, key: str, section: type[BaseModel], section_path: str) -> str:
    near = difflib.get_close_matches(key, section.model_fields, n=1, cutoff=0.5)
    prefix = f"{section_path}." if section_path else ""
    hint = f" – did you mean '{prefix}{near[0]}'?" if near else "."
    return f"unknown key '{path}'{hint} {_keys_of(section, section_path)}"


def _unknown_tag(details: ErrorDetails, path: str) -> str:
    """A section says by one of its keys what kind it is, and said nothing or something unknown."""
    key = details["ctx"]["discriminator"].strip("'")
    expected = details["ctx"].get("expected_tags")
    if expected is None:
        return f"'{path}.{key}' is missing; it says which kind of {path} is meant."
    tag = details["ctx"]["tag"]
    near = difflib.get_close_matches(tag, expected.replace("'", "").split(", "), n=1, cutoff=0.5)
    hint = f" – did you mean '{near[0]}'?" if near else ";"
    return f"{path}.{key}: unknown '{tag}'{hint} Expected one of {expected}."


def _keys_of(section: type[BaseModel], section_path: str) -> str:
    place = f"'{section_path}'" if section_path else "the file"
    return f"Keys of {place}: {', '.join(section.model_fields)}."


def _walk(config_class: type[BaseModel], loc: tuple[str | int, ...]) -> tuple[type[BaseModel], list[str]]:
    """The section that holds the last key of `loc`, and the keys as they stand in the file.

    Pydantic puts the tag of a discriminated union into the location; in the file there is no such key.
    """
    section, keys = config_class, []
    inside: Any = config_class
    for step in loc:
        if isinstance(inside, type) and issubclass(inside, BaseModel):
            section = inside
            keys.append(str(step))
            field = section.model_fields.get(str(step))
            inside = field.annotation if field else None
        else:
            tagged = [cls for cls in sections_in(inside) if step in _tags(cls)]
            if tagged:
                inside = section = tagged[0]
            else:
                keys.append(str(step))
                inside = None
    return section, keys


def _tags(config_class: type[BaseModel]) -> set[Any]:
    """The literal values that tell a class of a union from the others."""
    return {value for field in config_class.model_fields.values() for value in get_args(field.annotation)}
