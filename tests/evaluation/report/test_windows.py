from types import SimpleNamespace

import numpy as np

from foretaste.arrays import EMPTY_SLOT
from foretaste.evaluation.protocol import Evaluation
from foretaste.evaluation.report.contents import ModelResult
from foretaste.evaluation.report.windows import windows
from foretaste.models.protocol import TopK

METRIC = "ndcg@2"


def judged(users, values):
    size = len(users)
    top = TopK(np.full((size, 1), EMPTY_SLOT, dtype=np.int32), np.zeros((size, 1), dtype=np.float32))
    user_B, value_B = np.array(users, dtype=np.int32), np.array(values, dtype=float)
    return Evaluation(user_B, {METRIC: value_B}, np.ones(size, np.int32), np.zeros(size, dtype=bool), top, "all")


def report(*results):
    return SimpleNamespace(results=results, best="better", chosen=results[-1], others=results[:-1], select_by=METRIC)


def test_the_best_is_held_against_the_others_over_all_windows():
    # User 0 gains .4 and then .2, users 1 and 2 gain .3: of the 8 sign patterns two are as far from zero.
    earlier, newest = [0, 1], [0, 2]
    other = ModelResult("other", 0.0, None, judged(newest, [0.5, 0.5]), earlier=(judged(earlier, [0.1, 0.2]),))
    better = ModelResult("better", 0.0, None, judged(newest, [0.7, 0.8]), earlier=(judged(earlier, [0.5, 0.5]),))
    told, table = windows(report(other, better)).blocks
    assert "3 users of all windows" in str(told)
    assert [column.title for column in table.columns][-2:] == ["better minus it", "p"]
    of_other, of_better = ([cell.text for cell in row] for row in table.rows)
    assert of_other == ["other", "0.1500", "0.5000", "0.3250", "0.3000", "0.25"]
    assert of_better == ["better", "0.5000", "0.7500", "0.6250", "", ""]


def test_one_model_alone_is_held_against_nothing():
    alone = ModelResult("better", 0.0, None, judged([0], [1.0]), earlier=(judged([0], [0.5]),))
    _, table = windows(report(alone)).blocks
    assert [column.title for column in table.columns] == ["model", "window 1", "window 2", "average"]
