"""What comes back over HTTP, as the documentation describes it."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict


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
    policy: str
    """How slots were given to items."""
    variant: str
    """The arm of the experiment; `default` where there is none."""
    request_id: str
    """Feedback names it."""


class BatchAnswer(_Answer):
    """An answer to each request, in their order."""

    answers: list[RecommendAnswer]
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


class ItemDetails(_Answer):
    """What the catalogue knows of an item, its id under the noun of the data, too."""

    model_config = ConfigDict(extra="allow")

    item_id: str
    title: str
    model_version: str
    request_id: str


class ReasonAnswer(_Answer):
    """An item of a history."""

    model_config = ConfigDict(extra="allow")

    item_id: str
    title: str
    contribution: float
    """How much lower the score would be without it."""


class ExplainAnswer(_Answer):
    """What of a history an item's score rests on, most important first."""

    model_config = ConfigDict(extra="allow")

    user_id: str | None
    item_id: str
    title: str
    score: float
    because: list[ReasonAnswer]
    model_version: str
    request_id: str


class FeedbackAnswer(_Answer):
    """The events are written down and count from now on."""

    event_ids: list[str]
    """In the order of the request."""
    request_id: str


class UserAnswer(_Answer):
    """The user is registered; whatever was registered of them before is replaced."""

    user_id: str
    attributes: dict[str, Any]
    registered_at: float
    """UTC seconds."""
    request_id: str


class LiveAnswer(_Answer):
    """The process answers."""

    status: Literal["alive"]


class ReadyAnswer(_Answer):
    """Whether requests should come here, and what is amiss although they may."""

    status: Literal["ready", "draining"]
    model_version: str
    problems: dict[str, str]
    """Variant → why its bundle does not answer; what answered before, or the default, does."""


class LoadedModel(_Answer):
    """A bundle that answers."""

    variant: str
    model_version: str
    model: str
    share: float
    """Part of the users."""
    model_loaded_at: str
    """ISO 8601, UTC."""
    n_users: int
    n_items: int


class ModelsAnswer(_Answer):
    """What answers in this worker."""

    experiment: str | None
    loaded: list[LoadedModel]
    production: str | None
    """What the store names as live; a worker follows within seconds."""
    problems: dict[str, str]
    """Variant → why its bundle does not answer."""
    worker: int
    request_id: str


class SwapAnswer(_Answer):
    """What a reload or a rollback did in this worker; the others follow within seconds."""

    status: Literal["swapped", "unchanged"]
    model_version: str
    request_id: str


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


class ItemCard(_Answer):
    """An item as the catalogue has it."""

    model_config = ConfigDict(extra="allow")

    item_id: str
    title: str


class ItemsAnswer(_Answer):
    """Items found by title."""

    items: list[ItemCard]
    request_id: str


class UsersAnswer(_Answer):
    """Users found by id."""

    user_ids: list[str]
    request_id: str


class HistoryAnswer(_Answer):
    """What a user met, the latest first."""

    user_id: str
    is_known: bool
    """Whether the model was trained with the user."""
    history: list[ItemCard]
    """In the training data."""
    recent: list[ItemCard]
    """By feedback since the training."""
    request_id: str


class AboutAnswer(_Answer):
    """The model card of what answers."""

    item_noun: str
    model_version: str
    model: str
    config: dict[str, Any]
    created_at: str
    data: dict[str, Any]
    """Name, licence and checksum of the data set."""
    n_users: int
    n_items: int
    n_interactions: int
    training_window: dict[str, str] | None
    """First and last event, ISO 8601, UTC; null for data without times."""
    metrics: dict[str, dict[str, float | None]]
    """On what it has not seen: metric → mean and the ends of its 95 % interval."""
    run_id: str
    """The run that made the bundle; its report tells the rest."""
    filters: dict[str, dict[str, Any]]
    """Attribute → its kind, and its values or range."""
    variants: list[str]
    """Arms of the experiment that are loaded; `default` alone without one."""
    request_id: str
