"""Two towers, one for users and one for items, that place both in one space by their ids and their features."""
