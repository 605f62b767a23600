"""Challenger and champion on the same fresh holdout, by full ranking, user by user."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from foretaste.arrays import BoolArray, DoubleArray
from foretaste.artifacts.bundle import Bundle
from foretaste.data.interactions import Interactions
from foretaste.evaluation.protocol import Evaluation, EvaluationConfig, evaluate
from foretaste.evaluation.significance import SIGNIFICANCE_LEVEL, Comparison, bootstrap, compare, holm, permutation_p
from foretaste.models.popularity import Popularity
from foretaste.pipelines.retraining.data_quality import last_learnt
from foretaste.pipelines.retraining.finding import Finding, LeadsTo
from foretaste.pipelines.retraining.guard_settings import GuardConfig, ListLimits
from foretaste.pipelines.retraining.pairs import known_pairs
from foretaste.pipelines.retraining.translated import Translated

_CHALLENGER, _CHAMPION, _POPULARITY = "challenger", "champion", "popularity"


@dataclass(frozen=True, eq=False)
class Trial:
    """What was found on one holdout."""

    challenger: Evaluation
    champion: Evaluation | None
    popularity: Evaluation

    def values(self, metric: str) -> dict[str, DoubleArray]:
        """Who → a value for each of the same users."""
        found = {_CHALLENGER: self.challenger, _CHAMPION: self.champion, _POPULARITY: self.popularity}
        return {name: each.values[metric] for name, each in found.items() if each is not None}


def check_holdout(challenger: Bundle, history: Interactions, holdout: Interactions) -> Iterator[Finding]:
    """Whether the challenger has learnt from what comes before the holdout, all of it, and from nothing else."""
    leaked = int(known_pairs(challenger, holdout).sum())
    told = f"the challenger has learnt from {leaked:,} of the {len(holdout):,} events that it is judged by."
    yield Finding("holdout", "leaked events", leaked == 0, told, float(leaked), 0.0)
    known = last_learnt(challenger)
    if known is not None and holdout.timestamp_N is not None and len(holdout):
        first = int(holdout.timestamp_N.min())
        told = (
            "its training ends before the holdout begins."
            if known < first
            else "its training reaches into the holdout."
        )
        yield Finding("holdout", "training window", known < first, told, float(known), float(first))
    if challenger.manifest.data_fingerprint != history.fingerprint:
        share = float(known_pairs(challenger, history).mean()) if len(history) else 0.0
        extra = challenger.manifest.num_interactions - int(history.to_csr().nnz)
        told = f"the challenger was trained on other events than those before the holdout: it knows {share:.1%} of them"
        yield Finding("holdout", "training data", False, f"{told}, and {max(extra, 0):,} more.", share, 1.0)


def fresh(holdout: Interactions, champion: Bundle | None) -> Interactions:
    """The events of the holdout that the champion cannot have learnt from: later than its training, pairs that it has
    not met."""
    if champion is None:
        return holdout
    is_fresh_N: BoolArray = ~known_pairs(champion, holdout)
    known = last_learnt(champion)
    if known is not None and holdout.timestamp_N is not None:
        is_fresh_N &= holdout.timestamp_N > known
    return holdout.select(is_fresh_N)


def judge(
    challenger: Bundle, champion: Bundle | None, history: Interactions, holdout: Interactions, config: GuardConfig
) -> Trial:
    """Rank all items for each user of the holdout, three times: by the challenger, the champion and popularity.

    Raises:
        ArtifactError: the model of a bundle cannot be restored.
    """
    name = config.metric.partition("@")[0]
    protocol = EvaluationConfig(
        cutoffs=(config.cutoff,),
        metrics=(name, "coverage", "gini"),
        select_by=config.metric,
        exclude_seen=config.exclude_seen,
    )

    def of(bundle: Bundle) -> Evaluation:
        model = Translated(bundle, history.users, history.items)
        return evaluate(model, history, holdout, protocol, popularity_I=model.popularity_I)

    counts_I = np.bincount(history.item_N, weights=history.weight_N, minlength=history.num_items)
    popularity = Popularity().load_state({"popularity": counts_I.astype(np.float32)})
    return Trial(
        of(challenger), None if champion is None else of(champion), evaluate(popularity, history, holdout, protocol)
    )


def check_accuracy(trial: Trial, config: GuardConfig, news: str, *, is_popularity: bool = False) -> list[Finding]:
    """Not worse than the champion, by the interval; not below popularity, where anything can be told from it at all.

    Args:
        trial: what was found.
        config: the margin.
        news: users and items that only the challenger knows, in words; empty for none.
        is_popularity: the challenger is popularity itself.
    """
    values = trial.values(config.metric)
    findings = []
    if _CHAMPION in values:
        found = compare([(_CHALLENGER, _CHAMPION)], values)[0]
        findings.append(_against_champion(found, values, config, news))
    return [*findings, _against_popularity(values, config, is_popularity=is_popularity)]


def _against_popularity(values: dict[str, DoubleArray], config: GuardConfig, *, is_popularity: bool) -> Finding:
    pairs = [(name, _POPULARITY) for name in values if name != _POPULARITY]
    found = {each.model: each for each in compare(pairs, values)}
    ours = found[_CHALLENGER].difference.mean
    told = f"{config.metric} {_mean(values[_CHALLENGER])} beside {_mean(values[_POPULARITY])} of popularity"
    if ours < 0 and found[_CHALLENGER].permutation_p < SIGNIFICANCE_LEVEL:
        sentence = f"{told}: below what costs nothing."
        return Finding("accuracy", "popularity", False, sentence, ours, 0.0)
    is_told_apart = any(each.permutation_p < SIGNIFICANCE_LEVEL for each in found.values())
    if _CHAMPION in values and not is_told_apart and not is_popularity:
        sentence = (
            f"{told}, {_mean(values[_CHAMPION])} of the champion: this holdout tells no model from a popular list."
        )
        return Finding("accuracy", "popularity", False, sentence, ours, 0.0, leads_to="keep")
    return Finding("accuracy", "popularity", True, f"{told}.", ours, 0.0)


def _against_champion(found: Comparison, values: dict[str, DoubleArray], config: GuardConfig, news: str) -> Finding:
    difference, champion = found.difference, float(values[_CHAMPION].mean())
    limit = -config.margin * champion
    told = (
        f"{config.metric} {_mean(values[_CHALLENGER])} after {champion:.4f} of the champion, difference "
        f"{difference.mean:+.4f} [{difference.low:+.4f} {difference.high:+.4f}] over {len(values[_CHAMPION]):,} users"
    )

    def finding(passed: bool, words: str, leads_to: LeadsTo = "refuse") -> Finding:
        sentence = f"{told}: {words}."
        return Finding("accuracy", "champion", passed, sentence, difference.mean, limit, leads_to=leads_to)

    if found.is_real and difference.mean > 0:
        return finding(True, "better")
    if difference.low >= limit:
        if found.is_real:
            return finding(False, f"worse, though by less than the margin of {config.margin:.0%}", "keep")
        if not news:
            return finding(False, "no gain, and no user or item is new", "keep")
        return finding(True, f"no worse than the margin of {config.margin:.0%} allows, and {news}")
    if found.is_real or difference.high < limit:
        return finding(False, "clearly worse")
    few = f"too uncertain to be called no worse, for which the interval must lie above {limit:+.4f}"
    return finding(False, few, "keep")


def check_slices(trial: Trial, config: GuardConfig) -> list[Finding]:
    """No group of users or items for whom it is clearly worse: by the permutation test with Holm's correction over the
    groups, and by more than the margin."""
    if trial.champion is None:
        return []
    names, differences, before = [], [], []
    for name, ours in trial.challenger.slices.items():
        theirs = trial.champion.slices[name]
        if len(ours.user_B) >= config.min_slice_users and config.metric in ours.values:
            names.append(name)
            differences.append(ours.values[config.metric] - theirs.values[config.metric])
            before.append(theirs.mean(config.metric))
    corrected = holm([permutation_p(difference_B) for difference_B in differences])
    findings = []
    for name, difference_B, champion, p in zip(names, differences, before, corrected, strict=True):
        found, limit = bootstrap(difference_B[:, None])[0], -config.slice_margin * champion
        passed = p >= SIGNIFICANCE_LEVEL or found.mean >= limit
        told = (
            f"{name}: {config.metric} {champion + found.mean:.4f} after {champion:.4f}, difference {found.mean:+.4f} "
            f"[{found.low:+.4f} {found.high:+.4f}] over {len(difference_B):,} users"
        )
        sentence = f"{told}." if passed else f"{told}: clearly worse for them (p {p:.2g})."
        findings.append(Finding("slices", name, passed, sentence, found.mean, limit))
    return findings


def check_lists(trial: Trial, config: GuardConfig, limits: ListLimits) -> list[Finding]:
    """Whether the lists of all users have narrowed to few items."""
    if trial.champion is None:
        return []
    k = config.cutoff
    ours, theirs = trial.challenger.catalogue, trial.champion.catalogue
    coverage = ours[f"coverage@{k}"] / max(theirs[f"coverage@{k}"], 1e-12)
    evenness = (1 - ours[f"gini@{k}"]) / max(1 - theirs[f"gini@{k}"], 1e-12)
    shown = f"{ours[f'coverage@{k}']:.1%} of the items are in anybody's list, after {theirs[f'coverage@{k}']:.1%}"
    spread = f"the Gini index of what is shown is {ours[f'gini@{k}']:.3f}, after {theirs[f'gini@{k}']:.3f}"
    rows = (
        ("coverage", coverage, limits.min_coverage_share, shown),
        ("evenness", evenness, limits.min_evenness_share, spread),
    )
    return [
        Finding(
            "lists",
            name,
            share >= limit,
            f"{told}." if share >= limit else f"{told}: the lists have narrowed to {share:.0%} of what they were.",
            share,
            limit,
        )
        for name, share, limit, told in rows
    ]


def _mean(value_B: DoubleArray) -> str:
    return f"{value_B.mean():.4f}"
