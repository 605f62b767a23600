"""What may be asked over HTTP, and what comes back."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AliasChoices, BaseModel, ConfigDict, Field, WithJsonSchema, create_model

from foretaste.serving.engine import RecommendRequest
from foretaste.serving.rendering import noun_id

MAX_K = 1000
_MAX_TEXT = 256
_MAX_VALUES = 1000

Id = Annotated[str, Field(min_length=1, max_length=_MAX_TEXT)]
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
    dict[Id, FilterBody],
    Field(
        max_length=32,
        description="Any attribute of the catalogue: a value or a list of which an item has any; "
        "bounds as `<attribute>_min` and `<attribute>_max`, themselves included.",
    ),
]


class _Body(BaseModel):
    """A request body: closed to fields that it does not know; ids may come as numbers."""

    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True, use_attribute_docstrings=True)


class RecommendBody(_Body):
    """Who asks, and for what."""

    user_id: Id | None = None
    """Null for somebody without an id."""
    k: K = 10
    exclude_seen: bool = True
    """Leave out what the user has met: what the model was trained on, and `history`."""
    filters: FiltersBody = {}
    include: list[Id] = Field(default=[], max_length=10_000)
    """Only these items; empty for any. Unknown ids are passed over."""
    exclude: list[Id] = Field(default=[], max_length=10_000)
    """Not these items. Unknown ids are passed over."""
    history: list[Id] = Field(default=[], max_length=_MAX_VALUES)
    """Items that the user has met beside those that the model was trained on; they count at once."""

    def to_request(self) -> RecommendRequest:
        """As the engine takes it."""
        return RecommendRequest(
            user_id=self.user_id,
            k=self.k,
            exclude_seen=self.exclude_seen,
            filters=self.filters,
            include=self.include,
            exclude=self.exclude,
            history=self.history,
        )


class SimilarBody(_Body):
    """Items like which one."""

    item_id: Id
    k: K = 10
    filters: FiltersBody = {}


def similar_body(item_noun: str) -> type[SimilarBody]:
    """SimilarBody, in which `item_id` may also be called by the noun of the data, such as `movie_id`."""
    names = AliasChoices("item_id", noun_id(item_noun))
    return create_model(
        "SimilarBody",
        __base__=SimilarBody,
        __doc__=SimilarBody.__doc__,
        item_id=(Id, Field(validation_alias=names, description=f"Also accepted as `{noun_id(item_noun)}`.")),
    )


class _Answer(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True, protected_namespaces=())


class ItemAnswer(_Answer):
    """An item: these fields, its id under the noun of the data, and whatever else the catalogue knows."""

    model_config = ConfigDict(extra="allow")

    item_id: str
    title: str
    score: float
    source: Literal["model", "popularity"]
    """`popularity`: the score is the item's count of events."""
    year: int | None = None
    genres: list[str] | None = None


class RecommendAnswer(_Answer):
    """Items for a user, best first."""

    user_id: str | None
    recommendations: list[ItemAnswer]
    """k of them wherever k are eligible."""
    model_version: str
    is_fallback: bool
    """True where nothing is known of the user, so that popularity answered."""
    fallback_reason: str | None
    request_id: str


class SimilarAnswer(_Answer):
    """Items like one item, most similar first."""

    model_config = ConfigDict(extra="allow")

    item_id: str
    title: str
    similar_items: list[ItemAnswer]
    model_version: str
    request_id: str


class PopularAnswer(_Answer):
    """Items by their count of events."""

    recommendations: list[ItemAnswer]
    source: str
    model_version: str
    request_id: str


class HealthAnswer(_Answer):
    """What is served, and since when."""

    status: Literal["ok"]
    model_version: str
    model_loaded_at: str
    """ISO 8601, UTC."""
    uptime_seconds: float
    n_users: int
    n_items: int
    request_id: str


class ProbeAnswer(_Answer):
    """An answer to an orchestrator's probe."""

    status: Literal["alive", "ready"]


class FieldProblem(_Answer):
    """One field of a request that is not as it should be."""

    field: str
    """Path to the field, as in `filters.year`; empty for the body as a whole."""
    message: str


class Problem(_Answer):
    """What went wrong, as RFC 9457 has it; the content type is `application/problem+json`."""

    type: str
    """A URN that names the kind of problem."""
    title: str
    status: int
    detail: str
    request_id: str
    errors: list[FieldProblem] = []
