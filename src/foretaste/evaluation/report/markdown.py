"""A document as GitHub-flavoured Markdown. Whatever data brings is escaped: a title is never markup."""

import re
from collections.abc import Iterable

from foretaste.evaluation.report.document import (
    Beside,
    Block,
    Bullets,
    Cell,
    Document,
    Figures,
    Folded,
    Line,
    Listing,
    Paragraph,
    Section,
    Span,
    Table,
)

_SPECIAL = re.compile(r"[\\`*|]|<(?=[A-Za-z/!?])|~(?=~)|&(?=#?\w+;)|\](?=[(\[:])|(?<![^\W_])_|_(?![^\W_])")
"""What could be markup. An underscore within a word, as in `item_knn`, cannot, nor can brackets alone."""
_BLANKS = re.compile(r"\s+")
_NUMBERED = re.compile(r"^(\s*)(\d+)([.)])(?=\s)")
_SIGN = re.compile(r"^(\s*)([-+=#>])")


def render_markdown(document: Document) -> str:
    """The document as Markdown; of figures their summaries."""
    parts = [f"# {_escaped(document.title)}", *(_block(block) for block in document.opening)]
    for section in document.sections:
        if section.blocks:
            parts += _section(section)
    return "\n\n".join(parts) + "\n"


def _section(section: Section) -> Iterable[str]:
    yield f"## {_escaped(section.title)}"
    yield from (_block(block) for block in section.blocks)


def _block(block: Block) -> str:
    match block:
        case Paragraph():
            text = _start(_line(block.text))
            return f"> **Warning:** {text}" if block.role == "warning" else text
        case Bullets():
            return "\n".join(f"- {_start(_line(item))}" for item in block.items)
        case Table():
            return f"{_start(_escaped(block.caption))}\n\n{_table(block)}"
        case Figures():
            return "\n".join(f"- {_escaped(figure.title)}: {_escaped(figure.summary)}" for figure in block.figures)
        case Listing():
            fence = _fence(block.text)
            return f"{fence}{block.language}\n{block.text.rstrip()}\n{fence}"
        case Beside():
            return "\n\n".join(_block(one) for group in block.groups for one in group)
        case Folded():
            inner = "\n\n".join(_block(one) for one in block.blocks)
            return f"<details><summary>{_escaped(block.title)}</summary>\n\n{inner}\n\n</details>"


def _table(table: Table) -> str:
    heads = [_escaped(column.title) for column in table.columns]
    rules = ["---:" if column.is_number else "---" for column in table.columns]
    body = [heads, rules, *([_cell(cell) for cell in row] for row in table.rows)]
    return "\n".join("| " + " | ".join(row) + " |" for row in body)


def _cell(cell: Cell) -> str:
    text = _escaped(cell.text)
    text = f"**{text}**" if cell.is_strong and text else text
    return f"{text} {_escaped(cell.detail)}".strip()


def _line(spans: Line) -> str:
    return "".join(_span(span) for span in spans)


def _span(span: Span) -> str:
    match span.style:
        case "plain":
            return _escaped(span.text)
        case "strong":
            return f"**{_escaped(span.text)}**"
        case "code":
            return _code(span.text)


def _escaped(text: str) -> str:
    """One line in which nothing is markup; a blank at either end stays."""
    return _SPECIAL.sub(r"\\\g<0>", _BLANKS.sub(" ", text))


def _start(text: str) -> str:
    """Text that begins a line, where a number with a dot or a dash would begin a list."""
    return _SIGN.sub(r"\1\\\2", _NUMBERED.sub(r"\1\2\\\3", text))


def _code(text: str) -> str:
    """In as many backticks as the text does not have in a row."""
    fence = "`" * (max((len(run) for run in re.findall(r"`+", text)), default=0) + 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{' '.join(text.split())}{pad}{fence}"


def _fence(text: str) -> str:
    return "`" * max(3, max((len(run) for run in re.findall(r"`+", text)), default=0) + 1)
