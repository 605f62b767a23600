"""Items as people see them: rank, title, what is known, the score as a bar, and why."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from foretaste.ui.text import described, markup

Card = Mapping[str, Any]


@dataclass(frozen=True)
class Thumbs:
    """What happens when a card is rated; both take the card."""

    up: Callable[[Card], None]
    down: Callable[[Card], None]


def show(items: Sequence[Card], key: str, thumbs: Thumbs | None = None, why: Mapping[str, str] | None = None) -> None:
    """A list of items, best first.

    Args:
        items: as the service answers.
        key: beginning of the keys in the session.
        thumbs: the buttons of each card; None for none.
        why: item id → the line under the score; where none has one, no room is kept for it.
    """
    bars = _bars(items)
    if why is not None and not any(why.values()):
        why = None
    for place, (item, bar) in enumerate(zip(items, bars, strict=True), start=1):
        line = None if why is None else why.get(item["item_id"], "")
        with st.container(border=True, key=f"{key}_card_{place}"):
            if thumbs is None:
                st.html(body(item, place, bar, line))
                continue
            text, buttons = st.columns([4, 1], vertical_alignment="center")
            text.html(body(item, place, bar, line))
            with buttons, st.container(horizontal=True, horizontal_alignment="right", gap="small"):
                for label, icon, act in (
                    ("Like", ":material/thumb_up:", thumbs.up),
                    ("Not for me", ":material/thumb_down:", thumbs.down),
                ):
                    st.button(
                        label,
                        icon=icon,
                        key=f"{key}_{label}_{item['item_id']}",
                        on_click=act,
                        args=(item,),
                        type="tertiary",
                    )


def body(item: Card, place: int, bar: float, why: str | None = None, mark: str = "") -> str:
    """The HTML of one item.

    Args:
        item: as the service answers.
        place: rank, from 1.
        bar: length of the bar, 0 to 1.
        why: the last line; an empty one keeps its room, None has none.
        mark: HTML beside the title.
    """
    score = _score(item)
    filled = f'<span style="width:{100 * bar:.0f}%"></span>'
    reason = "" if why is None else f'<p class="ft-why">{markup(why) or "&nbsp;"}</p>'
    return (
        f'<div class="ft-card"><span class="ft-place">{place}</span><div class="ft-text">'
        f'<p class="ft-title">{markup(str(item["title"]))}{mark}</p>'
        f'<p class="ft-meta">{markup(described(item)) or "&nbsp;"}</p>'
        f'<p class="ft-score"><span class="ft-bar" aria-hidden="true">{filled}</span>'
        f"<span>{markup(score)}</span></p>{reason}</div></div>"
    )


def skeleton(count: int) -> None:
    """The room that a list will take, while it is asked for."""
    st.html('<div class="ft-waiting" role="status" aria-label="Loading">' + "<div></div>" * count + "</div>")


def _score(item: Card) -> str:
    if item.get("source") == "popularity":
        return f"{item['score']:,.0f} events"
    return f"score {item['score']:.3g}"


def _bars(items: Sequence[Card]) -> list[float]:
    """Scores as parts of the highest; where some are below zero, from the lowest to the highest."""
    return lengths([float(item["score"]) for item in items])


def lengths(scores: Sequence[float]) -> list[float]:
    """The length of each bar, 0.04 to 1, so that even the last can be seen."""
    if not scores:
        return []
    floor, top = min(0.0, *scores), max(scores)
    span = top - floor
    return [max(0.04, (score - floor) / span) if span > 0 else 1.0 for score in scores]
