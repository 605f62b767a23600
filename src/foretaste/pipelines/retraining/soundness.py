"""Whether a trained model is whole: numbers that are numbers, vectors of a sane length, scores that differ."""

from collections.abc import Iterator

import numpy as np

from foretaste.artifacts.bundle import Bundle
from foretaste.errors import ArtifactError
from foretaste.models.protocol import Embedder, Query, Recommender
from foretaste.pipelines.retraining.finding import Finding

_USERS = 256
"""With a history, spread evenly over all, whose scores are looked at."""
_LONGEST = 1000.0
"""Length of the longest item vector, in lengths of the median one."""
_DEAD_SHARE = 0.05
"""Items with events whose vector is zero, at most."""
_CONSTANT_SHARE = 0.5
"""Users who like every item alike, at most. Rare tastes may leave a neighbourhood model without anything to say."""


def check_soundness(challenger: Bundle) -> list[Finding]:
    """Look at the arrays and at the scores of a sample of users; stops at what cannot be asked any further."""
    findings = [_numbers(challenger)]
    if not findings[0].passed:
        return findings
    try:
        model = challenger.model()
    except ArtifactError as error:
        return [*findings, Finding("sound", "model", False, str(error))]
    if isinstance(model, Embedder):
        findings += _vectors(model, challenger)
    return [*findings, *_scores(model, challenger)]


def _numbers(challenger: Bundle) -> Finding:
    broken = {
        name: int(np.size(array) - np.isfinite(array).sum())
        for name, array in challenger.state.items()
        if array.dtype.kind == "f" and not np.isfinite(array).all()
    }
    told = ", ".join(f"{count:,} of {name}" for name, count in broken.items())
    sentence = f"values that are no numbers: {told}." if broken else "every value of the model is a number."
    return Finding("sound", "numbers", not broken, sentence, float(sum(broken.values())), 0.0)


def _vectors(model: Embedder, challenger: Bundle) -> Iterator[Finding]:
    length_I = np.linalg.norm(model.item_embeddings_ID[challenger.popularity_I > 0].astype(np.float64), axis=1)
    dead = float(np.mean(length_I == 0)) if len(length_I) else 1.0
    told = f"{dead:.1%} of the items with events have a vector of zeros; at most {_DEAD_SHARE:.0%} may."
    yield Finding("sound", "dead items", dead <= _DEAD_SHARE, told, dead, _DEAD_SHARE)
    alive_I = length_I[length_I > 0]
    longest = float(alive_I.max() / np.median(alive_I)) if len(alive_I) else 0.0
    told = f"the longest item vector is {longest:,.3g} times as long as the median; at most {_LONGEST:,.0f} times."
    yield Finding("sound", "vector lengths", longest <= _LONGEST, told, longest, _LONGEST)


def _scores(model: Recommender, challenger: Bundle) -> Iterator[Finding]:
    history_UI = challenger.history.weights_UI
    user_U = np.flatnonzero(np.diff(history_UI.indptr))
    user_B = user_U[:: max(1, len(user_U) // _USERS)][:_USERS].astype(np.int32)
    if not len(user_B):
        yield Finding("sound", "scores", False, "no user of the bundle has a history.")
        return
    scores_BI = model.score(Query(user_B, history_UI[user_B]))
    odd = float(np.mean(~np.isfinite(scores_BI)))
    told = "every score is a number." if odd == 0 else f"{odd:.1%} of the scores are no numbers."
    yield Finding("sound", "scores", odd == 0, told, odd, 0.0)
    if odd == 0:
        constant = float(np.mean(scores_BI.max(axis=1) == scores_BI.min(axis=1)))
        told = f"{constant:.1%} of the users get the same score for every item; at most {_CONSTANT_SHARE:.0%} may."
        yield Finding("sound", "constant scores", constant <= _CONSTANT_SHARE, told, constant, _CONSTANT_SHARE)
