"""Text of the data, shown as it is written: whatever in it looks like markup stays text."""

import html
import re
from collections.abc import Mapping
from typing import Any

_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")


def markdown(text: str) -> str:
    """For Streamlit's texts and labels, which are Markdown: every ASCII punctuation mark with a backslash."""
    return _PUNCTUATION.sub(r"\\\1", " ".join(text.split()))


def markup(text: str) -> str:
    """For HTML, attributes included."""
    return html.escape(text, quote=True)


def plural(noun: str) -> str:
    """Of the noun of an item: movies, books, companies."""
    if re.search(r"[^aeiou]y$", noun):
        return f"{noun[:-1]}ies"
    return noun if noun.endswith("s") else f"{noun}s"


def capital(text: str) -> str:
    """With a capital at its beginning."""
    return text[:1].upper() + text[1:]


def described(card: Mapping[str, Any]) -> str:
    """Year, genres and author of an item, as far as they are known."""
    parts = [str(card["year"])] if card.get("year") is not None else []
    for name in ("genres", "categories", "author"):
        value = card.get(name)
        if value:
            parts.append(", ".join(map(str, value)) if isinstance(value, list) else str(value))
    return " · ".join(parts)
