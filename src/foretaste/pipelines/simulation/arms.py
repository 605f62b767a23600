"""Who answers the people: a service over HTTP, or an oracle that knows what everybody likes."""

import http.client
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, NamedTuple, Protocol, Self
from urllib.parse import urlsplit

import numpy as np
import orjson

from foretaste.arrays import BoolArray, IntArray
from foretaste.data.sources.synthetic import user_attributes
from foretaste.data.sources.synthetic_world import World
from foretaste.errors import RequestError
from foretaste.pipelines.simulation.people import Choice, index_of

_TIMEOUT_SECONDS = 60
_IDLE_SECONDS = 1.0
"""After which a connection is not used again: the service closes it a few seconds later."""
_MOST_EVENTS = 100
"""Sent in one request."""


class Shown(NamedTuple):
    """A list that somebody saw."""

    item_K: IntArray
    """Item of the world in each slot."""
    request_id: str
    """By which the service knows it again; empty for an oracle."""


class Arm(Protocol):
    """Whoever answers. Users and items are those of the world."""

    def arrives(self, user: int) -> None:
        """A user comes for the first time."""
        ...

    def takes(self, choice: Choice) -> None:
        """A user took an item without having been shown it."""
        ...

    def shows(self, user: int, at_seconds: float, num_slots: int) -> Shown:
        """The best items for a user."""
        ...

    def clicks(self, user: int, at_seconds: float, shown: Shown, item_C: IntArray) -> None:
        """A user clicked items of a list."""
        ...

    def day_ends(self) -> None:
        """Nothing more happens on this day."""
        ...


class Oracle:
    """Ranks by what each user truly likes at that moment, among all that is released and that the user has not met.

    No service can do better on the next visit.
    """

    def __init__(self, world: World, has_met_UI: BoolArray) -> None:
        """`has_met_UI`: what users met before the first week; is written to."""
        self._world, self._has_met_UI = world, has_met_UI

    def arrives(self, user: int) -> None:
        """It knows everybody."""

    def takes(self, choice: Choice) -> None:
        """The item is met."""
        self._has_met_UI[choice.user, choice.item] = True

    def shows(self, user: int, at_seconds: float, num_slots: int) -> Shown:
        """The items that the user likes best."""
        liking_I = self._world.preference(np.array([user]), int(at_seconds))[0]
        may_come_I = (self._world.release_seconds_I <= at_seconds) & ~self._has_met_UI[user]
        order_I = np.argsort(-np.where(may_come_I, liking_I, -1.0), kind="stable")
        return Shown(order_I[: min(num_slots, int(may_come_I.sum()))].astype(np.int32), "")

    def clicks(self, user: int, at_seconds: float, shown: Shown, item_C: IntArray) -> None:  # noqa: ARG002
        """The items are met."""
        self._has_met_UI[user, item_C] = True

    def day_ends(self) -> None:
        """It has no work at night."""


class ServiceArm:
    """A service, asked over HTTP on one connection. To be used as a context, which closes it.

    What people take by themselves the shop sends together, before the next list of one of them, and at night.
    """

    def __init__(self, world: World, url: str) -> None:
        address = urlsplit(url)
        assert address.hostname is not None
        self._url, self._attributes = url, user_attributes(world)
        self._user_ids, self._item_ids = world.user_ids.to_list(), world.item_ids.to_list()
        self._answered_at = time.monotonic()
        self._waiting: list[dict[str, Any]] = []
        self._are_waiting: set[int] = set()
        self._connection = http.client.HTTPConnection(address.hostname, address.port, timeout=_TIMEOUT_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._connection.close()

    def arrives(self, user: int) -> None:
        """Register the user, with what they would fill in."""
        attributes = {name: values[user] for name, values in self._attributes.items()}
        self._post("/users", {"user_id": self._user_ids[user], "attributes": attributes})

    def takes(self, choice: Choice) -> None:
        """Send the rating, soon."""
        event = {"kind": "rating", "item_id": self._item_ids[choice.item], "value": choice.rating}
        self._waiting.append(self._named(event, choice.user, choice.at_seconds))
        self._are_waiting.add(choice.user)
        if len(self._waiting) == _MOST_EVENTS:
            self.day_ends()

    def shows(self, user: int, at_seconds: float, num_slots: int) -> Shown:  # noqa: ARG002 - the service has a clock
        """Ask for a list."""
        if user in self._are_waiting:
            self.day_ends()
        answer = self._post("/recommend", {"user_id": self._user_ids[user], "k": num_slots})
        items = [index_of(each["item_id"]) for each in answer["recommendations"]]
        return Shown(np.array(items, dtype=np.int32), answer["request_id"])

    def clicks(self, user: int, at_seconds: float, shown: Shown, item_C: IntArray) -> None:
        """Send the clicks."""
        events = [
            {"kind": "click", "item_id": self._item_ids[item], "request_id": shown.request_id}
            for item in item_C.tolist()
        ]
        self._post("/feedback", {"events": [self._named(event, user, at_seconds) for event in events]})

    def day_ends(self) -> None:
        """Send what was not sent yet."""
        if self._waiting:
            self._post("/feedback", {"events": self._waiting})
            self._waiting.clear()
            self._are_waiting.clear()

    def model_version(self) -> str:
        """The bundle that answers now."""
        return str(self._answer("GET", "/health")["model_version"])

    def _named(self, event: Mapping[str, Any], user: int, at_seconds: float) -> dict[str, Any]:
        return {**event, "user_id": self._user_ids[user], "timestamp": at_seconds}

    def _post(self, path: str, body: Mapping[str, Any]) -> Any:
        return self._answer("POST", path, orjson.dumps(body))

    def _answer(self, method: str, path: str, body: bytes | None = None) -> Any:
        if time.monotonic() - self._answered_at > _IDLE_SECONDS:
            self._connection.close()  # the next request opens it anew
        headers = {"Content-Type": "application/json"} if body else {}
        self._connection.request(method, path, body, headers)
        response = self._connection.getresponse()
        told = response.read()
        self._answered_at = time.monotonic()
        if response.status != http.HTTPStatus.OK:
            raise RequestError(f"{self._url}{path} answered {response.status}: {told.decode(errors='replace'):.300}")
        return orjson.loads(told)
