from foretaste.evaluation.learning_curve import LearningCurve


def test_the_epochs_of_both_fits_are_told_apart_and_a_missing_validation_is_null():
    curve = LearningCurve()
    curve.listener("train")(1, {"loss": 0.5})
    curve.listener("train")(2, {"loss": 0.4, "ndcg@10": 0.1})
    curve.listener("refit")(1, {"loss": 0.6})
    assert curve.frame().rows(named=True) == [
        {"fit": "train", "epoch": 1, "loss": 0.5, "ndcg@10": None},
        {"fit": "train", "epoch": 2, "loss": 0.4, "ndcg@10": 0.1},
        {"fit": "refit", "epoch": 1, "loss": 0.6, "ndcg@10": None},
    ]


def test_a_model_without_epochs_has_no_rows():
    assert LearningCurve().frame().shape == (0, 2)
