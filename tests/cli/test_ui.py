import importlib.util
import socket

import pytest

from foretaste.errors import ConfigError
from foretaste.ui import launch
from foretaste.ui.dashboard_settings import DashboardSettings


@pytest.fixture
def launched(monkeypatch):
    """What would have been started."""
    calls = []
    monkeypatch.setattr(launch, "run", lambda *arguments: calls.append(arguments))
    monkeypatch.setattr(launch, "check_free", lambda host, port: None)
    return calls


def test_the_dashboard_gets_what_the_options_say(foretaste, launched, tmp_path):
    url = f"sqlite:///{tmp_path}/log.db"
    options = ["--set", "thresholds.latency_p99_ms=7", "--store", tmp_path / "bundles", "--port", 8601, "--headless"]
    result = foretaste("dashboard", "--log", url, "--window", "7d", *options)
    assert result.exit_code == 0, result.exception
    assert result.stdout == "at        http://127.0.0.1:8601\nnext      Ctrl-C stops it\n"
    script, arguments, host, port, headless = launched[0]
    assert (script.name, host, port, headless) == ("dashboard.py", "127.0.0.1", 8601, True)
    assert script.exists()
    settings = DashboardSettings.of(arguments)
    assert (settings.monitoring.log, settings.monitoring.window) == (url, "7d")
    assert settings.monitoring.thresholds.latency_p99_ms == 7
    assert settings.store == tmp_path / "bundles"


def test_a_missing_library_is_refused_with_its_remedy(foretaste, monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "streamlit" else found(name))
    result = foretaste("dashboard")
    assert isinstance(result.exception, ConfigError)
    assert "pip install 'foretaste[ui]'" in str(result.exception)


def test_a_taken_port_is_refused(foretaste):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = foretaste("dashboard", "--port", taken.getsockname()[1], "--headless")
    assert "Choose another with --port" in str(result.exception)


def test_a_url_that_is_none_is_refused_before_anything_starts(foretaste, launched):
    result = foretaste("dashboard", "--log", "mysql://x/y")
    assert "a database of kind 'mysql'" in str(result.exception)
    assert not launched
