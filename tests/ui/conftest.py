"""A small log and store for the dashboard to look at."""

import sys
import time
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from foretaste.monitoring.settings import MonitoringConfig
from foretaste.serving.logs.rows import FeedbackRow, RequestRow
from foretaste.serving.logs.service import ServiceLogs
from foretaste.serving.logs.settings import LogConfig
from foretaste.ui.dashboard_settings import DashboardSettings

SCRIPT = Path(__file__).parents[2] / "src/foretaste/ui/dashboard.py"


@pytest.fixture
def log_url(tmp_path):
    return f"sqlite:///{tmp_path}/log.db"


@pytest.fixture
def small_log(log_url, tmp_path):
    """Forty answers of two items in the present hour by two variants, every tenth clicked on, and a failure."""
    now = time.time()
    logs = ServiceLogs(LogConfig(url=log_url, journal_dir=tmp_path / "journal"))
    logs.start()
    for number in range(40):
        logs.requests.append(
            RequestRow(
                request_id=f"r{number}",
                timestamp=now,
                endpoint="/recommend",
                status=200,
                latency_ms=3.0,
                user_id=f"u{number % 20}",
                user_known=number % 4 > 0,
                model_version="b1",
                variant=["a", "b"][number % 2],
                fallback_reason=None if number % 4 else "unknown user: popular items",
                recommendations=["m1", "m2"],
                scores=[1.0, 0.5],
                propensities=[1.0, 1.0],
                asked={"k": 2},
            )
        )
        if number % 10 == 3:
            for kind, value in (("click", None), ("purchase", None), ("rating", 4.0 - number / 10)):
                event = {"event_id": f"{kind}{number}", "kind": kind, "item_id": "m2", "request_id": f"r{number}"}
                logs.feedback.take(FeedbackRow(timestamp=now, received_at=now, value=value, **event))
    failed = {"status": 500, "latency_ms": 1.0, "timestamp": now, "endpoint": "/recommend", "model_version": "b1"}
    logs.requests.append(RequestRow(request_id="failed", **failed))
    logs.stop()
    return log_url


@pytest.fixture
def dashboard(monkeypatch, tmp_path):
    """Draws a page of the dashboard on a log."""

    def drawn(log, page="", **monitoring):
        settings = DashboardSettings(
            monitoring=MonitoringConfig(log=log, **monitoring), store=tmp_path / "bundles", runs=tmp_path / "runs"
        )
        monkeypatch.setattr(sys, "argv", [str(SCRIPT), settings.model_dump_json()])
        test = AppTest.from_file(str(SCRIPT), default_timeout=30)
        if page:
            test.switch_page(page)
        return test.run()

    return drawn


def texts(test):
    """All that the page says, as one text."""
    parts = [*test.title, *test.subheader, *test.markdown, *test.caption, *test.error, *test.info, *test.success]
    return "\n".join(str(part.value) for part in parts)
