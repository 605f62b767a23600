"""New here?: from a few titles to recommendations without an account, and then to one."""

from collections.abc import Callable
from functools import partial

import streamlit as st

from foretaste.ui import cards, controls, notices, reasons
from foretaste.ui.client import ApiClient, Json
from foretaste.ui.failures import ApiError
from foretaste.ui.searching import find_item
from foretaste.ui.text import markdown, plural

PICKS = "picks"
_PASSED = "passed_over"
_KEPT = "kept_reasons"
_MAX_ID = 256


def show(client: ApiClient, about: Json, open_user: Callable[[str], None]) -> None:
    """Draw the page.

    Args:
        client: of the service.
        about: the model card.
        open_user: goes to the page of somebody who just registered.

    Raises:
        ApiError: the service does not answer.
    """
    nouns = plural(str(about["item_noun"]))
    st.title("New here?")
    st.caption(f"Choose a few {markdown(nouns)} that you like. No account is needed to see what follows from them.")
    find_item(client, about, partial(_pick_by_id, client), key="new_item")
    picks: dict[str, str] = st.session_state.setdefault(PICKS, {})
    if not picks:
        _suggest(client, nouns)
        return
    _show_picks(picks)
    passed: list[str] = st.session_state.setdefault(_PASSED, [])
    k = controls.how_many("new", controls.NARROW)
    filters = controls.filters("new", about["filters"])
    answer = client.recommend(k=k, seeds=list(picks), exclude=[*picks, *passed], filters=filters)
    items = answer["recommendations"]
    st.subheader("For somebody who likes these", anchor=False)
    if items:
        kept = st.session_state.setdefault(_KEPT, {})
        about_seeds = (answer["model_version"], tuple(picks))
        why = reasons.because(client, kept, about_seeds, [item["item_id"] for item in items], None, list(picks))
        cards.show(items, "new", cards.Thumbs(_pick, _pass_over), why)
    else:
        notices.empty("Nothing is left after the filters.", "Take a filter back, or widen the years.")
    _registration(client, list(picks), answer["request_id"], open_user)


def _suggest(client: ApiClient, nouns: str) -> None:
    popular = client.popular(12, {})["recommendations"]
    st.subheader(f"Some {markdown(nouns)} that many people know", anchor=False)
    with st.container(horizontal=True, gap="small"):
        for card in popular:
            st.button(markdown(card["title"]), key=f"suggested_{card['item_id']}", on_click=_pick, args=(card,))


def _show_picks(picks: dict[str, str]) -> None:
    st.subheader("You like", anchor=False)
    with st.container(horizontal=True, gap="small", key="picks_chosen"):
        for item_id, title in picks.items():
            st.button(
                markdown(title),
                icon=":material/close:",
                key=f"unpick_{item_id}",
                help="Take it back",
                on_click=_unpick,
                args=(item_id,),
            )


def _registration(client: ApiClient, picks: list[str], request_id: str, open_user: Callable[[str], None]) -> None:
    st.subheader("Keep these as yours", anchor=False)
    with st.form("register", enter_to_submit=True):
        user_id = st.text_input("A name for you", max_chars=_MAX_ID, key="register_id", placeholder="as in anna-7")
        sent = st.form_submit_button("Register", type="primary", icon=":material/person_add:")
    if not sent:
        return
    user_id = user_id.strip()
    if not user_id:
        st.warning("A name is missing. Type one, and register again.", icon=":material/edit:")
        return
    try:
        met = client.history(user_id, 1)
        if met["is_known"] or met["recent"]:
            st.warning("Somebody has this name already. Choose another.", icon=":material/edit:")
            return
        client.register(user_id, {})
        client.feedback("click", picks, user_id, request_id)
    except ApiError as error:
        failed = error.failure
        st.error(
            f"**You are not registered. {markdown(failed.title)}** {markdown(failed.remedy)}", icon=":material/error:"
        )
        return
    st.session_state.pop(PICKS, None)
    st.session_state.pop(_PASSED, None)
    notices.say_later(f"Welcome, {user_id}")
    open_user(user_id)


def _pick_by_id(client: ApiClient, item_id: str) -> None:
    st.session_state.setdefault(PICKS, {})[item_id] = client.item(item_id)["title"]


def _pick(card: cards.Card) -> None:
    st.session_state.setdefault(PICKS, {})[card["item_id"]] = card["title"]


def _unpick(item_id: str) -> None:
    st.session_state[PICKS].pop(item_id, None)


def _pass_over(card: cards.Card) -> None:
    st.session_state.setdefault(_PASSED, []).append(card["item_id"])
