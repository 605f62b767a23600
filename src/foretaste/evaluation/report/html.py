"""A document as one HTML file: no network, no scripts, charts as SVG within it.

Built as a tree of elements, so that text is text whatever it holds: a title with `<script>` in it is shown, not run.
"""

import re
from importlib.resources import files
from xml.etree.ElementTree import Element, SubElement, tostring

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
    Table,
)
from foretaste.evaluation.report.svg import draw

_STYLES = {"strong": "strong", "code": "code"}
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""The browser itself refuses whatever would leave the page."""
_NO_CHARACTER = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""What no document may hold."""


def render_html(document: Document) -> str:
    """The whole page."""
    page = Element("html", lang="en")
    head = SubElement(page, "head")
    SubElement(head, "meta", charset="utf-8")
    SubElement(head, "meta", {"http-equiv": "Content-Security-Policy", "content": _POLICY})
    SubElement(head, "meta", name="viewport", content="width=device-width, initial-scale=1")
    _add(head, "title", document.title)
    _add(head, "style", files(__package__).joinpath("style.css").read_text(encoding="utf-8"))
    main = SubElement(SubElement(page, "body"), "main")
    _add(main, "h1", document.title)
    _blocks(main, document.opening)
    shown = [(f"section-{place}", section) for place, section in enumerate(document.sections, 1) if section.blocks]
    nav = SubElement(main, "nav", {"aria-label": "Sections"})
    for anchor, section in shown:
        _add(nav, "a", section.title, href=f"#{anchor}")
    for anchor, section in shown:
        _section(main, anchor, section)
    text = tostring(page, encoding="unicode", method="html")
    return "<!doctype html>\n" + _NO_CHARACTER.sub("\ufffd", text) + "\n"


def _add(parent: Element, tag: str, text: str = "", **attributes: str) -> Element:
    child = SubElement(parent, tag, attributes)
    child.text = text or None
    return child


def _section(parent: Element, anchor: str, section: Section) -> None:
    inside = SubElement(parent, "section", {"id": anchor, "aria-labelledby": f"{anchor}-title"})
    _add(inside, "h2", section.title, id=f"{anchor}-title")
    _blocks(inside, section.blocks)


def _blocks(parent: Element, blocks: tuple[Block, ...]) -> None:
    for block in blocks:
        _block(parent, block)


def _block(parent: Element, block: Block) -> None:
    match block:
        case Paragraph():
            _line(SubElement(parent, "p", {"class": block.role}), block.text)
        case Bullets():
            bullets = SubElement(parent, "ul")
            for item in block.items:
                _line(SubElement(bullets, "li"), item)
        case Table():
            _table(parent, block)
        case Figures():
            group = SubElement(parent, "div", {"class": "figures"})
            for figure in block.figures:
                inside = SubElement(group, "figure")
                caption = _add(inside, "figcaption")
                _add(caption, "strong", figure.title)
                inside.append(draw(figure))
                # The dots of an interval chart have their values beside them.
                if figure.chart.kind != "intervals":
                    _add(inside, "p", figure.summary)
        case Listing():
            _add(SubElement(parent, "pre", {"tabindex": "0"}), "code", block.text.rstrip())
        case Beside():
            beside = SubElement(parent, "div", {"class": "beside"})
            for blocks in block.groups:
                _blocks(SubElement(beside, "div"), blocks)
        case Folded():
            folded = SubElement(parent, "details")
            _add(folded, "summary", block.title)
            _blocks(folded, block.blocks)


def _line(parent: Element, line: Line) -> None:
    for span in line:
        _add(parent, _STYLES.get(span.style, "span"), span.text)


def _table(parent: Element, table: Table) -> None:
    # On a narrow screen a wide table scrolls by itself, and the page stays.
    frame = SubElement(
        parent, "div", {"class": "frame", "tabindex": "0", "role": "region", "aria-label": table.caption}
    )
    _add(frame, "p", table.caption, **{"class": "caption"})
    element = SubElement(frame, "table", {"aria-label": table.caption})
    heads = SubElement(SubElement(element, "thead"), "tr")
    for column in table.columns:
        _add(heads, "th", column.title, scope="col", **_number(column.is_number))
    body = SubElement(element, "tbody")
    for row in table.rows:
        cells = SubElement(body, "tr")
        for place, (cell, column) in enumerate(zip(row, table.columns, strict=True)):
            head = place == 0
            inside = SubElement(cells, "th" if head else "td", _number(column.is_number))
            if head:
                inside.set("scope", "row")
            _cell(inside, cell)


def _number(is_number: bool) -> dict[str, str]:
    return {"class": "number"} if is_number else {}


def _cell(parent: Element, cell: Cell) -> None:
    _add(parent, "strong" if cell.is_strong else "span", cell.text)
    if cell.detail:
        _add(parent, "small", cell.detail)
