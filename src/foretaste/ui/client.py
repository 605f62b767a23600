"""The service over HTTP: one method a call, with timeouts, retries and failures in plain words.

All calls may be repeated: those that ask change nothing, a user registered twice is registered once, and feedback
carries event ids that count once.
"""

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import httpx

from foretaste.ui.failures import ApiError, refused, slow, unreachable, unreadable

Json = dict[str, Any]

DEFAULT_URL = "http://127.0.0.1:8000"
DEFAULT_TIMEOUT_SECONDS = 8.0
_CONNECT_SECONDS = 3.0
_PAUSES_SECONDS = (0.2, 0.6)
"""Before each repetition."""
_LONGEST_PAUSE_SECONDS = 2.0
"""A person waits: what asks for a longer pause is told to them instead."""
_REPEATED = (429, 502, 503, 504)


class ApiClient:
    """Asks one service. Safe to use from several threads.

    Args:
        url: where the service is, as in `http://127.0.0.1:8000`.
        key: an API key or a token; empty for a service without keys.
        timeout_seconds: how long an answer may take. A slow answer is not asked for again.
        transport: what carries the requests, for tests.
        sleep: waits between repetitions, for tests.

    Raises:
        ApiError: of every method; the call gave no answer.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        key: str = "",
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.url = url.rstrip("/")
        self.timeout_seconds = timeout_seconds
        self._sleep = sleep
        self._http = httpx.Client(
            base_url=self.url,
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=httpx.Timeout(timeout_seconds, connect=min(_CONNECT_SECONDS, timeout_seconds)),
            transport=transport,
        )

    def health(self) -> Json:
        """Model version, when it was loaded, and how much it knows."""
        return self._call("GET", "/health", needs=("model_version", "model_loaded_at"))

    def about(self) -> Json:
        """The model card."""
        return self._call("GET", "/about", needs=("item_noun", "filters", "metrics", "variants"))

    def items(self, query: str, limit: int = 20) -> list[Json]:
        """Items with this in their title, the most popular first."""
        found: list[Json] = self._call("GET", "/items", params={"query": query, "limit": limit}, needs=("items",))[
            "items"
        ]
        return found

    def item(self, item_id: str) -> Json:
        """What the catalogue knows of an item."""
        return self._call("GET", f"/items/{quote(item_id, safe='')}", needs=("title",))

    def users(self, query: str, limit: int = 20) -> list[str]:
        """Ids of known users that begin so."""
        found: list[str] = self._call("GET", "/users", params={"query": query, "limit": limit}, needs=("user_ids",))[
            "user_ids"
        ]
        return found

    def history(self, user_id: str, limit: int = 10) -> Json:
        """What a user met: `history` in the training data, `recent` since."""
        asked = {"user_id": user_id, "limit": limit}
        return self._call("GET", "/history", params=asked, needs=("is_known", "history", "recent"))

    def popular(self, k: int, filters: Mapping[str, Any]) -> Json:
        """The most popular items of the genres and years in `filters`."""
        bounds = {name: filters[name] for name in ("year_min", "year_max") if name in filters}
        asked = {"k": k, "genre": list(filters.get("genres", ())), **bounds}
        return self._call("GET", "/popular", params=asked, needs=("recommendations",))

    def recommend(self, **asked: Any) -> Json:
        """The best items; `asked` is the body of `POST /recommend`."""
        return self._call("POST", "/recommend", json=asked, needs=("recommendations", "request_id"))

    def similar(self, item_id: str, k: int, filters: Mapping[str, Any]) -> Json:
        """Items like one."""
        asked = {"item_id": item_id, "k": k, "filters": dict(filters)}
        return self._call("POST", "/similar", json=asked, needs=("title", "similar_items"))

    def explain(self, item_id: str, user_id: str | None, history: Sequence[str] = (), limit: int = 2) -> list[Json]:
        """The items of the history on which this one rests most."""
        asked = {"item_id": item_id, "user_id": user_id, "history": list(history), "limit": limit}
        reasons: list[Json] = self._call("POST", "/explain", json=asked, needs=("because",))["because"]
        return reasons

    def feedback(self, kind: str, item_ids: Sequence[str], user_id: str | None, request_id: str | None = None) -> None:
        """Tell what somebody did with items, one event each."""
        events = [
            {
                "kind": kind,
                "item_id": item_id,
                "user_id": user_id,
                "request_id": request_id,
                "event_id": secrets.token_hex(16),
            }
            for item_id in item_ids
        ]
        self._call("POST", "/feedback", json={"events": events})

    def register(self, user_id: str, attributes: Mapping[str, Any]) -> Json:
        """Register a user that the training never saw."""
        return self._call("POST", "/users", json={"user_id": user_id, "attributes": dict(attributes)})

    def _call(self, method: str, path: str, needs: Sequence[str] = (), **parts: Any) -> Json:
        for pause in (*_PAUSES_SECONDS, None):
            try:
                response = self._http.request(method, path, **parts)
            except httpx.ConnectTimeout as error:
                raise ApiError(unreachable(self.url)) from error
            except httpx.TimeoutException as error:
                raise ApiError(slow(self.timeout_seconds)) from error
            except httpx.TransportError as error:
                if pause is None or isinstance(error, httpx.UnsupportedProtocol):
                    raise ApiError(unreachable(self.url)) from error
            except httpx.InvalidURL as error:
                raise ApiError(unreachable(self.url)) from error
            else:
                wait = _pause(response, pause)
                if wait is None:
                    return self._read(response, needs)
                pause = wait
            self._sleep(pause)
        raise AssertionError("the last repetition returns or raises")

    def _read(self, response: httpx.Response, needs: Sequence[str]) -> Json:
        try:
            body = response.json()
        except ValueError:
            body = None
        if not response.is_success:
            raise ApiError(refused(response.status_code, body, response.headers.get("Retry-After")))
        if not isinstance(body, dict) or not all(name in body for name in needs):
            raise ApiError(unreadable(self.url))
        return body


def _pause(response: httpx.Response, pause: float | None) -> float | None:
    """Seconds until the call is repeated; None where the answer is to be taken."""
    if pause is None or response.status_code not in _REPEATED:
        return None
    asked = response.headers.get("Retry-After", "")
    wait = max(pause, float(asked)) if asked.isdecimal() else pause
    return wait if wait <= _LONGEST_PAUSE_SECONDS else None
