"""The light in the sidebar: whether the service answers, which model, since when."""

from datetime import datetime

import streamlit as st

from foretaste.ui.client import ApiClient, Json
from foretaste.ui.failures import ApiError, Failure
from foretaste.ui.text import markup

_EVERY_SECONDS = 15
_ASKED = "health"


def probe(client: ApiClient) -> Json | Failure:
    """How the service is, remembered for the light that this run draws."""
    told = _ask(client)
    st.session_state[_ASKED] = told
    return told


@st.fragment(run_every=_EVERY_SECONDS)
def light(client: ApiClient, was_up: bool) -> None:
    """Draw it, anew every few seconds; the page follows when the service is back."""
    told = st.session_state.pop(_ASKED, None) or _ask(client)
    st.html(drawn(told, client.url))
    if not was_up and not isinstance(told, Failure):
        st.rerun()


def drawn(told: Json | Failure, url: str) -> str:
    """The HTML of the light."""
    if isinstance(told, Failure):
        lamp, lines = "down", [told.title, url]
    else:
        lamp = "up"
        lines = ["The service is up", f"model {told['model_version']}", f"loaded {when(told['model_loaded_at'])}"]
    first, *rest = (markup(line) for line in lines)
    said = f"<p><strong>{first}</strong></p>" + "".join(f"<p>{line}</p>" for line in rest)
    shown = f'<span class="ft-lamp ft-{lamp}" aria-hidden="true"></span><div>{said}</div>'
    return f'<div class="ft-light" role="status">{shown}</div>'


def when(iso: str) -> str:
    """An ISO 8601 time as people write it, to the minute, with its zone."""
    try:
        return datetime.fromisoformat(iso).strftime("%-d %B %Y, %H:%M %Z").strip()
    except ValueError:
        return iso


def _ask(client: ApiClient) -> Json | Failure:
    try:
        return client.health()
    except ApiError as error:
        return error.failure
