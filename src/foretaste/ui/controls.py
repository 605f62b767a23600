"""What people set above a list: how many, and any filter that the catalogue allows."""

from collections.abc import Collection, Mapping
from typing import Any, Literal

import streamlit as st

from foretaste.ui.text import capital, markdown

_FIRST = ("genres", "categories", "year")
_NOT_ASKED = ("popularity", "title")
_SIZES = (5, 10, 20, 50)
NARROW = 200
"""Width of a field that stands alone, in pixels."""


def how_many(page: str, width: int | Literal["stretch"] = "stretch") -> int:
    """k, as chosen.

    Args:
        page: beginning of the keys in the session.
        width: of the field, in pixels.
    """
    return int(st.selectbox("How many", _SIZES, index=1, key=f"{page}_k", width=width))


def filters(page: str, choices: Mapping[str, Mapping[str, Any]], only: Collection[str] | None = None) -> dict[str, Any]:
    """The filters that were set, as the service takes them.

    Args:
        page: beginning of the keys in the session.
        choices: attribute → its kind and its values or range, as `/about` tells.
        only: the attributes to offer; None for all.
    """
    offered = [name for name in choices if name not in _NOT_ASKED and (only is None or name in only)]
    offered = [name for name in offered if _is_choice(choices[name])]
    first = [name for name in _FIRST if name in offered]
    rest = [name for name in offered if name not in first]
    asked: dict[str, Any] = {}
    if first:
        for name, column in zip(first, st.columns(len(first), vertical_alignment="top"), strict=True):
            with column:
                asked |= _ask(page, name, choices[name])
    if rest:
        with st.expander("More filters"):
            for name in rest:
                asked |= _ask(page, name, choices[name])
    return asked


def _is_choice(choice: Mapping[str, Any]) -> bool:
    if choice["kind"] == "flag":
        return True
    if choice["kind"] == "number":
        return not choice.get("several") and choice.get("min") is not None and choice["min"] < choice["max"]
    return len(choice.get("values", ())) > 1


def _ask(page: str, name: str, choice: Mapping[str, Any]) -> dict[str, Any]:
    label, key = markdown(capital(name.replace("_", " "))), f"{page}_{name}"
    if choice["kind"] == "flag":
        wanted = st.selectbox(label, ("any", "yes", "no"), key=key)
        return {} if wanted == "any" else {name: wanted == "yes"}
    if choice["kind"] == "text":
        values = st.multiselect(label, choice["values"], key=key, placeholder="Any")
        return {name: values} if values else {}
    lowest, highest = choice["min"], choice["max"]
    if float(lowest).is_integer() and float(highest).is_integer():
        lowest, highest = int(lowest), int(highest)
    low, high = st.slider(
        "Years" if name == "year" else label, lowest, highest, (lowest, highest), key=key, format=_FORMAT.get(name)
    )
    bounds = {f"{name}_min": low} if low > lowest else {}
    return bounds | ({f"{name}_max": high} if high < highest else {})


_FORMAT = {"year": "%d"}
