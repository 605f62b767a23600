from foretaste.evaluation.metrics import METRICS, definitions, keys, metric_title


def test_every_metric_has_a_definition_without_its_arguments():
    told = definitions()
    assert list(told) == list(METRICS)
    for name, definition in told.items():
        assert len(definition.split("\n\n")[0]) > 20, name
        assert "Args" not in definition
        assert "_B" not in definition.split("\n\n")[0], name


def test_a_metric_of_the_whole_ranking_has_no_cutoff():
    assert keys(["ndcg", "auc"], [5, 10]) == ["ndcg@5", "ndcg@10", "auc"]
    assert metric_title("auc") == "AUC"


def test_a_figure_that_is_not_of_full_ranking_says_so():
    assert metric_title("ndcg@10") == "NDCG@10"
    assert metric_title("hit_rate@5", "sampled") == "HitRate@5 (sampled)"
