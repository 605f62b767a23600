"""Fields that find users and items on the service."""

from collections.abc import Callable

from foretaste.ui.client import ApiClient, Json
from foretaste.ui.finder import Option, finder
from foretaste.ui.text import described, plural

_OFFERED = 12


def find_user(client: ApiClient, on_pick: Callable[[str], None], key: str) -> None:
    """A field for a user: one whom the model knows, or any id that is typed."""
    finder(
        "User",
        lambda text: [Option(user, user) for user in client.users(text, _OFFERED)],
        on_pick,
        key,
        placeholder="Type the beginning of an id, or choose",
        nothing="The training knows nobody who begins so; Enter takes the id as it is.",
        free=True,
    )


def find_item(client: ApiClient, about: Json, on_pick: Callable[[str], None], key: str) -> None:
    """A field for an item, by its title."""
    noun = str(about["item_noun"])
    finder(
        f"Search {plural(noun)}",
        lambda text: [
            Option(str(item["item_id"]), str(item["title"]), described(item)) for item in client.items(text, _OFFERED)
        ],
        on_pick,
        key,
        placeholder="Part of a title",
        nothing=f"No {noun} has this in its title.",
    )
