"""What the address of a tracking store says."""

from urllib.parse import urlsplit, urlunsplit


def is_server(uri: str) -> bool:
    """True for a server, which may run elsewhere; False for a database that is opened from here."""
    return urlsplit(uri).scheme in ("http", "https", "databricks", "databricks-uc")


def without_password(uri: str) -> str:
    """The address as it may be shown and kept."""
    parts = urlsplit(uri)
    if parts.password is None:
        return uri
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{parts.username}:***@{host}"))


def without_password_of(uri: str, text: str) -> str:
    """A text, such as a message of a library, in which the password of an address may stand."""
    password = urlsplit(uri).password
    return text.replace(f":{password}@", ":***@") if password else text
