"""Which values of a model's hyperparameters a tuning may try."""

import difflib
import json
from collections.abc import Mapping
from typing import Any, Self, get_args

from pydantic import BaseModel, Field, ValidationError, model_validator

from foretaste.errors import ConfigError
from foretaste.settings import Settings, sections_in

Value = bool | int | float | str | None
"""What a hyperparameter is tried with; a list stands as its JSON text."""


class Dimension(Settings):
    """The values of one hyperparameter: `choices`, or all from `low` to `high`."""

    choices: tuple[Any, ...] | None = Field(default=None, min_length=1)
    """A few values, without order."""
    low: float | None = None
    """The smallest value; whole numbers only, where the hyperparameter is a whole number."""
    high: float | None = None
    """The largest value, itself included."""
    log: bool = False
    """Try as many values from 0.001 to 0.01 as from 0.01 to 0.1."""
    step: float | None = Field(default=None, gt=0)
    """Distance between neighbouring values; null for any value."""

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if self.choices is not None:
            if (self.low, self.high, self.step) != (None, None, None) or self.log:
                raise ValueError("expected `choices` alone, or a range, as in {choices: [32, 64]} or {low: 1, high: 9}")
            if len(set(map(repr, self.values))) < len(self.choices):
                raise ValueError("expected different `choices`, found one of them twice")
            return self
        if self.low is None or self.high is None:
            raise ValueError("expected `choices`, or `low` and `high`, as in {choices: [32, 64]} or {low: 1, high: 9}")
        if self.low >= self.high:
            raise ValueError(f"expected `low` below `high`, found {self.low:g} and {self.high:g}")
        if self.log and (self.low <= 0 or self.step is not None):
            raise ValueError("`log` goes with a `low` above 0 and without `step`")
        return self

    @property
    def values(self) -> list[Value]:
        """Every choice as a study keeps it; empty for a range."""
        return [as_value(choice) for choice in self.choices or ()]

    def holds(self, value: Value) -> bool:
        """True where a value is one of those to try."""
        if self.choices is not None:
            return any(value == one and isinstance(value, bool) == isinstance(one, bool) for one in self.values)
        low, high = self.ends
        if isinstance(value, str | bool | None) or not low <= value <= high:
            return False
        return self.step is None or float((value - low) / self.step).is_integer()

    def choice(self, value: Value) -> Any:
        """What the model is given for a value of a study."""
        return next((one for one in self.choices or () if as_value(one) == value), value)

    @property
    def ends(self) -> tuple[Any, ...]:
        """Every choice, or both ends of the range."""
        return self.choices if self.choices is not None else (self.low, self.high)


def as_value(choice: Any) -> Value:
    """A choice as a study keeps it."""
    return choice if isinstance(choice, Value) else json.dumps(choice)


def is_whole(hyperparameters: Settings, name: str) -> bool:
    """True where the hyperparameter at a dotted path is a whole number."""
    return float not in _kinds(_annotation(type(hyperparameters), name, where=""))


def value_of(hyperparameters: Settings, name: str) -> Value:
    """The value that stands at a dotted path; None below a section that is left out."""
    found: Any = hyperparameters.resolved()
    for key in name.split("."):
        found = None if found is None else found[key]
    return as_value(found)


def with_values(hyperparameters: Settings, values: Mapping[str, Any]) -> Settings:
    """The hyperparameters with others in some places.

    Args:
        hyperparameters: of any model.
        values: dotted path → value.

    Raises:
        ConfigError: they do not go together.
    """
    try:
        return _with_values(hyperparameters, values)
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}".lstrip(": ") for each in error.errors())
        raise ConfigError(told) from error


def check_space(space: Mapping[str, Dimension], hyperparameters: Settings, where: str) -> None:
    """Refuse a space with a value that the model would refuse.

    Only what is wrong with a value in itself is found: whether values go together is seen when they are tried.

    Args:
        space: dotted path → values.
        hyperparameters: of the model, as the config has them.
        where: begins the message of an error.

    Raises:
        ConfigError: an unknown name, a range for something without order, a value beyond the limits of the model.
    """
    for name, dimension in space.items():
        kinds, place = _kinds(_annotation(type(hyperparameters), name, where)), f"{where}.{name}"
        if dimension.choices is None and not kinds & {int, float}:
            raise ConfigError(f"{place}: has no order to range over; give it choices, as in {{choices: [...]}}.")
        if dimension.choices is None and float not in kinds:
            told = (dimension.low, dimension.high, dimension.step)
            if not all(each is None or each.is_integer() for each in told):
                raise ConfigError(f"{place}: is a whole number; expected whole numbers for low, high and step.")
        for end in dimension.ends:
            problem = _problem(hyperparameters, name, end)
            if problem:
                raise ConfigError(f"{place}: the model refuses {end!r}: {problem[0].lower()}{problem[1:]}.")


def _with_values(hyperparameters: Settings, values: Mapping[str, Any]) -> Settings:
    fields = hyperparameters.resolved()
    for name, value in values.items():
        *path, last = name.split(".")
        section = fields
        for key in path:
            if section[key] is None:
                section[key] = {}
            section = section[key]
        section[last] = value
    return type(hyperparameters).model_validate(fields)


def _problem(hyperparameters: Settings, name: str, value: Any) -> str:
    """What the model says against one value; empty where it takes it."""
    path = name.split(".")
    try:
        _with_values(hyperparameters, {name: value})
    except ValidationError as error:
        for each in error.errors():
            # Pydantic puts the member of a union into the location; in the file there is no such key.
            if [step for step in each["loc"] if step in path] == path:
                return each["msg"]
    return ""


def _annotation(hyperparameters: type[BaseModel], name: str, where: str) -> Any:
    """What is declared at a dotted path."""
    sections, annotation, above = [hyperparameters], None, ""
    for key in name.split("."):
        fields = {field: info for section in sections for field, info in section.model_fields.items()}
        if key not in fields:
            near = difflib.get_close_matches(key, fields, n=1, cutoff=0.5)
            hint = f" – did you mean '{above}{near[0]}'?" if near else "."
            known = f" Known: {', '.join(f'{above}{field}' for field in fields)}." if fields else ""
            raise ConfigError(f"{where}: unknown hyperparameter '{name}'{hint}{known}")
        annotation = fields[key].annotation
        sections, above = sections_in(annotation), f"{above}{key}."
    if sections:
        inside = next(iter(sections[0].model_fields))
        raise ConfigError(
            f"{where}: '{name}' is a section, not a value; name one of its keys, as in '{name}.{inside}'."
        )
    return annotation


def _kinds(annotation: Any) -> set[Any]:
    """The plain types of an annotation, those of its union or of its `Annotated`."""
    inside = get_args(annotation)
    return {kind for one in inside for kind in _kinds(one)} if inside else {annotation}
