"""More like this: what is similar to an item."""

import streamlit as st

from foretaste.ui import cards, controls, notices
from foretaste.ui.client import ApiClient, Json
from foretaste.ui.searching import find_item
from foretaste.ui.text import markdown, plural

ITEM = "item_id"


def show(client: ApiClient, about: Json) -> None:
    """Draw the page.

    Raises:
        ApiError: the service does not answer.
    """
    noun = str(about["item_noun"])
    st.title("More like this")
    find_item(client, about, _choose, key="similar_item")
    item_id = st.session_state.get(ITEM)
    if item_id is None:
        notices.empty(f"No {noun} is chosen.", "Type part of a title above and choose one.")
        return
    k = controls.how_many("similar", controls.NARROW)
    answer = client.similar(item_id, k, controls.filters("similar", about["filters"]))
    st.subheader(f"{markdown(plural(noun).capitalize())} like {markdown(answer['title'])}", anchor=False)
    if not answer["similar_items"]:
        notices.empty(f"No {noun} is left after the filters.", "Take a filter back, or widen the years.")
        return
    cards.show(answer["similar_items"], "similar")


def _choose(item_id: str) -> None:
    st.session_state[ITEM] = item_id
