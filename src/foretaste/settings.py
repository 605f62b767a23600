"""The base of every config section: frozen, typed, and closed to keys that it does not know."""

from typing import Any

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """A section of a config. The string under each field is its documentation, units included."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, protected_namespaces=())

    def resolved(self) -> dict[str, Any]:
        """All values, defaults included, as plain JSON types."""
        return self.model_dump(mode="json")
