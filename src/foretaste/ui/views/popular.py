"""Popular: what most people chose, by genre and by the years of the items."""

import streamlit as st

from foretaste.ui import cards, controls, notices
from foretaste.ui.client import ApiClient, Json
from foretaste.ui.text import markdown, plural


def show(client: ApiClient, about: Json) -> None:
    """Draw the page.

    Raises:
        ApiError: the service does not answer.
    """
    noun = str(about["item_noun"])
    st.title("Popular")
    window = about.get("training_window") or {}
    until = f", {str(window['first'])[:10]} to {str(window['last'])[:10]}" if window else ""
    st.caption(f"{markdown(plural(noun).capitalize())} with the most events in the training data{markdown(until)}")
    k = controls.how_many("popular", controls.NARROW)
    answer = client.popular(k, controls.filters("popular", about["filters"], only=("genres", "year")))
    if not answer["recommendations"]:
        notices.empty(f"No {noun} is left after the filters.", "Choose other genres, or widen the years.")
        return
    cards.show(answer["recommendations"], "popular")
