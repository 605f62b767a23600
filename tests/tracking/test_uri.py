import pytest

from foretaste.tracking.uri import is_server, without_password, without_password_of


@pytest.mark.parametrize(
    ("uri", "server"),
    [("sqlite:///a.db", False), ("postgresql://h/db", False), ("http://h:5000", True), ("https://h", True)],
)
def test_a_server_is_told_from_a_database(uri, server):
    assert is_server(uri) is server


def test_a_password_is_not_shown():
    assert without_password("https://ann:s3cret@host:5000/path") == "https://ann:***@host:5000/path"
    assert without_password("sqlite:////a/b.db") == "sqlite:////a/b.db"
    assert without_password("http://host:5000") == "http://host:5000"


def test_a_password_is_taken_out_of_a_message():
    uri = "https://ann:s3cret@host"
    assert without_password_of(uri, f"no answer from {uri}/api") == "no answer from https://ann:***@host/api"
    assert without_password_of("sqlite:///a.db", "no such file") == "no such file"
