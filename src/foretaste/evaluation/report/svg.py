"""Charts as SVG: drawn for the width of a phone, scaled by the page, coloured by its style sheet.

Text is measured by the widths of letters in a wide font (DejaVu Sans), so that no two texts touch in any usual one.
"""

import math
from collections.abc import Iterator, Sequence
from xml.etree.ElementTree import Element, SubElement

from foretaste.evaluation.report.document import (
    Curve,
    Figure,
    Histogram,
    Interval,
    IntervalChart,
    LineChart,
    Marks,
)

WIDTH = 360
_NARROW, _WIDE = set("iljtfrI.,:;'|![]() -"), set("mwMW@%…")
_FIRST_IDEOGRAM = 0x2E80
_GAP = 7.0
"""Least room between two texts in a row."""
_BOLD = 1.12
"""How much wider letters in strong type are."""
_ROW = 26
_TICKS = 4
_SERIES = 6
"""Colours of the style sheet, `series-0` and on; curves beyond repeat them with dashes."""
_MARK_ROW, _MARK_SIZE = 18, 4.5
_SHAPES = {
    "up": "m-4.5 4.5h9l-4.5 -9z",
    "down": "m-4.5 -4.5h9l-4.5 9z",
    "cross": "m-4 -4l8 8m0 -8l-8 8",
    "square": "m-4 -4h8v8h-8z",
    "dot": "m-3 0a3 3 0 1 0 6 0a3 3 0 1 0 -6 0z",
}
"""Paths around a point, told apart without their colours."""


def draw(figure: Figure) -> Element:
    """The chart as an `svg` element with a title and a description for readers who hear it."""
    match figure.chart:
        case IntervalChart() as chart:
            return _intervals(figure, chart)
        case LineChart() as chart:
            return _lines(figure, chart)
        case Histogram() as chart:
            return _histogram(figure, chart)


class _Axis:
    """Values → positions, with round numbers to mark."""

    def __init__(self, values: Sequence[float], start: float, stop: float, *, from_zero: bool = False) -> None:
        low, high = min(values), max(values)
        low = min(low, 0.0) if from_zero else low
        if low == high:
            low, high = low - 0.5 * (abs(low) or 1.0), high + 0.5 * (abs(high) or 1.0)
        step = _round_step((high - low) / _TICKS)
        self.low, self.high = math.floor(low / step) * step, math.ceil(high / step) * step
        count = round((self.high - self.low) / step)
        self.ticks = [self.low + step * place for place in range(count + 1)]
        self.labels = [_short(tick, step) for tick in self.ticks]
        self._start, self._stop = start, stop

    def __call__(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(self._start + share * (self._stop - self._start), 2)


def _round_step(rough: float) -> float:
    """The next of 1, 2, 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))


def _short(value: float, step: float) -> str:
    """A tick with as many decimals as its step needs, thousands as k."""
    if abs(value) < step / 2:
        return "0"
    if step >= 1000:
        return f"{value / 1000:,.0f}k"
    return f"{value:,.{max(0, -math.floor(math.log10(step) + 1e-9))}f}"


def _canvas(figure: Figure, height: float) -> Element:
    svg = Element(
        "svg",
        viewBox=f"0 0 {WIDTH} {height:g}",
        role="img",
        xmlns="http://www.w3.org/2000/svg",
        attrib={"class": "chart"},
    )
    SubElement(svg, "title").text = figure.title
    SubElement(svg, "desc").text = figure.summary
    return svg


def _text(parent: Element, x: float, y: float, text: str, anchor: str = "start", style: str = "tick") -> None:
    SubElement(parent, "text", {"x": f"{x:g}", "y": f"{y:g}", "text-anchor": anchor, "class": style}).text = text


def _stroke(parent: Element, x1: float, y1: float, x2: float, y2: float, style: str) -> None:
    SubElement(parent, "line", {"x1": f"{x1:g}", "y1": f"{y1:g}", "x2": f"{x2:g}", "y2": f"{y2:g}", "class": style})


def _width(text: str) -> float:
    """Of text of 12 units, at most."""
    return sum(_letter_width(letter) for letter in text)


def _letter_width(letter: str) -> float:
    if letter in _NARROW:
        return 5.0
    if letter in _WIDE or ord(letter) >= _FIRST_IDEOGRAM:
        return 12.1
    return 8.9 if letter.isupper() else 7.7


def _fit(text: str, room: float) -> str:
    """The text, cut where it would not fit."""
    if _width(text) <= room:
        return text
    while text and _width(text) + _width("…") > room:
        text = text[:-1]
    return f"{text}…"


def _spread(axis: _Axis) -> Iterator[tuple[float, str]]:
    """The ticks that have room for their label, the first always, as (position, label)."""
    free_from = -math.inf
    for tick, label in zip(axis.ticks, axis.labels, strict=True):
        half = _width(label) / 2
        at = axis(tick)
        if at - half >= free_from and half <= at <= WIDTH - half:
            yield at, label
            free_from = at + half + _GAP


def _bottom_axis(svg: Element, axis: _Axis, top: float, bottom: float, title: str) -> None:
    for at, label in _spread(axis):
        _stroke(svg, at, top, at, bottom, "grid")
        _text(svg, at, bottom + 18, label, "middle")
    middle = (axis(axis.low) + axis(axis.high)) / 2
    _text(svg, middle, bottom + 36, _fit(title, 2 * min(middle, WIDTH - middle)), "middle", "axis")


def _intervals(figure: Figure, chart: IntervalChart) -> Element:
    rows = chart.intervals
    values = [f"{one.value:,.{chart.decimals}f}" for one in rows]
    left = min(max(_width(one.label) for one in rows) * _BOLD, 132.0) + 10
    right = WIDTH - 12.0 - max(_width(value) for value in values) * _BOLD
    top = 6.0
    bottom = top + _ROW * len(rows)
    svg = _canvas(figure, bottom + 44)
    ends = [end for one in rows for end in (one.low, one.high)]
    axis = _Axis([*ends, *([] if chart.reference is None else [chart.reference])], left, right)
    _bottom_axis(svg, axis, top, bottom, chart.axis)
    if chart.reference is not None:
        _stroke(svg, axis(chart.reference), top, axis(chart.reference), bottom, "reference")
    for place, (one, value) in enumerate(zip(rows, values, strict=True)):
        _interval(svg, one, value, axis, top + _ROW * (place + 0.5), left)
    return svg


def _interval(svg: Element, one: Interval, value: str, axis: _Axis, y: float, left: float) -> None:
    style, type_ = ("best", "label strong") if one.is_strong else ("other", "label")
    room = (left - 8) / (_BOLD if one.is_strong else 1)
    _text(svg, left - 8, y + 4, _fit(one.label, room), "end", type_)
    _stroke(svg, axis(one.low), y, axis(one.high), y, f"whisker {style}")
    SubElement(svg, "circle", {"cx": f"{axis(one.value):g}", "cy": f"{y:g}", "r": "4.5", "class": f"dot {style}"})
    _text(svg, WIDTH - 2, y + 4, value, "end", type_)


def _lines(figure: Figure, chart: LineChart) -> Element:
    curves = [_known(curve) for curve in chart.curves]
    legend = _legend_rows([curve.label for curve in chart.curves], [marks.label for marks in chart.marks])
    above = 24.0 + 18 * len(legend)
    top = above + _MARK_ROW * len(chart.marks)
    bottom = top + 150
    svg = _canvas(figure, bottom + 44)
    y_axis = _Axis([y for _, y in (point for curve in curves for point in curve)], bottom, top)
    left = 8 + max(_width(label) for label in y_axis.labels)
    x_values = [x for x, _ in (point for curve in curves for point in curve)]
    x_values += [x for marks in chart.marks for x, _ in marks.points]
    x_axis = _Axis(x_values, left, WIDTH - 14.0)
    _text(svg, 0, 14, _fit(chart.y_axis, WIDTH), "start", "axis")
    for tick, label in zip(y_axis.ticks, y_axis.labels, strict=True):
        _stroke(svg, left, y_axis(tick), WIDTH - 14, y_axis(tick), "grid")
        _text(svg, left - 5, y_axis(tick) + 4, label, "end")
    _bottom_axis(svg, x_axis, bottom, bottom, chart.x_axis)
    for row, marks in enumerate(chart.marks):
        _marks(svg, marks, x_axis, above + _MARK_ROW * (row + 0.5), bottom)
    for row, entries in enumerate(legend):
        for x, place, label in entries:
            y = 32.0 + 18 * row
            if place < len(curves):
                _stroke(svg, x, y - 4, x + 16, y - 4, _series(place))
            else:
                _shape(svg, chart.marks[place - len(curves)].shape, x + 9, y - 4)
            _text(svg, x + 21, y, label, "start", "label")
    for place, points in enumerate(curves):
        path = " ".join(f"{x_axis(x):g},{y_axis(y):g}" for x, y in points)
        if len(points) > 1:
            SubElement(svg, "polyline", {"points": path, "class": _series(place)})
        for x, y in points if len(points) <= 30 else ():
            SubElement(
                svg, "circle", {"cx": f"{x_axis(x):g}", "cy": f"{y_axis(y):g}", "r": "2.5", "class": _series(place)}
            )
    return svg


def _marks(svg: Element, marks: Marks, axis: _Axis, y: float, bottom: float) -> None:
    """A row of shapes, each with its count where there is room, and a line from each to the bottom of the chart."""
    points = sorted(marks.points)
    ends = [*(axis(x) - _MARK_SIZE for x, _ in points[1:]), float(WIDTH)]
    for (x, count), end in zip(points, ends, strict=False):
        at, text = axis(x), str(count)
        _stroke(svg, at, y + _MARK_SIZE, at, bottom, f"mark {marks.shape} line")
        _shape(svg, marks.shape, at, y)
        if at + _MARK_SIZE + 2 + _width(text) <= end:
            _text(svg, at + _MARK_SIZE + 2, y + 4, text)


def _shape(parent: Element, shape: str, x: float, y: float) -> None:
    SubElement(parent, "path", {"d": f"M{x:g} {y:g}{_SHAPES[shape]}", "class": f"mark {shape}"})


def _known(curve: Curve) -> list[tuple[float, float]]:
    return [(x, y) for x, y in zip(curve.x, curve.y, strict=True) if y is not None]


def _series(place: int) -> str:
    dashes = " dashed" if place >= _SERIES else ""
    return f"series series-{place % _SERIES}{dashes}"


def _legend_rows(curves: Sequence[str], marks: Sequence[str] = ()) -> list[list[tuple[float, int, str]]]:
    """Rows of (x, number of the curve or, after those, of the marks, label), broken where the width ends.

    A single curve needs no name.
    """
    rows: list[list[tuple[float, int, str]]] = []
    x = math.inf
    for place, label in enumerate([*curves, *marks]):
        if len(curves) == 1 and place == 0:
            continue
        fitted = _fit(label, WIDTH - 30)
        width = 21 + _width(fitted)
        if x + width > WIDTH:
            rows.append([])
            x = 0.0
        rows[-1].append((x, place, fitted))
        x += width + 14
    return rows


def _histogram(figure: Figure, chart: Histogram) -> Element:
    top, bottom = 8.0, 108.0
    svg = _canvas(figure, bottom + 44)
    x_axis = _Axis(chart.edges, 14.0, WIDTH - 14.0)
    y_axis = _Axis([0, max(chart.counts)], bottom, top, from_zero=True)
    _bottom_axis(svg, x_axis, top, bottom, chart.axis)
    for low, high, count in zip(chart.edges[:-1], chart.edges[1:], chart.counts, strict=True):
        if count:
            x, y = x_axis(low), y_axis(count)
            width = max(x_axis(high) - x - 1, 0.5)
            SubElement(
                svg,
                "rect",
                {"x": f"{x:g}", "y": f"{y:g}", "width": f"{width:g}", "height": f"{bottom - y:g}", "class": "bar"},
            )
    _stroke(svg, 14, bottom, WIDTH - 14, bottom, "base")
    return svg
