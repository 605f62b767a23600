import numpy as np
import polars as pl
import pytest

from foretaste.data.interactions import Dataset, Interactions
from foretaste.data.prepare import Audit
from foretaste.data.raw import Note, SourceInfo
from foretaste.data.splits import PartSummary
from foretaste.data.vocabulary import Vocabulary
from foretaste.evaluation.protocol import EvaluationConfig, evaluate
from foretaste.evaluation.report import Document, ModelResult, ReportInput, compose, render_markdown
from foretaste.evaluation.report.answer import _times
from foretaste.evaluation.warnings import EvaluationWarning

USERS, ITEMS = Vocabulary.of(["ann", "bob", "cleo"]), Vocabulary.of(["a", "b", "c", "d"])
PART = PartSummary(4, 2, "2020-01-01", "2020-02-01", 0, 0, 0)
CONFIG = EvaluationConfig(cutoffs=(2,), select_by="ndcg@2")


class Fixed:
    def __init__(self, row):
        self.row = np.array(row, dtype=np.float32)

    def score(self, query):
        return np.tile(self.row, (len(query), 1))


def events(*pairs):
    user, item = np.array(pairs, dtype=np.int32).T
    return Interactions(user, item, np.ones(len(user), np.float32), np.arange(len(user)), USERS, ITEMS)


def report_of(protocol=CONFIG, *, has_valid=False, earlier=None):
    """`earlier` are the held-out events of a window before."""
    history, test = events((0, 0), (0, 1), (1, 0)), events((0, 2), (2, 0))
    catalogue = pl.DataFrame({"item_id": ITEMS.ids, "title": ["Alpha", "Be|ta", "Gamma", None]})
    models = {"popularity": Fixed([3, 2, 0, 1]), "better": Fixed([0, 0, 2, 1])}
    results = [
        ModelResult(
            label,
            1.25,
            evaluate(model, history, test, CONFIG) if has_valid else None,
            evaluate(model, history, test, protocol),
            earlier=() if earlier is None else (evaluate(model, history, earlier, protocol),),
        )
        for label, model in models.items()
    ]
    return compose(
        ReportInput(
            run_id="20200202-run",
            command="foretaste run x.yaml",
            dataset=Dataset(history, catalogue, SourceInfo("tiny", licence="CC0")),
            test=test,
            audit=Audit(10, (Note("rating below 4", 5, ("user z, item a",)),), 5, 3, 4, (Note("odd", 1),)),
            split_method="global_time",
            parts={"train": PART, "test": PART},
            results=results,
            best="better",
            select_by="ndcg@2",
            config={"name": "x", "evaluation": protocol.resolved()},
            versions={"python": "3"},
            warnings=[EvaluationWarning("too_few_users", "Few users.")],
        )
    )


@pytest.fixture
def document():
    return report_of()


@pytest.fixture
def text(document):
    return render_markdown(document)


def test_it_names_the_best_its_interval_and_the_floor(text):
    assert "**better** is the best of 2 models" in text
    assert "Popularity, which knows nobody, reaches" in text
    assert "| **better** | **1.0000** [1.0000 1.0000] |" in text


def test_a_rolling_split_is_answered_by_all_its_windows():
    # Window 1 judges bob, window 2 ann and cleo, to whom both models show what is popular.
    text = render_markdown(report_of(earlier=events((1, 2)))).partition("## ")[0]
    assert "On window 2 of 2, the newest, it reaches NDCG@2 1.0000 [1.0000 1.0000] over 2 users." in text
    assert "over the 3 users of all 2 windows, each once with the mean of theirs" in text
    # Popularity misses for bob, and has the item second for ann; the better one has it first for both.
    gain = (1 + (1 - 1 / np.log2(3)) + 0) / 3
    assert f"the difference of {gain:+.4f} [" in text


def test_what_is_many_times_as_good_is_not_told_in_percent():
    assert _times(0.2, 0.1) == ", +200%,"
    assert _times(1.3, 0.01) == ", 131 times as much,"
    assert _times(0.2, 0.0) == ""


def test_it_tells_how_sure_the_difference_is(text):
    # Two users: with one sign pattern in two as far from zero, nothing can be shown.
    assert "may be chance" in text


def test_warnings_come_before_the_first_table(text):
    before = text.partition("## ")[0]
    assert "> **Warning:** Few users." in before
    assert "> **Warning:** The choice was made on test" in before


def test_a_document_goes_to_json_and_back(document, text):
    again = Document.model_validate_json(document.model_dump_json())
    assert again == document
    assert render_markdown(again) == text


def test_it_tells_where_the_rows_went(text):
    assert "| rating below 4 | −5 | 50.00% | user z, item a |" in text
    assert "- odd: 1" in text


def test_cold_users_are_told_apart(text):
    assert "1 of 2 judged users have no history" in text


def test_lists_show_titles_history_and_hits(text):
    assert r"**User ann**, 2 events before, the 2 last: Alpha, Be\|ta" in text
    assert "The list of user ann: 1 of 2 chosen later.\n\n| slot | recommended | chosen |" in text
    assert "| 1 | Gamma | ✓ |\n| 2 | d |  |" in text


def test_it_says_how_to_reproduce(text):
    assert "foretaste run x.yaml" in text
    assert "name: x" in text


def test_figures_of_sampled_candidates_say_so_and_those_of_valid_are_not_of_them():
    sampled = CONFIG.model_copy(update={"candidates": "sampled", "candidate_samples": 2})
    text = render_markdown(report_of(sampled, has_valid=True))
    assert "chosen by NDCG@2 on valid. On test it reaches NDCG@2 (sampled)" in text
    assert "| NDCG@2 valid |" in text
    assert "| Coverage@2 (sampled), more is better |" in text
    assert "ranked against 2 sampled candidates, drawn uniformly, which flatters" in text


def test_it_says_whether_what_was_met_before_is_left_out():
    assert "all items, those already met left out;" in render_markdown(report_of())
    kept = render_markdown(report_of(CONFIG.model_copy(update={"exclude_seen": False})))
    assert "all items, those already met among them;" in kept
