"""What a report is made of, whatever it will look like: sections of plain data, which renderers turn into text.

Everything here is frozen and goes to JSON and back, so that a report can be rendered again without its run.
"""

from collections.abc import Sequence
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from foretaste.settings import Settings


class Span(Settings):
    """A stretch of text in one style."""

    text: str
    style: Literal["plain", "strong", "code"] = "plain"
    """`strong` for what the eye should find first, `code` for what is typed."""


Line: TypeAlias = tuple[Span, ...]
"""Text of one paragraph, list item or cell."""


def line(*parts: str | Span) -> Line:
    """Plain text and spans, joined."""
    return tuple(Span(text=part) if isinstance(part, str) else part for part in parts)


def strong(text: str) -> Span:
    """What the eye should find first."""
    return Span(text=text, style="strong")


def code(text: str) -> Span:
    """What is typed, or a name of the program."""
    return Span(text=text, style="code")


def plain(text: Line) -> str:
    """The text alone."""
    return "".join(span.text for span in text)


class Paragraph(Settings):
    """Running text."""

    kind: Literal["paragraph"] = "paragraph"
    text: Line
    role: Literal["text", "lead", "warning"] = "text"
    """`lead` is the answer of the whole report; a `warning` limits what may be concluded from it."""


class Bullets(Settings):
    """A list without order."""

    kind: Literal["bullets"] = "bullets"
    items: tuple[Line, ...]


class Column(Settings):
    """The head of a column."""

    title: str
    is_number: bool = False
    """Numbers stand at the right of their cell."""


class Cell(Settings):
    """A cell: what it says, and in smaller letters what that rests on, such as an interval."""

    text: str
    detail: str = ""
    is_strong: bool = False


class Table(Settings):
    """Rows of cells; the first cell of a row names it."""

    kind: Literal["table"] = "table"
    caption: str
    """What the table shows, for readers who hear it and for those who look for it."""
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]


class Interval(Settings):
    """A value with the range that it may be in."""

    label: str
    value: float
    low: float
    high: float
    is_strong: bool = False


class IntervalChart(Settings):
    """A dot and a whisker each, on one axis."""

    kind: Literal["intervals"] = "intervals"
    axis: str
    intervals: tuple[Interval, ...]
    reference: float | None = None
    """A value to hold the others against, drawn as a line."""
    decimals: int = 4
    """Of the values beside the whiskers."""


class Curve(Settings):
    """A line of a chart; `y` has None where nothing was measured."""

    label: str
    x: tuple[float, ...]
    y: tuple[float | None, ...]


class Marks(Settings):
    """Moments of one kind, such as each promotion of a model."""

    label: str
    shape: Literal["up", "down", "cross", "dot", "square"]
    points: tuple[tuple[float, int], ...]
    """Where on the x axis, and how many happened there."""


class LineChart(Settings):
    """Curves over one axis, and what happened meanwhile."""

    kind: Literal["lines"] = "lines"
    x_axis: str
    y_axis: str
    curves: tuple[Curve, ...]
    marks: tuple[Marks, ...] = ()
    """A row each above the curves."""


class Histogram(Settings):
    """How often values fall between edges, of which there is one more than counts."""

    kind: Literal["histogram"] = "histogram"
    axis: str
    edges: tuple[float, ...]
    counts: tuple[int, ...]


Chart: TypeAlias = Annotated[IntervalChart | LineChart | Histogram, Field(discriminator="kind")]


class Figure(Settings):
    """A chart. A renderer without pictures, and a reader who cannot see them, get the summary."""

    title: str
    summary: str
    """What the chart shows, in one or two sentences with its figures."""
    chart: Chart


class Figures(Settings):
    """Charts side by side, where there is room."""

    kind: Literal["figures"] = "figures"
    figures: tuple[Figure, ...]


class Listing(Settings):
    """Text as a machine reads it."""

    kind: Literal["listing"] = "listing"
    text: str
    language: str = ""


class Beside(Settings):
    """Groups of blocks side by side, where there is room."""

    kind: Literal["beside"] = "beside"
    groups: tuple[tuple["Block", ...], ...]


class Folded(Settings):
    """What few readers need, one click away."""

    kind: Literal["folded"] = "folded"
    title: str
    blocks: tuple["Block", ...]


Block: TypeAlias = Annotated[
    Paragraph | Bullets | Table | Figures | Listing | Beside | Folded, Field(discriminator="kind")
]


class Section(Settings):
    """A heading and what stands under it; one without blocks is not shown."""

    title: str
    blocks: tuple[Block, ...] = ()


class Document(Settings):
    """A whole report."""

    title: str
    opening: tuple[Block, ...]
    """What stands before the first heading."""
    sections: tuple[Section, ...]


def table(caption: str, columns: Sequence[Column], rows: Sequence[Sequence[str | Cell]]) -> Table:
    """A table of text and cells."""
    return Table(
        caption=caption,
        columns=tuple(columns),
        rows=tuple(tuple(Cell(text=cell) if isinstance(cell, str) else cell for cell in row) for row in rows),
    )


def words(title: str) -> Column:
    """The head of a column of text."""
    return Column(title=title)


def number(title: str) -> Column:
    """The head of a column of numbers."""
    return Column(title=title, is_number=True)
