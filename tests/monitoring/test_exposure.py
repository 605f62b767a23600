from collections import Counter

import numpy as np
import pytest

from foretaste.evaluation.beyond_accuracy import gini_index
from foretaste.monitoring import exposure as exposure_module
from foretaste.monitoring.exposure import ItemShare, exposure


def test_what_was_shown_and_clicked(write, a_request, an_event, database, window):
    first, second = a_request(recommendations=["m1", "m2"]), a_request(recommendations=["m1", "m3"])
    late = a_request(hour=24, recommendations=["m7"])
    write([first, second, late], [an_event(first, "m2"), an_event(second, "m3"), an_event(first, "m2")])
    found = exposure(database, window, catalogue_size=12)
    assert (found.num_answers, found.is_sample, found.num_items, found.coverage) == (2, False, 3, 0.25)
    assert found.top_shown[0] == ItemShare("m1", 2, 0.5)
    assert found.top_clicked == (ItemShare("m2", 2, 2 / 3), ItemShare("m3", 1, 1 / 3))
    assert found.gini == pytest.approx(gini_index([1, 1, 2]))
    assert found.top_tenth_share == 0.5


def test_figures_agree_with_a_count_over_all_rows(write, a_request, database, window):
    rng = np.random.default_rng(0)
    rows = [
        a_request(recommendations=[f"m{item}" for item in np.unique((rng.pareto(1, 10) * 3).astype(int))])
        for _ in range(300)
    ]
    write(rows)
    counts = Counter(item for row in rows for item in row.recommendations)
    found = exposure(database, window, num_top=3)
    assert found.num_items == len(counts)
    assert found.gini == pytest.approx(gini_index(list(counts.values())))
    expected = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:3]
    assert [(one.item_id, one.count) for one in found.top_shown] == expected


def test_a_long_window_is_sampled_evenly_and_says_so(write, a_request, database, window, monkeypatch):
    monkeypatch.setattr(exposure_module, "_MOST_ANSWERS", 100)
    write([a_request(hour=place / 13, recommendations=[f"m{place % 2}"]) for place in range(300)])
    found = exposure(database, window)
    assert (found.is_sample, found.num_answers) == (True, 100)


def test_an_empty_window(write, database, window):
    write()
    found = exposure(database, window)
    assert (found.num_answers, found.num_items, found.gini, found.top_shown, found.top_clicked) == (0, 0, 0.0, (), ())
