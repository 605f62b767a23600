"""What may be asked over HTTP: the bodies of requests, every number, text and list bounded."""

from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, AliasChoices, BaseModel, ConfigDict, Field, WithJsonSchema, create_model

from foretaste.serving.rendering import noun_id

MAX_K = 1000
MAX_BATCH = 100
MAX_EVENTS = 1000
_MAX_TEXT = 256
_LARGEST = 1e9
_MAX_VALUES = 1000

_Name = Annotated[str, Field(min_length=1, max_length=_MAX_TEXT)]
Id = Annotated[
    _Name, WithJsonSchema({"type": ["string", "number"], "minLength": 1, "maxLength": _MAX_TEXT, "examples": ["42"]})
]
"""A text; a number counts as the text that it is written as."""
K = Annotated[int, Field(ge=1, le=MAX_K, description="How many items to give.")]


def _of_bounded_size(value: Any) -> Any:
    values = value if isinstance(value, list) else [value]
    if len(values) > _MAX_VALUES:
        raise ValueError(f"at most {_MAX_VALUES} values, not {len(values)}")
    if any(isinstance(each, str) and len(each) > _MAX_TEXT for each in values):
        raise ValueError(f"at most {_MAX_TEXT} characters a value")
    return value


_SCALAR_SCHEMA = {"anyOf": [{"type": kind} for kind in ("string", "number", "boolean")]}
_FILTER_SCHEMA = {"anyOf": [*_SCALAR_SCHEMA["anyOf"], {"type": "array", "items": _SCALAR_SCHEMA}, {"type": "null"}]}
FilterBody = Annotated[Any, AfterValidator(_of_bounded_size), WithJsonSchema(_FILTER_SCHEMA)]
"""A value, or a list of which an item has any. Which values fit which attribute, the engine knows."""

FiltersBody = Annotated[
    dict[_Name, FilterBody],
    Field(
        max_length=32,
        description="Any attribute of the catalogue: a value or a list of which an item has any; "
        "bounds as `<attribute>_min` and `<attribute>_max`, themselves included.",
    ),
]


def _known_of_a_user(value: Any) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool):
        if not -_LARGEST <= value <= _LARGEST:
            raise ValueError(f"a number from -{_LARGEST:g} to {_LARGEST:g} is expected")
        return float(value)
    if not isinstance(value, str | bool):
        raise ValueError("a text, a number, true or false is expected")
    return _of_bounded_size(value)


_ATTRIBUTE_SCHEMA = {
    "anyOf": [
        {"type": "string", "maxLength": _MAX_TEXT},
        {"type": "number", "minimum": -_LARGEST, "maximum": _LARGEST},
        {"type": "boolean"},
    ]
}
_Attribute = Annotated[Any, AfterValidator(_known_of_a_user), WithJsonSchema(_ATTRIBUTE_SCHEMA)]
AttributesBody = Annotated[
    dict[_Name, _Attribute],
    Field(
        max_length=32,
        description='What is known of the user, as `{"gender": "F"}`: for somebody without a history, what is popular '
        "among such users.",
    ),
]


class _Body(BaseModel):
    """A request body: closed to fields that it does not know; ids may come as numbers."""

    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True, use_attribute_docstrings=True)


class RecommendBody(_Body):
    """Who asks, and for what."""

    user_id: Id | None = None
    """Null for somebody without an id; a token says itself who asks."""
    k: K = 10
    exclude_seen: bool = True
    """Leave out what the user has met: what the model was trained on, feedback since, and `history`."""
    filters: FiltersBody = Field(default_factory=dict)
    include: list[Id] = Field(default_factory=list, max_length=10_000)
    """Only these items; empty for any. Unknown ids are passed over."""
    exclude: list[Id] = Field(default_factory=list, max_length=10_000)
    """Not these items. Unknown ids are passed over."""
    history: list[Id] = Field(default_factory=list, max_length=_MAX_VALUES)
    """Items that the user has met beside those that the model was trained on; they count at once."""
    seeds: list[Id] = Field(default_factory=list, max_length=_MAX_VALUES)
    """Items that somebody likes of whom no history is known."""
    attributes: AttributesBody = Field(default_factory=dict)
    variant: Annotated[str, Field(min_length=1, max_length=40)] | None = None
    """Ask this arm of the experiment, not the user's own; not with a token. The log then names no experiment."""


class BatchBody(_Body):
    """Several requests at once."""

    requests: list[RecommendBody] = Field(min_length=1, max_length=MAX_BATCH)
    """Answered in this order; each takes its turn among all requests."""


class SimilarBody(_Body):
    """Items like which one."""

    item_id: Id
    k: K = 10
    filters: FiltersBody = Field(default_factory=dict)


class ExplainBody(_Body):
    """Why which item, for whom."""

    item_id: Id
    user_id: Id | None = None
    history: list[Id] = Field(default_factory=list, max_length=_MAX_VALUES)
    """Items that the user has met beside those that the model was trained on."""
    limit: Annotated[int, Field(ge=1, le=100)] = 5
    """How many items of the history to name, at most."""


class EventBody(_Body):
    """What somebody did with an item."""

    kind: Literal["click", "rating", "purchase", "skip"]
    """`skip`: shown and passed over; the item is not shown again."""
    item_id: Id
    user_id: Id | None = None
    """Null for somebody without an id; a token says itself who."""
    request_id: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")] | None = None
    """Of the answer in which the item was shown."""
    event_id: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    """Chosen by the sender: an event that comes again with the same id counts once. Null: one is made up."""
    value: Annotated[float, Field(ge=-_LARGEST, le=_LARGEST, allow_inf_nan=False)] | None = None
    """The rating, for which it is needed; the price of a purchase, where known."""
    timestamp: Annotated[float, Field(ge=0, le=1e11, allow_inf_nan=False)] | None = None
    """When it happened, UTC seconds; null for now."""


class UserBody(_Body):
    """A user that the training never saw."""

    user_id: Id | None = None
    """May be left out with a token, which says itself who."""
    attributes: AttributesBody = Field(default_factory=dict)


Body = TypeVar("Body", bound=_Body)


def named_for(body: type[Body], item_noun: str) -> type[Body]:
    """The body, in which `item_id` may also be called by the noun of the data, such as `movie_id`."""
    names = AliasChoices("item_id", noun_id(item_noun))
    return create_model(
        body.__name__,
        __base__=body,
        __doc__=body.__doc__,
        item_id=(Id, Field(validation_alias=names, description=f"Also accepted as `{noun_id(item_noun)}`.")),
    )


def feedback_body(item_noun: str) -> type[BaseModel]:
    """Several events, in which `item_id` may also be called by the noun of the data."""
    event = named_for(EventBody, item_noun)
    events: Any = Annotated[list[event], Field(min_length=1, max_length=MAX_EVENTS)]  # type: ignore[valid-type]
    return create_model(
        "FeedbackBody",
        __base__=_Body,
        __doc__="What people did, several events at once.",
        events=(events, ...),
    )
