"""What surrounds every page: the light, the model card that it is drawn from, and what is said when neither comes."""

from collections.abc import Callable

import streamlit as st

from foretaste.ui import notices
from foretaste.ui.client import ApiClient, Json
from foretaste.ui.failures import ApiError, Failure
from foretaste.ui.light import light, probe

_CARD = "model_card"
_CLOSE_ON_PHONES = """<script>/* {title} */
if (innerWidth < 768) {{
  document.querySelector('#stSidebar[data-collapsed="false"] button[aria-controls="stSidebar"]')?.click();
}}
</script>"""
"""Runs once a page: on a phone the sidebar covers what was just chosen, and Streamlit leaves it open."""


def draw(client: ApiClient, title: str, show: Callable[[Json], None]) -> None:
    """Draw a page, or what keeps it from being drawn.

    Args:
        client: of the service.
        title: of the page, where it cannot say its own.
        show: draws the page from the model card.
    """
    waiting = st.empty()  # always there, so that what follows keeps its place
    if _CARD not in st.session_state:
        waiting.html('<p class="ft-meta" role="status">Asking the service …</p>')
    health = probe(client)
    waiting.empty()
    with st.sidebar:
        light(client, was_up=not isinstance(health, Failure))
        st.html(_CLOSE_ON_PHONES.format(title=title), unsafe_allow_javascript=True)
    if isinstance(health, Failure):
        st.title(title)
        notices.failure(health)
        return
    try:
        card = _card(client, str(health["model_version"]))
    except ApiError as error:
        st.title(title)
        notices.failure(error.failure)
        return
    try:
        show(card)
    except ApiError as error:
        notices.failure(error.failure)


def _card(client: ApiClient, model_version: str) -> Json:
    """The model card, asked for again when another model answers."""
    kept: tuple[str, Json] | None = st.session_state.get(_CARD)
    if kept is None or kept[0] != model_version:
        kept = (model_version, client.about())
        st.session_state[_CARD] = kept
    return kept[1]
