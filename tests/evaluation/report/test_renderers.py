"""Both renderings of one document: the same facts, and no title that becomes markup."""

import re
from html.parser import HTMLParser

import pytest

from foretaste.evaluation.report.document import (
    Beside,
    Bullets,
    Cell,
    Curve,
    Document,
    Figure,
    Figures,
    Folded,
    Histogram,
    Interval,
    IntervalChart,
    LineChart,
    Listing,
    Marks,
    Paragraph,
    Section,
    code,
    line,
    number,
    strong,
    table,
    words,
)
from foretaste.evaluation.report.html import render_html
from foretaste.evaluation.report.markdown import render_markdown
from foretaste.evaluation.report.svg import draw

HOSTILE = '<script>alert(1)</script> | *x* [a](http://b.c) `d` & "e" <img src=x onerror=y>'
VOID = {"meta", "br", "img", "link"}


def document(text):
    chart = IntervalChart(axis=text, intervals=(Interval(label=text, value=1, low=0, high=2),))
    return Document(
        title=text,
        opening=(Paragraph(text=line(strong(text), text, code(text)), role="warning"), Bullets(items=(line(text),))),
        sections=(
            Section(
                title=text,
                blocks=(
                    table(text, [words(text), number(text)], [[text, Cell(text=text, detail=text, is_strong=True)]]),
                    Figures(figures=(Figure(title=text, summary=text, chart=chart),)),
                    Folded(title=text, blocks=(Listing(text=text),)),
                    Beside(groups=((Paragraph(text=line(text)),),)),
                ),
            ),
            Section(title="nothing to say"),
        ),
    )


class Page(HTMLParser):
    """The elements, their attributes and the text of a page; each element must be closed in its turn."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.text, self.open = [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.text.append(data)


def test_a_hostile_title_is_text_on_the_page():
    page, plain = Page(render_html(document(HOSTILE))), Page(render_html(document("harmless")))
    assert page.tags == plain.tags
    assert {"script", "img"}.isdisjoint(page.tags)
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    # Two texts of the chart have no room for it and are cut.
    assert page.text.count(HOSTILE) + 2 == plain.text.count("harmless") > 10


def test_a_hostile_title_is_text_in_markdown():
    text = render_markdown(document(HOSTILE))
    outside_code = re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", text.replace(r"\`", ""), flags=re.DOTALL)
    outside_details = re.sub(r"</?(details|summary)>", "", outside_code)
    assert not re.search(r"(?<!\\)[<*|]script|(?<!\\)<img|(?<!\\)\]\(", outside_details)
    rows = [row for row in text.splitlines() if row.startswith("| ")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {3}


def test_names_and_intervals_stay_readable_in_markdown():
    text = render_markdown(document("item_knn 0.1 [0.0 0.2] 5 > 4 < 9"))
    assert "| item_knn 0.1 [0.0 0.2] 5 > 4 < 9 |" in text


@pytest.mark.parametrize(("text", "begins"), [("1. one", r"1\. one"), ("- one", r"\- one"), ("# one", r"\# one")])
def test_text_does_not_begin_a_list_or_a_heading(text, begins):
    told = Document(title="t", opening=(Paragraph(text=line(text)),), sections=())
    assert render_markdown(told).splitlines()[2] == begins


def test_a_code_span_holds_backticks():
    told = Document(title="t", opening=(Paragraph(text=line(code("a`b``"))),), sections=())
    assert render_markdown(told).splitlines()[2] == "``` a`b`` ```"


def test_a_section_without_blocks_is_not_shown():
    assert "nothing to say" not in render_markdown(document("x")) + render_html(document("x"))


def test_control_characters_do_not_reach_the_page():
    assert "\x00" not in render_html(document("a\x00b\ud800c"))
    render_html(document("a\x00b\ud800c")).encode()


def test_nothing_is_fetched():
    page = render_html(document("x"))
    assert not re.search(r"(src|href)=\"(?!#)", page)
    assert "url(" not in page
    assert "@import" not in page
    assert "default-src 'none'" in page


def test_charts_and_tables_are_named_for_readers_who_hear_them():
    page = render_html(document("x"))
    assert page.count('role="img"') == page.count("<title>x</title>") - 1 == 1
    assert 'scope="col"' in page
    assert 'scope="row"' in page


CHARTS = [
    IntervalChart(axis="a", intervals=(Interval(label="l", value=0.5, low=0.5, high=0.5),), reference=0.1),
    LineChart(x_axis="x", y_axis="y", curves=(Curve(label="c", x=(1.0,), y=(2.0,)),)),
    LineChart(x_axis="x", y_axis="y", curves=(Curve(label="c", x=(1, 2, 3), y=(0.1, None, 0.3)),)),
    LineChart(x_axis="x", y_axis="y", curves=tuple(Curve(label=f"model {n}", x=(1, 2), y=(n, 5)) for n in range(9))),
    Histogram(axis="h", edges=(0.0, 1.0, 2.0), counts=(3, 0)),
    Histogram(axis="h", edges=(1.0, 1.0), counts=(7,)),
]


@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.kind)
def test_every_chart_is_drawn_within_its_frame(chart):
    told = Document(title="t", opening=(Figures(figures=(Figure(title="f", summary="s", chart=chart),)),), sections=())
    page = render_html(told)
    width, height = map(float, re.search(r'viewBox="0 0 (\S+) (\S+)"', page).groups())
    for name, value in re.findall(r' (x|y|cx|cy|x1|x2|y1|y2)="([^"]+)"', page):
        assert 0 <= float(value) <= (width if name.endswith("x") or name.startswith("x") else height), (name, value)
    assert "nan" not in page.lower().replace("nano", "")


def test_a_line_has_a_point_for_each_measured_value():
    told = Document(
        title="t", opening=(Figures(figures=(Figure(title="f", summary="s", chart=CHARTS[2]),)),), sections=()
    )
    (points,) = re.findall(r'points="([^"]+)"', render_html(told))
    (left, low), (right, high) = ([float(one) for one in point.split(",")] for point in points.split())
    assert left < right
    assert low > high  # SVG counts downwards, and 0.3 stands above 0.1


def test_marks_are_shapes_with_their_counts_and_a_name_in_the_legend():
    marks = (
        Marks(label="promoted", shape="up", points=((1.5, 2), (3.5, 1))),
        Marks(label="refused", shape="cross", points=((2.5, 3),)),
    )
    curve = Curve(label="alone", x=(1, 4), y=(0.1, 0.2))
    drawn = draw(Figure(title="t", summary="s", chart=LineChart(x_axis="x", y_axis="y", curves=(curve,), marks=marks)))
    shapes = [one.get("class") for one in drawn.iter() if one.tag == "path"]
    assert sorted(shapes) == ["mark cross"] * 2 + ["mark up"] * 3, "a shape each, and one in the legend"
    texts = [one.text for one in drawn.iter("text")]
    assert {"promoted", "refused"} <= set(texts)
    assert "alone" not in texts, "a single curve needs no name"
    starts = [float(one.get("x1")) for one in drawn.iter("line") if one.get("class") == "mark up line"]
    points = next(one for one in drawn.iter("polyline")).get("points").split()
    left, right = (float(point.split(",")[0]) for point in points)
    assert [(x - left) / (right - left) for x in starts] == pytest.approx([0.5 / 3, 2.5 / 3], abs=1e-3)
