"""Compare: two models side by side for one user, and what differs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from foretaste.ui import cards, controls, notices
from foretaste.ui.client import ApiClient, Json
from foretaste.ui.failures import ApiError
from foretaste.ui.searching import find_user
from foretaste.ui.text import markdown, markup
from foretaste.ui.views.for_you import USER, choose


@dataclass(frozen=True)
class Side:
    """Somebody who can be asked: a service, and which of its variants."""

    name: str
    client: ApiClient
    variant: str | None


def sides(client: ApiClient, about: Json, other: ApiClient | None) -> list[Side]:
    """All that can be compared: the variants of the service, then those of the second one.

    Raises:
        ApiError: the second service does not answer.
    """
    found = _variants(client, about, "")
    return found + (_variants(other, other.about(), f" at {other.url}") if other else [])


def show(client: ApiClient, about: Json, other: ApiClient | None = None) -> None:
    """Draw the page.

    Args:
        client: of the service.
        about: its model card.
        other: a second service.

    Raises:
        ApiError: a service does not answer.
    """
    st.title("Compare")
    offered = sides(client, about, other)
    if len(offered) < 2:
        notices.empty(
            "There is only one model to ask.",
            "Serve a second one as an experiment (see 'Bundles and serving' in the guide), or start a second service "
            "and 'foretaste ui --compare-with http://127.0.0.1:8001'.",
        )
        return
    find_user(client, choose, key="compare_user")
    user_id = st.session_state.get(USER)
    if user_id is None:
        notices.empty("Nobody is chosen.", "Choose a user above, and both models recommend to them.")
        return
    st.subheader(f"User {markdown(user_id)}", anchor=False)
    names = [side.name for side in offered]
    left_at, right_at, size = st.columns([2, 2, 1])
    left = offered[names.index(left_at.selectbox("One", names, index=0, key="compare_left"))]
    right = offered[names.index(right_at.selectbox("The other", names, index=1, key="compare_right"))]
    with size:
        k = controls.how_many("compare")
    shared = controls.filters("compare", about["filters"])
    answers = [_answer(side, user_id, k, shared) for side in (left, right)]
    st.html(f'<p class="ft-meta" id="ft-common">{markup(in_common(answers[0], answers[1]))}</p>')
    for column, side, answer, against in zip(st.columns(2), (left, right), answers, reversed(answers), strict=True):
        with column:
            _show_side(side, answer, against)


def in_common(one: Json | ApiError, other: Json | ApiError) -> str:
    """How far two answers agree, in a sentence."""
    if isinstance(one, ApiError) or isinstance(other, ApiError):
        return "One of the two did not answer."
    first, second = _ids(one), _ids(other)
    common = len(set(first) & set(second))
    same = sum(mine == theirs for mine, theirs in zip(first, second, strict=False))
    longest = max(len(first), len(second))
    if first == second:
        return "Both lists are the same."
    return f"{common} of {longest} are in both lists, {same} of them at the same place."


def mark(item_id: str, place: int, against: Sequence[str]) -> str:
    """How an item stands against the other list: HTML.

    Args:
        item_id: of the item.
        place: its rank, from 1.
        against: item ids of the other list, best first.
    """
    if item_id not in against:
        return '<span class="ft-mark ft-alone">only here</span>'
    moved = against.index(item_id) + 1 - place
    if moved == 0:
        return ""
    return f'<span class="ft-mark">{"higher" if moved > 0 else "lower"} by {abs(moved)}</span>'


def _variants(client: ApiClient, about: Mapping[str, Any], where: str) -> list[Side]:
    names = list(about["variants"])
    if len(names) < 2:
        return [Side(f"{about['model_version']}{where}", client, None)]
    return [Side(f"variant {name}{where}", client, name) for name in names]


def _answer(side: Side, user_id: str, k: int, filters: Mapping[str, Any]) -> Json | ApiError:
    asked: dict[str, Any] = {"user_id": user_id, "k": k, "filters": dict(filters)}
    if side.variant:
        asked["variant"] = side.variant
    try:
        return side.client.recommend(**asked)
    except ApiError as error:
        return error


def _show_side(side: Side, answer: Json | ApiError, against: Json | ApiError) -> None:
    st.subheader(markdown(side.name), anchor=False)
    if isinstance(answer, ApiError):
        st.error(f"**{markdown(answer.failure.title)}** {markdown(answer.failure.remedy)}", icon=":material/error:")
        return
    st.caption(f"by {markdown(answer['model_version'])}")
    others = [] if isinstance(against, ApiError) else _ids(against)
    items = answer["recommendations"]
    bars = cards.lengths([float(item["score"]) for item in items])
    for place, (item, bar) in enumerate(zip(items, bars, strict=True), start=1):
        with st.container(border=True):
            st.html(cards.body(item, place, bar, mark=mark(item["item_id"], place, others) if others else ""))
    if not items:
        notices.empty("Nothing is left after the filters.", "Take a filter back, or widen the years.")


def _ids(answer: Json) -> list[str]:
    return [item["item_id"] for item in answer["recommendations"]]
