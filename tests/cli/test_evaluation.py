import json

import pytest

from foretaste.evaluation.metrics import METRICS


@pytest.fixture
def lists(tmp_path):
    (tmp_path / "lists.csv").write_text("user,item,rank\nu,x,1\nu,a,2\nw,a,1\n")
    (tmp_path / "test.csv").write_text("user,item,rating\nu,a,5\nv,b,4\nv,c,1\n")
    return tmp_path / "lists.csv", tmp_path / "test.csv"


def test_lists_of_any_tool_get_the_table_and_what_is_odd_about_them(foretaste, lists):
    table, test = lists
    shown = foretaste("evaluate", table, "--against", test)
    assert shown.exit_code == 0, shown.output
    for word in ("NDCG@10", "lists ", "1 of 2 judged users have no list", "warning", "2 users were judged"):
        assert word in shown.stdout
    options = ("--min-rating", 4, "--set", "evaluation.cutoffs=[1,2]", "--set", "evaluation.select_by=ndcg@2")
    told = json.loads(foretaste("evaluate", table, "--against", test, *options, "--json").stdout)
    assert told["metrics"]["recall@1"]["mean"] == 0
    assert set(told["metrics"]["recall@2"]) == {"mean", "low", "high"}
    assert told["metrics"]["recall@2"]["mean"] == 0.5
    assert told["lists"]["users_without_list"] == 1


def test_explain_defines_every_metric(foretaste):
    told = json.loads(foretaste("evaluate", "--explain", "--json").stdout)
    assert list(told) == list(METRICS)
    shown = foretaste("evaluate", "--explain").stdout
    assert "NDCG@K" in shown
    assert told["ndcg"].split("\n\n")[0] in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "nothing to judge"),
        (("lists.csv",), "say where they are, as in --against test.csv"),
        (("x.yaml", "--against", "test.csv"), "--against: goes with a table of recommendations"),
        (("lists.csv", "--against", "t.csv", "--set", "evaluation.metrics=[ndgc]"), "unknown metric ndgc"),
        (("lists.csv", "--against", "t.csv", "--set", "evaluation.cutofs=[1]"), "did you mean 'evaluation.cutoffs'?"),
    ],
)
def test_wrong_use_says_what_was_expected(foretaste, arguments, message):
    result = foretaste("evaluate", *arguments)
    assert result.exit_code == 1
    assert message in str(result.exception)
    assert type(result.exception).__name__ == "ConfigError"
