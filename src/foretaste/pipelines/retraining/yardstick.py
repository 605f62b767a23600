"""What a new training is compared with: the live model, unless it is the live model that has gone wrong.

A person may promote what no guard has let pass, and it may have learnt from damaged data. Beside such a model honest
data looks damaged, and an honest training unfair to some. Where what is new fits the model before it, one of the two is
odd; which of them, the guard's own verdict on the live model tells, and without one a person must.
"""

from collections.abc import Callable, Sequence

from foretaste.artifacts.bundle import Bundle
from foretaste.artifacts.store import BundleStore
from foretaste.errors import ArtifactError
from foretaste.pipelines.retraining.finding import Finding

Checks = Callable[[Bundle], Sequence[Finding]]
"""What is found of something new beside a bundle."""


def beside(champion: Bundle, store: BundleStore | None, checks: Checks) -> Sequence[Finding]:
    """What is found beside the live model. Where that speaks against what is new, and nothing does beside the model
    that was live before: the latter, if the guard had refused the live one, and else also what a person can do.

    Args:
        champion: the live bundle.
        store: its history tells; None compares with the live bundle alone.
        checks: to be made.
    """
    found = checks(champion)
    failed = [each for each in found if not each.passed]
    if not failed or store is None or (before := _before(store, champion)) is None:
        return found
    try:
        theirs = checks(before)
    except ArtifactError:  # its model cannot be restored
        return found
    if not all(each.passed for each in theirs):
        return found
    names = ", ".join(each.name for each in failed)
    fits = f"all is in order ({names}) beside {before.id}, which was live before"
    if was_refused(store, champion.id):
        told = f"the guard had refused {champion.id}, which is live all the same, and {fits}: that is the measure."
        return [*theirs, Finding("yardstick", "the model before", True, told)]
    told = (
        f"{fits}: if {champion.id} learnt from damaged data, `foretaste bundles rollback` makes {before.id} live "
        "again, and the next training is judged beside it."
    )
    return [*found, Finding("yardstick", "the model before", False, told)]


def was_refused(store: BundleStore, bundle_id: str) -> bool:
    """Whether the guard's last word on a bundle was to refuse it: if it went live, a person promoted it."""
    decided = [each.decision for each in store.verdicts() if each.by == "guard" and each.bundle_id == bundle_id]
    return decided[-1:] == ["refuse"]


def _before(store: BundleStore, champion: Bundle) -> Bundle | None:
    before = store.predecessor()
    if before is None or before == champion.id:
        return None
    try:
        return store.open(before, verify=False)
    except ArtifactError:
        return None
