"""Which bundle is live, in the store and in the registry of models at once.

The store decides. A registry that cannot be reached is told later: whatever is done next puts its aliases right.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from foretaste.artifacts.store import BundleStore, Listing
from foretaste.artifacts.verdicts import VerdictRecord
from foretaste.errors import TrackingError
from foretaste.pipelines.narration import Narrator
from foretaste.pipelines.tracking import kept_destination, kept_of_bundle, open_tracker, with_password
from foretaste.tracking.protocol import Tracker

PRODUCTION, CANDIDATE = "production", "candidate"
"""Aliases: the live bundle, and the newest published one."""


class _Model(NamedTuple):
    """A registered model."""

    uri: str
    name: str


class _Version(NamedTuple):
    """What a bundle is known as in a registry."""

    model: _Model
    number: str


def promote(store: BundleStore, bundle_id: str, reason: str, narrator: Narrator, *, of: str | None = None) -> None:
    """Make a bundle the live one, and let the registry's `production` name it.

    Args:
        store: of the bundles.
        bundle_id: to be live.
        reason: why, for the log.
        narrator: told where the registry cannot be.
        of: the bundle that must be the live one still; None for whichever is.

    Raises:
        ArtifactError: there is no such bundle, or it is damaged, or another than `of` is live; the live one stays.
    """
    store.promote(bundle_id, reason, of=of)
    tell_registries(store, narrator)


def rollback(store: BundleStore, reason: str, narrator: Narrator, *, of: str | None = None) -> str:
    """Make the bundle that was live before the live one again, and let the registry's `production` name it.

    Args:
        store: of the bundles.
        reason: why, for the log.
        narrator: told where the registry cannot be.
        of: the bundle that must be the live one still; None for whichever is.

    Raises:
        ArtifactError: there was none before, or it is gone or damaged, or another than `of` is live; the live one
            stays.
    """
    bundle_id = store.rollback(reason, of=of)
    tell_registries(store, narrator)
    return bundle_id


def tell_registries(store: BundleStore, narrator: Narrator) -> None:
    """Put `candidate` and `production` of every model that bundles of the store are versions of where they belong.

    A model none of whose versions is live has no `production`. What cannot be told is said, and stands in no one's way.
    """
    live = store.production_id()
    versions: dict[_Model, dict[str, str | None]] = defaultdict(lambda: {CANDIDATE: None, PRODUCTION: None})
    for bundle_id, version in _versions(store).items():
        aliases = versions[version.model]
        aliases[CANDIDATE] = version.number
        if bundle_id == live:
            aliases[PRODUCTION] = version.number
    for model, aliases in versions.items():
        try:
            open_tracker(with_password(model.uri), store.root.parent).set_aliases(model.name, aliases)
        except TrackingError as error:
            narrator.say("tracking", f"the registry does not know what is live: {error}")
            narrator.say("", "tell it later with `foretaste track`")


def tell_verdict(store: BundleStore, record: VerdictRecord, narrator: Narrator) -> None:
    """Tag the version that the bundle is registered as, where it is, with what was decided on it and why."""
    _tell_verdicts(store, [record], narrator)


def tell_verdicts(store: BundleStore, narrator: Narrator) -> None:
    """Tag every version with what guard and watch decided on it last, in case the registry was out of reach then."""
    _tell_verdicts(store, list({(one.bundle_id, one.by): one for one in store.verdicts()}.values()), narrator)


def _tell_verdicts(store: BundleStore, records: Sequence[VerdictRecord], narrator: Narrator) -> None:
    versions, trackers = _versions(store), dict[str, Tracker]()
    try:
        for record in records:
            if (version := versions.get(record.bundle_id)) is not None:
                uri, name = version.model
                if uri not in trackers:
                    trackers[uri] = open_tracker(with_password(uri), store.root.parent)
                trackers[uri].set_version_tags(name, version.number, _tags(record))
    except TrackingError as error:
        narrator.say("tracking", f"the registry does not know what was decided: {error}")
        narrator.say("", "tell it later with `foretaste track`")


def _tags(record: VerdictRecord) -> dict[str, str]:
    return {
        f"foretaste.{record.by}": record.decision,
        f"foretaste.{record.by}.reasons": " ".join(record.reasons),
        f"foretaste.{record.by}.against": record.against or "",
        f"foretaste.{record.by}.at": record.timestamp,
    }


def _versions(store: BundleStore) -> dict[str, _Version]:
    """Bundle → what it is registered as, of those that are; oldest first."""
    found = ((each.bundle_id, _version(store, each)) for each in store.list())
    return {bundle_id: version for bundle_id, version in found if version is not None}


def _version(store: BundleStore, listing: Listing) -> _Version | None:
    """What a bundle is registered as; None where it is not."""
    if listing.manifest is None:
        return None
    kept = kept_destination(kept_of_bundle(store.root.parent, listing.manifest.run_id, listing.bundle_id))
    if "version" not in kept or kept["bundle_id"] != listing.bundle_id:
        return None
    return _Version(_Model(kept["uri"], kept["model"]), kept["version"])
