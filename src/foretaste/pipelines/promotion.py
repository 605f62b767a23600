"""Which bundle is live, in the store and in the registry of models at once.

The store decides. A registry that cannot be reached is told later: whatever is done next puts its aliases right.
"""

from collections import defaultdict
from typing import NamedTuple

from foretaste.artifacts.store import BundleStore
from foretaste.errors import TrackingError
from foretaste.pipelines.narration import Narrator
from foretaste.pipelines.tracking import kept_destination, open_tracker, with_password

PRODUCTION, CANDIDATE = "production", "candidate"
"""Aliases: the live bundle, and the newest published one."""


class _Model(NamedTuple):
    """A registered model."""

    uri: str
    name: str


def promote(store: BundleStore, bundle_id: str, reason: str, narrator: Narrator) -> None:
    """Make a bundle the live one, and let the registry's `production` name it.

    Raises:
        ArtifactError: there is no such bundle, or it is damaged; the live one stays.
    """
    store.promote(bundle_id, reason)
    tell_registries(store, narrator)


def rollback(store: BundleStore, reason: str, narrator: Narrator) -> str:
    """Make the bundle that was live before the live one again, and let the registry's `production` name it.

    Raises:
        ArtifactError: there was none before, or it is gone or damaged; the live one stays.
    """
    bundle_id = store.rollback(reason)
    tell_registries(store, narrator)
    return bundle_id


def tell_registries(store: BundleStore, narrator: Narrator) -> None:
    """Put `candidate` and `production` of every model that bundles of the store are versions of where they belong.

    A model none of whose versions is live has no `production`. What cannot be told is said, and stands in no one's way.
    """
    artifacts, live = store.root.parent, store.production_id()
    versions: dict[_Model, dict[str, str | None]] = defaultdict(lambda: {CANDIDATE: None, PRODUCTION: None})
    for each in store.list():  # oldest first
        run_id = each.manifest.run_id if each.manifest else ""
        kept = kept_destination(artifacts / "runs" / run_id) if run_id else {}
        if "version" in kept and kept["bundle_id"] == each.bundle_id:
            aliases = versions[_Model(kept["uri"], kept["model"])]
            aliases[CANDIDATE] = kept["version"]
            if each.bundle_id == live:
                aliases[PRODUCTION] = kept["version"]
    for model, aliases in versions.items():
        try:
            open_tracker(with_password(model.uri), artifacts).set_aliases(model.name, aliases)
        except TrackingError as error:
            narrator.say("tracking", f"the registry does not know what is live: {error}")
            narrator.say("", "tell it later with `foretaste track`")
