"""A field that searches while one types and offers what it found."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

from foretaste.ui.failures import ApiError
from foretaste.ui.text import markdown

_HTML = """<div class="finder"><label for="field"></label>
<input id="field" type="text" role="combobox" autocomplete="off" spellcheck="false" aria-autocomplete="list"
 aria-controls="found" aria-expanded="false"><ul id="found" role="listbox" hidden></ul></div>"""


@dataclass(frozen=True)
class Option:
    """Something that was found."""

    id: str
    title: str
    detail: str = ""


@st.fragment
def finder(
    label: str,
    search: Callable[[str], Sequence[Option]],
    on_pick: Callable[[str], None],
    key: str,
    placeholder: str = "",
    nothing: str = "Nothing is called so.",
    free: bool = False,
) -> None:
    """Draw the field; only it is drawn anew while somebody types, the page when something is picked.

    Args:
        label: above the field.
        search: what to offer for a text; called with the empty text, too.
        on_pick: takes the id of what was picked.
        key: of this field in the session.
        placeholder: in the empty field.
        nothing: said where nothing was found.
        free: Enter takes what was typed though it was not found.
    """
    state: Any = st.session_state.get(key)
    query = str((state or {}).get("query") or "")
    options, problem = [], ""
    try:
        options = [asdict(option) for option in search(query)]
    except ApiError as error:
        problem = str(error)
    data = {
        "label": label,
        "placeholder": placeholder,
        "query": query,
        "options": options,
        "problem": problem,
        "nothing": nothing,
        "free": free,
    }
    result = _component()(
        key=key, data=data, default={"query": ""}, on_query_change=_take_note, on_picked_change=_take_note
    )
    if result.picked:
        try:
            on_pick(str(result.picked))
        except ApiError as error:
            st.warning(markdown(str(error)), icon=":material/error:")
        else:
            st.rerun()


def _take_note() -> None:
    """Only that there is something to be called makes Streamlit keep the value."""


@cache
def _component() -> Callable[..., Any]:
    here = Path(__file__).parent
    mount: Callable[..., Any] = st.components.v2.component(
        "foretaste_finder",
        html=_HTML,
        css=(here / "finder.css").read_text(encoding="utf-8"),
        js=(here / "finder.js").read_text(encoding="utf-8"),
    )
    return mount
