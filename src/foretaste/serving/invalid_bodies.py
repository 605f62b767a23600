"""A body that does not fit its model, in words of who sent it: each wrong field, and the field that may be meant."""

import difflib
from collections.abc import Iterator, Sequence
from typing import Any, get_args

from pydantic import AliasChoices, BaseModel, ValidationError
from pydantic_core import ErrorDetails

MAX_FIELDS = 20
"""Wrong fields that are named, at most; a body may hold a hundred thousand."""
_LONGEST_NAME = 100


class InvalidBodyError(Exception):
    """The body of a call does not fit its model."""

    def __init__(self, cause: ValidationError, body: type[BaseModel]) -> None:
        super().__init__(str(cause.error_count()))
        self.cause, self.body = cause, body

    def fields(self) -> list[dict[str, str]]:
        """`field` and `message` of what is wrong, `MAX_FIELDS` at most."""
        errors = self.cause.errors(include_url=False, include_context=False, include_input=False)
        return [
            {"field": ".".join(str(step) for step in each["loc"]), "message": _message(each, self.body)}
            for each in errors[:MAX_FIELDS]
        ]


def _message(error: ErrorDetails, body: type[BaseModel]) -> str:
    if error["type"] != "extra_forbidden":
        return error["msg"]
    names = list(_names(_model_at(body, error["loc"][:-1])))
    near = difflib.get_close_matches(str(error["loc"][-1])[:_LONGEST_NAME], names, n=1, cutoff=0.5)
    hint = f"did you mean '{near[0]}'? " if near else ""
    return f"unknown field; {hint}expected {', '.join(names)}"


def _model_at(body: type[BaseModel], path: Sequence[int | str]) -> type[BaseModel]:
    """The model of the part of a body that a path leads to; the places within lists are passed over."""
    for step in path:
        if isinstance(step, str):
            body = next(_models_in(body.model_fields[step].annotation))
    return body


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models_in(inner)


def _names(model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        alias = field.validation_alias
        yield from (str(each) for each in alias.choices) if isinstance(alias, AliasChoices) else (name,)
