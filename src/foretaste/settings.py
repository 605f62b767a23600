"""The base of every config section: frozen, typed, and closed to keys that it does not know."""

from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError

NAME_PATTERN = r"^[a-z0-9][a-z0-9._-]*$"
"""Of names that become parts of file names: lower case, digits, dots, dashes and underscores."""


class Settings(BaseModel):
    """A section of a config. The string under each field is its documentation, units included."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, protected_namespaces=())

    def resolved(self) -> dict[str, Any]:
        """All values, defaults included, as plain JSON types."""
        return self.model_dump(mode="json")


class SectionError(ValueError):
    """An error within a section that is checked apart, with the path to it."""

    def __init__(self, path: tuple[str, ...], cause: ValidationError, section: type[Settings]) -> None:
        super().__init__(str(cause))
        self.path, self.cause, self.section = path, cause, section


def sections_in(annotation: Any) -> list[type[BaseModel]]:
    """The config classes of an annotation: its own, or those of its union."""
    if get_origin(annotation) in (Union, UnionType):
        return [section for one in get_args(annotation) for section in sections_in(one)]
    return [annotation] if isinstance(annotation, type) and issubclass(annotation, BaseModel) else []
