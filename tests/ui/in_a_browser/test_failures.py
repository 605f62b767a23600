"""The web app where the service fails: each page says what happened and what to do."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

pytestmark = pytest.mark.slow

PAGES = {
    "": "For you",
    "more-like-this": "More like this",
    "popular": "Popular",
    "new-here": "New here?",
    "compare": "Compare",
    "about": "About",
}


class Failing:
    """A service that fails as it is told to."""

    def __init__(self):
        self.status, self.sleep_seconds = 503, 0.0
        failing = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                time.sleep(failing.sleep_seconds)
                body = json.dumps({"detail": "told by the service", "request_id": "ab" * 16}).encode()
                try:
                    self.send_response(failing.status)
                    self.send_header("Content-Type", "application/problem+json")
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                except OSError:
                    pass  # whoever asked has gone

            do_POST = do_GET

            def log_message(self, *arguments):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self):
        self._server.shutdown()
        self._server.server_close()


def test_each_page_says_what_happened_and_what_to_do(visit, start):
    failing = Failing()
    app = start("ui", "--api", failing.url, "--headless", "--timeout", "2", ready="/_stcore/health")
    visitor = visit(app.url)
    for status, sleep_seconds, happened, to_do in (
        (401, 0.0, "The service wants a valid API key.", "FORETASTE_API_KEY"),
        (422, 0.0, "The service cannot meet this request.", "Change what is asked for"),
        (503, 0.0, "The service is too busy or about to stop.", "Wait a few seconds"),
        (200, 6.0, "The service takes too long.", "--timeout"),
        (None, 0.0, "The service cannot be reached.", "foretaste serve"),
    ):
        failing.status, failing.sleep_seconds = status, sleep_seconds
        if status is None:
            failing.stop()
        for path, title in PAGES.items():
            visitor.open(path, title)
            alert = visitor.page.get_by_test_id("stAlert")
            visitor.expect(alert).to_contain_text(happened)
            visitor.expect(alert).to_contain_text(to_do)
            visitor.page.get_by_role("button", name="Try again").wait_for()
            visitor.check_layout()
