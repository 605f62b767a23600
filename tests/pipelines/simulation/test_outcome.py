import json
from dataclasses import replace

import pytest

from foretaste.config import check
from foretaste.evaluation.report import render_html, render_markdown
from foretaste.pipelines.simulation.outcome import LOOP, NEVER, ORACLE, Event, SimulationResult, WorldOutcome
from foretaste.pipelines.simulation.page import compose
from foretaste.pipelines.simulation.settings import SimulationConfig, built_in
from foretaste.pipelines.simulation.weeks import WeekFigures

QUIET = WeekFigures(1, 10, 100, 10, 12.0, 30, 40, 5, 0, 0)


def weeks(*clicks):
    return [replace(QUIET, week=week, num_clicks=count) for week, count in enumerate(clicks, 1)]


@pytest.fixture
def result(tmp_path):
    """Two worlds of four weeks, of which the last is the end."""
    config = check({**built_in(), "weeks": 4, "seeds": 2}, SimulationConfig, where="test")
    worlds = [
        WorldOutcome(
            0,
            {NEVER: weeks(20, 15, 12, 10), LOOP: weeks(20, 18, 18, 20), ORACLE: weeks(50, 50, 50, 50)},
            [Event(7, "promoted", ("no worse.",)), Event(14, "refused", ("<b>lost</b>.",), "truncated")],
        ),
        WorldOutcome(
            1,
            {NEVER: weeks(20, 15, 12, 14), LOOP: weeks(20, 18, 18, 20), ORACLE: weeks(50, 50, 50, 44)},
            [
                Event(7, "promoted", ("better.",)),
                Event(14, "promoted by hand", ("nobody asked the guard.",), "unguarded"),
                Event(15, "rolled back", ("clicks fell.",)),
            ],
        ),
    ]
    return SimulationResult(tmp_path, config, worlds, 1.0)


def test_the_gain_and_the_gap_by_hand(result):
    # Gains .10 and .06; of gaps of .40 and .30 a quarter and a fifth are closed. t of one degree of freedom is 12.706.
    assert result.final_weeks == 1
    gain, closed = result.gain, result.closed
    assert gain.mean == pytest.approx(0.08)
    assert (gain.low, gain.high) == pytest.approx((0.08 - 12.706 * 0.02, 0.08 + 12.706 * 0.02), abs=1e-4)
    assert closed.mean == pytest.approx((0.25 + 0.2) / 2)


def test_a_week_is_told_as_the_mean_over_worlds(result):
    assert result.weekly(NEVER, lambda week: week.click_through) == pytest.approx([0.2, 0.15, 0.12, 0.12])
    assert result.weekly(NEVER, lambda week: week.clicks_per_visit_of_new_users) == [None] * 4


def test_the_page_says_whether_it_helps_and_marks_every_decision(result):
    document = compose(result, "foretaste simulate")
    text = render_markdown(document)
    assert "makes no difference that these worlds show" in text, "the interval over two worlds holds 0"
    assert "most events missing: refused 1 of 1" in text
    assert "rolled back 1 of 1, each after 1 day." in text
    assert "Models that the guard promoted: 2, of which the watch rolled back 0" in text
    html = render_html(document)
    assert "&lt;b&gt;lost&lt;/b&gt;" in html
    click_through = document.sections[0].blocks[0].figures[0].chart
    assert [(marks.label, marks.points) for marks in click_through.marks] == [
        ("promoted", ((1.5, 2),)),
        ("promoted by hand", ((2.5, 1),)),
        ("refused", ((2.5, 1),)),
        ("rolled back", ((15 / 7 + 0.5, 1),)),
    ]


def test_a_sure_gain_is_said_to_help(result):
    same = [replace(result.worlds[0], seed=seed) for seed in range(3)]
    sure = SimulationResult(result.folder, result.config, same, 1.0)
    assert "**Retraining helps.**" in render_markdown(compose(sure, "foretaste simulate"))


def test_the_json_holds_every_world(result):
    told = json.loads(json.dumps(result.to_json(), allow_nan=False))
    assert [world["seed"] for world in told["worlds"]] == [0, 1]
    assert told["worlds"][0]["events"][1]["planted"] == "truncated"
    assert told["worlds"][0]["arms"][LOOP][3]["click_through"] == 0.2
