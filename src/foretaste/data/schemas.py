"""The columns of every table: one place for their names and types."""

from dataclasses import dataclass

import polars as pl

USER_ID = "user_id"
ITEM_ID = "item_id"
RATING = "rating"
TIMESTAMP = "timestamp"
PART = "part"
"""Which part of a given split a row belongs to: one of `PARTS`."""

WEIGHT = "weight"
"""How many plain events a row counts for; null for one."""

PROMPTED = "prompted"
"""Whether an event of the same user and item answers a list that a service had shown: who clicks and later buys was
prompted to both. Null where nobody knows, which counts as no.

Of a log's event its `request_id` tells, not its `slot`. The slot says where a list showed this very item, and there is
none while the request is still on its way to the database, nor for an item that was reached from the list and was not
on it. What is counted as shown and clicked goes by the slot; what may judge a model goes by whether any list came
before."""

PARTS = ("train", "valid", "test")

TITLE = "title"
YEAR = "year"
GENRES = "genres"
AUTHOR = "author"
AVAILABLE = "available"
"""An attribute of true and false: an item for which it is false is shown only to requests that filter by it."""


@dataclass(frozen=True)
class Column:
    """A column of a table as foretaste reads it."""

    name: str
    dtype: pl.DataType | type[pl.DataType]
    required: bool = False
    also_called: tuple[str, ...] = ()
    """Names under which other tools write this column, compared without case, spaces, `_`, `-` and `:type` suffix."""


INTERACTION_COLUMNS: tuple[Column, ...] = (
    Column(USER_ID, pl.String, required=True, also_called=("user", "uid", "reviewer_id", "customer_id", "visitor_id")),
    Column(
        ITEM_ID,
        pl.String,
        required=True,
        also_called=("item", "iid", "movie_id", "book_id", "product_id", "asin", "parent_asin", "track_id", "sku"),
    ),
    Column(RATING, pl.Float32, also_called=("score", "stars", "overall", "value", "preference", "rating_value")),
    Column(TIMESTAMP, pl.Int64, also_called=("time", "ts", "datetime", "date", "unix_review_time", "created_at")),
)
"""A row is an event: a user met an item. `timestamp` is UTC seconds."""

ITEM_COLUMNS: tuple[Column, ...] = (
    Column(ITEM_ID, pl.String, required=True, also_called=INTERACTION_COLUMNS[1].also_called),
    Column(TITLE, pl.String, also_called=("name", "item_name", "movie_title", "book_title", "product_title")),
    Column(YEAR, pl.Int32, also_called=("release_year", "publication_year", "original_publication_year")),
    Column(GENRES, pl.List(pl.String), also_called=("genre", "categories", "category", "tags")),
    Column(AUTHOR, pl.String, also_called=("authors", "artist", "brand", "store")),
)
"""A row is an item of the catalogue. A source may add columns of its own: prices, counts, any attribute."""

USER_COLUMNS: tuple[Column, ...] = (
    Column(USER_ID, pl.String, required=True, also_called=INTERACTION_COLUMNS[0].also_called),
)
"""A row is a user; every other column is an attribute."""

PART_COLUMN = Column(PART, pl.String)
"""Joins the columns of interactions where a user says that their file holds a split."""

RANK = "rank"
SCORE = "score"
RECOMMENDATION_COLUMNS: tuple[Column, ...] = (
    *INTERACTION_COLUMNS[:2],
    Column(RANK, pl.Float64, also_called=("position", "place")),
    Column(SCORE, pl.Float64, also_called=("prediction", "predicted", "estimate", "preference", "value", RATING)),
)
"""A row is a slot of a user's list: by `rank`, the lowest first, or else by `score`, the highest first."""

REQUEST_ID = "request_id"
EVENT_ID = "event_id"
ENDPOINT = "endpoint"
STATUS = "status"
LATENCY_MS = "latency_ms"
USER_KNOWN = "user_known"
MODEL_VERSION = "model_version"
EXPERIMENT = "experiment"
VARIANT = "variant"
POLICY = "policy"
IS_FALLBACK = "is_fallback"
FALLBACK_REASON = "fallback_reason"
RECOMMENDATIONS = "recommendations"
SCORES = "scores"
PROPENSITIES = "propensities"
NUM_ITEMS = "num_items"
NUM_REQUESTS = "num_requests"
LATENCY_BUCKET = "latency_bucket"
HOUR = "hour"
ASKED = "asked"
SLOT = "slot"
RECEIVED_AT = "received_at"
KIND = "kind"
VALUE = "value"
REGISTRATION_ID = "registration_id"
REGISTERED_AT = "registered_at"
ATTRIBUTES = "attributes"

REQUEST_COLUMNS: tuple[Column, ...] = (
    Column(REQUEST_ID, pl.String, required=True),
    Column(TIMESTAMP, pl.Float64, required=True),
    Column(ENDPOINT, pl.String, required=True),
    Column(STATUS, pl.Int32, required=True),
    Column(LATENCY_MS, pl.Float64, required=True),
    Column(USER_ID, pl.String),
    Column(USER_KNOWN, pl.Boolean),
    Column(MODEL_VERSION, pl.String),
    Column(EXPERIMENT, pl.String),
    Column(VARIANT, pl.String),
    Column(POLICY, pl.String),
    Column(IS_FALLBACK, pl.Boolean),
    Column(FALLBACK_REASON, pl.String),
    Column(RECOMMENDATIONS, pl.List(pl.String)),
    Column(SCORES, pl.List(pl.Float64)),
    Column(PROPENSITIES, pl.List(pl.Float64)),
    Column(ASKED, pl.String),
)
"""A row is a request that was answered. `timestamp` is UTC seconds with fractions; `status` is that of HTTP; the
elements of the three lists are the slots, first slot first; a propensity is the probability with which the policy puts
the item into the slot. `asked` is a JSON object of what the request named beside the user: k, filters, history …"""

FEEDBACK_COLUMNS: tuple[Column, ...] = (
    Column(EVENT_ID, pl.String, required=True),
    Column(TIMESTAMP, pl.Float64, required=True),
    Column(RECEIVED_AT, pl.Float64, required=True),
    Column(KIND, pl.String, required=True),
    Column(ITEM_ID, pl.String, required=True),
    Column(USER_ID, pl.String),
    Column(REQUEST_ID, pl.String),
    Column(VALUE, pl.Float64),
)
"""A row is what somebody did with an item. `timestamp` is when it happened, `received_at` when it was acknowledged,
both UTC seconds with fractions; `value` is the rating or the price paid, as `kind` has it; `request_id` is the answer
that showed the item."""

REGISTRATION_COLUMNS: tuple[Column, ...] = (
    Column(REGISTRATION_ID, pl.String, required=True),
    Column(USER_ID, pl.String, required=True),
    Column(REGISTERED_AT, pl.Float64, required=True),
    Column(ATTRIBUTES, pl.String),
)
"""A row is a user that was registered, with its attributes as a JSON object; the latest row of a user counts."""
