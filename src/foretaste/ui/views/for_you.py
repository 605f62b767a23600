"""For you: what the model recommends to a user, why, and what changes when they rate."""

from functools import partial
from typing import Any

import streamlit as st

from foretaste.ui import cards, controls, notices, reasons
from foretaste.ui.client import ApiClient, Json
from foretaste.ui.failures import ApiError
from foretaste.ui.searching import find_user
from foretaste.ui.text import markdown, markup, plural

USER = "user_id"
_RATED = "rated"
_PROBLEM = "problem"
_KEPT = "kept_reasons"
_DRAWN = "list_drawn"
_MET_SHOWN = 5


def choose(user_id: str) -> None:
    """Whom this page and the comparison are about."""
    st.session_state[USER] = user_id


def show(client: ApiClient, about: Json) -> None:
    """Draw the page.

    Raises:
        ApiError: the service does not answer.
    """
    st.title("For you")
    find_user(client, choose, key="for_you_user")
    user_id = st.session_state.get(USER)
    if user_id is None:
        nouns = plural(str(about["item_noun"]))
        notices.empty(
            f"Nobody is chosen, so no {nouns} are shown.",
            "Choose a user above. Somebody without an account starts at 'New here?'.",
        )
        return
    met = client.history(user_id, _MET_SHOWN)
    st.subheader(f"User {markdown(user_id)}", anchor=False)
    st.html(_liked_last(met))
    asked = _asked(about)
    waiting = st.empty()
    if _DRAWN not in st.session_state:
        with waiting:
            cards.skeleton(asked["k"])
    answer = client.recommend(user_id=user_id, **asked)
    why = _reasons(client, user_id, answer, met)
    waiting.empty()
    st.session_state[_DRAWN] = True
    _tell_problem()
    _show_list(client, str(about["item_noun"]), user_id, answer, why)


def _asked(about: Json) -> dict[str, Any]:
    size, seen = st.columns([1, 3], vertical_alignment="bottom")
    with size:
        k = controls.how_many("for_you")
    with seen:
        exclude_seen = st.toggle("Leave out what the user has met", value=True, key="for_you_exclude_seen")
    return {"k": k, "exclude_seen": exclude_seen, "filters": controls.filters("for_you", about["filters"])}


def _liked_last(met: Json) -> str:
    titles: list[str] = []
    for card in [*reversed(met["recent"]), *met["history"]]:
        if card["title"] not in titles:
            titles.append(card["title"])
    text = f"Liked last: {' · '.join(titles[:_MET_SHOWN])}" if titles else "Nothing is known of what they like yet."
    return f'<p class="ft-meta" id="ft-liked">{markup(text)}</p>'


def _reasons(client: ApiClient, user_id: str, answer: Json, met: Json) -> dict[str, str] | None:
    """The line of each item; None where popularity answered, which rests on nobody's history."""
    if answer["is_fallback"]:
        return None
    liked = tuple(card["item_id"] for card in met["recent"])
    depends_on = (answer["model_version"], answer["variant"], liked, st.session_state.get(_RATED, 0))
    kept = st.session_state.setdefault(_KEPT, {})
    return reasons.because(client, kept, depends_on, [item["item_id"] for item in answer["recommendations"]], user_id)


def _show_list(client: ApiClient, noun: str, user_id: str, answer: Json, why: dict[str, str] | None) -> None:
    items = answer["recommendations"]
    if not items:
        notices.empty(f"No {noun} is left after the filters.", "Take a filter back, or widen the years.")
        return
    if why is None:
        st.info(
            f"Nothing is known of this user yet, so the most popular {markdown(plural(noun))} are shown. "
            "Rate one, and the list becomes theirs.",
            icon=":material/info:",
        )
    rate = partial(_rate, client, user_id, answer["request_id"])
    cards.show(items, "for_you", cards.Thumbs(partial(rate, "click"), partial(rate, "skip")), why)


def _rate(client: ApiClient, user_id: str, request_id: str, kind: str, card: cards.Card) -> None:
    """Tell the service; a like is a click, which counts as liking on every scale of ratings."""
    try:
        client.feedback(kind, [card["item_id"]], user_id, request_id)
    except ApiError as error:
        st.session_state[_PROBLEM] = error.failure
        return
    st.session_state[_RATED] = st.session_state.get(_RATED, 0) + 1
    verdict = "You like" if kind == "click" else "Not shown again:"
    notices.say_later(f"{verdict} {card['title']}")


def _tell_problem() -> None:
    if failed := st.session_state.pop(_PROBLEM, None):
        st.warning(
            f"**The rating was not kept. {markdown(failed.title)}** {markdown(failed.remedy)}", icon=":material/error:"
        )
