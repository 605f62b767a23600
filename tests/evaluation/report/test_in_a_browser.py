"""The page as a browser shows it: nothing is fetched, nothing overflows, no two texts lie over one another."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from foretaste.config import ExperimentConfig, check, config_of, load_config
from foretaste.evaluation.report.document import (
    Curve,
    Document,
    Figure,
    Figures,
    Histogram,
    Interval,
    IntervalChart,
    LineChart,
    Marks,
    Paragraph,
    Section,
    line,
    number,
    table,
    words,
)
from foretaste.evaluation.report.html import render_html
from foretaste.pipelines.run import run
from foretaste.pipelines.simulation.outcome import LOOP, NEVER, ORACLE, Event, SimulationResult, WorldOutcome
from foretaste.pipelines.simulation.page import compose
from foretaste.pipelines.simulation.settings import SimulationConfig, built_in
from foretaste.pipelines.simulation.weeks import WeekFigures

CHROMIUM = Path("/usr/bin/chromium")
CONFIGS = Path(__file__).parents[3] / "configs"
WIDTHS = (400, 1200)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no {CHROMIUM}: apt-get install chromium"),
]

OVERFLOW = """() => ({
    page: [document.documentElement.scrollWidth, document.documentElement.clientWidth],
    wide: [...document.querySelectorAll("main *:not(.frame *):not(pre *):not(svg *)")]
        .filter(one => one.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
        .map(one => one.tagName + " " + one.textContent.slice(0, 60)),
})"""
OVERLAPS = """() => {
    const told = [];
    for (const svg of document.querySelectorAll("svg.chart")) {
        const frame = svg.getBoundingClientRect();
        const boxes = [...svg.querySelectorAll("text")].map(one => [one.textContent, one.getBoundingClientRect()]);
        for (const [text, box] of boxes) {
            if (box.left < frame.left - 1 || box.right > frame.right + 1 || box.bottom > frame.bottom + 1)
                told.push("out of its chart: " + text);
            if (box.height < 9) told.push("too small: " + text);
        }
        boxes.forEach(([text, a], place) => boxes.slice(place + 1).forEach(([other, b]) => {
            // Line boxes are taller than letters: a pixel and a half in common is no touch.
            const x = Math.min(a.right, b.right) - Math.max(a.left, b.left);
            const y = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
            if (x > 0.5 && y > 1.5) told.push(text + " over " + other);
        }));
    }
    return told;
}"""


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def look(browser, tmp_path):
    """Opens a page at a width: what it asked for, what it complained of, and what is wrong with its layout."""

    def _look(html, width, **context):
        file = tmp_path / "page.html"
        file.write_text(html, encoding="utf-8")
        page = browser.new_context(viewport={"width": width, "height": 900}, **context).new_page()
        requests, complaints = [], []
        page.on("request", lambda request: requests.append(request.url))
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(file.as_uri(), wait_until="networkidle")
        for folded in page.query_selector_all("summary"):
            folded.click()
        assert requests == [file.as_uri()]
        assert complaints == []
        return page

    return _look


def assert_well_laid_out(page):
    told = page.evaluate(OVERFLOW)
    scroll_width, width = told["page"]
    assert (told["wide"], scroll_width <= width) == ([], True)
    assert page.evaluate(OVERLAPS) == []


@pytest.fixture(scope="module")
def demo_page(tmp_path_factory):
    """A run with every section: learning curves, slices, diagnostics, lists."""
    training = {"epochs": 4, "batch_size": 512, "early_stopping": {"patience": 4}}
    values = {
        "name": "demo",
        "data": {"source": "synthetic", "num_users": 300, "num_items": 200, "num_interactions": 6000},
        "models": {
            "popularity": {},
            "a_model_with_quite_a_long_name": {"type": "item_knn"},
            "bpr_mf": {"embedding_dim": 8, "training": training},
            "als": {"embedding_dim": 8},
        },
    }
    result = run(check(values, ExperimentConfig, where="demo"), tmp_path_factory.mktemp("art"), ["foretaste", "demo"])
    return result.report_html.read_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_the_report_of_a_run(look, demo_page, width, scheme):
    page = look(demo_page, width, color_scheme=scheme)
    assert_well_laid_out(page)
    assert {"Learning curves", "Diagnostics", "Slices", "What people would see"} <= {
        heading.inner_text() for heading in page.query_selector_all("h2")
    }
    assert page.locator("svg.chart").count() >= 5


@pytest.mark.real_data
@pytest.mark.parametrize("name", ["movielens-100k", "amazon-books"])
def test_the_report_of_real_data(look, real_data, tmp_path, name):
    config = load_config(CONFIGS / f"{name}.yaml", ExperimentConfig)
    html = run(config, tmp_path, ["foretaste", "run", f"configs/{name}.yaml"]).report_html.read_text()
    for width in WIDTHS:
        assert_well_laid_out(look(html, width))


@pytest.mark.parametrize("width", WIDTHS)
def test_hard_cases(look, width):
    """Long words, crowded ticks, many curves, and a title that would run if it could."""
    hostile = "<script>document.title='run'</script>" + "x" * 300
    charts = [
        IntervalChart(
            axis="a" * 80,
            intervals=tuple(Interval(label=f"{'model ' * n}", value=n * 1e4, low=-1e4, high=5e4) for n in range(1, 6)),
            reference=0,
        ),
        IntervalChart(axis="equal", intervals=(Interval(label="m", value=0, low=0, high=0),)),
        LineChart(
            x_axis="epoch",
            y_axis="loss",
            curves=tuple(Curve(label=f"a model named {n}", x=(1, 200), y=(1e-5 * n, 1e-4)) for n in range(9)),
        ),
        LineChart(x_axis="epoch", y_axis="loss", curves=(Curve(label="one", x=(1,), y=(123456.0,)),)),
        LineChart(
            x_axis="week",
            y_axis="clicks",
            curves=(Curve(label="one", x=(1, 60), y=(0.1, 0.2)),),
            marks=(
                Marks(label="promoted", shape="up", points=tuple((n + 0.5, n * 100) for n in range(60))),
                Marks(label="rolled back", shape="down", points=((59.5, 12345), (0.5, 3))),
                Marks(label="refused", shape="cross", points=()),
                Marks(label="kept", shape="dot", points=((30.0, 1),)),
            ),
        ),
        Histogram(axis="length", edges=(0.12345, 0.12346, 0.12347), counts=(1, 10**9)),
        Histogram(axis="length", edges=(-1e6, 0, 1e6), counts=(2, 5)),
    ]
    document = Document(
        title=hostile,
        opening=(Paragraph(text=line(hostile), role="warning"),),
        sections=(
            Section(
                title="Charts",
                blocks=(
                    Figures(figures=tuple(Figure(title=hostile, summary=hostile, chart=chart) for chart in charts)),
                    table(hostile, [words(hostile), *(number("n") for _ in range(30))], [[hostile] + ["1.0"] * 30]),
                ),
            ),
        ),
    )
    page = look(render_html(document), width)
    assert_well_laid_out(page)
    assert page.title() == hostile


@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_of_a_simulation(look, width, tmp_path):
    """Eight weeks of three worlds, with every decision that there is."""
    decisions = ("kept", "promoted", "refused", "promoted by hand", "rolled back", "skipped", "promoted")
    events = [Event(7 * week, name, (f"{name}: a reason. " * 4,)) for week, name in enumerate(decisions, 1)]
    events.append(Event(15, "refused", ("events are missing.",), "truncated"))
    weeks = [WeekFigures(week, 900, 9000, 1000 - 40 * week, 990.5, 200, 300, 50, 80, 90) for week in range(1, 9)]
    better = [replace(week, num_clicks=week.num_clicks * 2, expected_clicks=1500.0) for week in weeks]
    worlds = [WorldOutcome(seed, {NEVER: weeks, LOOP: better, ORACLE: better}, events) for seed in range(3)]
    config = config_of(["seeds=3"], SimulationConfig, built_in())
    document = compose(SimulationResult(tmp_path, config, worlds, 1.0), "foretaste simulate --seeds 3")
    page = look(render_html(document), width)
    assert_well_laid_out(page)
    assert page.locator("svg.chart").count() == 5
    assert page.locator("svg.chart path.mark.down").count() == 2 * 5, "in each chart, and in each legend"


def test_the_checks_of_the_layout_can_fail(look, demo_page):
    page = look(demo_page, 400)
    page.evaluate("document.querySelectorAll('svg.chart text').forEach(one => one.setAttribute('x', '100'))")
    assert any(" over " in told for told in page.evaluate(OVERLAPS))
    page.evaluate("document.querySelector('h1').style.width = '900px'")
    assert page.evaluate(OVERFLOW)["wide"]


def test_it_prints_every_section(look, demo_page, tmp_path):
    page = look(demo_page, 1200)
    page.emulate_media(media="print")
    assert not page.locator("nav").is_visible()
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert json.dumps(paper) == '"rgb(255, 255, 255)"'
    page.pdf(path=str(tmp_path / "report.pdf"), format="A4")
    assert (tmp_path / "report.pdf").stat().st_size > 20_000
