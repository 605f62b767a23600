"""What is said instead of a list: failures, empty answers, and the word after something was done."""

import streamlit as st

from foretaste.ui.failures import Failure
from foretaste.ui.text import markdown

_TOAST = "toast"


def failure(told: Failure) -> None:
    """What happened, and what to do; a button asks again."""
    said = f"\n\nThe service says: {markdown(told.detail)}" if told.detail else ""
    found_by = f"\n\nRequest id: `{markdown(told.request_id)}`" if told.request_id else ""
    st.error(f"**{markdown(told.title)}**\n\n{markdown(told.remedy)}{said}{found_by}", icon=":material/error:")
    st.button("Try again", icon=":material/refresh:", key="try_again")


def empty(text: str, remedy: str) -> None:
    """Nothing to show, and how there would be something."""
    st.info(f"**{markdown(text)}**\n\n{markdown(remedy)}", icon=":material/search_off:")


def say_later(text: str) -> None:
    """Say it with the next drawing of the page; from callbacks, which draw nothing."""
    st.session_state[_TOAST] = text


def say_now() -> None:
    """Say what was left to be said."""
    if text := st.session_state.pop(_TOAST, ""):
        st.toast(markdown(text), icon=":material/check:")
