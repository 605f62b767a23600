"""Why items are shown: for each of a list, which of the history it rests on. Asked for a few at a time, and kept."""

from collections.abc import Hashable, MutableMapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from foretaste.ui.client import ApiClient
from foretaste.ui.failures import ApiError

_AT_ONCE = 4
_KEPT = 2000


def because(
    client: ApiClient,
    kept: MutableMapping[Hashable, str],
    about: Hashable,
    item_ids: Sequence[str],
    user_id: str | None,
    history: Sequence[str] = (),
) -> dict[str, str]:
    """The line under each item; empty where nothing of the history carries it, or the service does not tell.

    Args:
        client: of the service.
        kept: what was told before; written to.
        about: all on which a reason depends beside the item and the user: the model, what was liked since.
        item_ids: the items shown.
        user_id: whose history; None for nobody's.
        history: liked beside it.
    """
    asked = [item for item in item_ids if (about, user_id, item) not in kept]

    def ask(item_id: str) -> str:
        try:
            told = client.explain(item_id, user_id, history)
        except ApiError:
            return ""
        titles = [str(reason["title"]) for reason in told if reason["contribution"] > 0]
        return f"Because you liked {' and '.join(titles)}" if titles else ""

    if len(kept) > _KEPT:
        kept.clear()
    if asked:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for item, line in zip(asked, pool.map(ask, asked), strict=True):
                kept[about, user_id, item] = line
    return {item: kept.get((about, user_id, item), "") for item in item_ids}
