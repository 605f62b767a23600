import importlib.util
import socket

import pytest

from foretaste.errors import ConfigError
from foretaste.ui import launch
from foretaste.ui.settings import UiSettings


def test_what_is_missing_is_refused_with_its_remedy(monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "streamlit" else found(name))
    with pytest.raises(ConfigError, match=r"needs streamlit: pip install 'foretaste\[ui\]'"):
        launch.check_installed()


def test_a_port_that_is_taken_is_refused():
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(ConfigError, match="another with --port"):
        launch.check_free("127.0.0.1", taken.getsockname()[1])
    launch.check_free("127.0.0.1", 0)


def test_settings_travel_as_arguments():
    settings = UiSettings("http://a:1", "http://b:2", 3.5)
    assert UiSettings.of(settings.arguments()) == settings
    assert UiSettings.of(UiSettings("http://a:1").arguments()) == UiSettings("http://a:1")


@pytest.mark.parametrize("url", ["", "localhost:8000", "ftp://a", "http://", "http://a:x", "http://[::1"])
def test_what_is_no_address_is_refused(url):
    with pytest.raises(ConfigError, match=r"--api .*expected the address"):
        UiSettings(url).check()
    if url:
        with pytest.raises(ConfigError, match=r"--compare-with .*expected the address"):
            UiSettings("http://a", url).check()
