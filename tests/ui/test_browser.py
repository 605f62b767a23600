"""The web app in a real browser: on a running service, and when that fails."""

import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

CHROMIUM = Path("/usr/bin/chromium")
pytest.importorskip("streamlit", reason="needs the extra ui")
playwright_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no {CHROMIUM}: apt-get install chromium"),
]
PAGES = {
    "": "For you",
    "more-like-this": "More like this",
    "popular": "Popular",
    "new-here": "New here?",
    "compare": "Compare",
    "about": "About",
}
RAW = re.compile(r"Traceback|Error:|Exception|NaN|undefined|\[object|KeyError|httpx|HTTP/1|<class")
EXPERIMENT = """data: {{source: synthetic, num_users: 200, num_items: 120, num_interactions: 5000}}
prepare: {{min_user_interactions: 5, min_item_interactions: 5}}
split: {{method: global_time, valid: 0.1, test: 0.1}}
models: {{{model}: {{}}}}
"""
SERVICE = """store: artifacts/bundles
bundle: {live}
experiment:
  name: browser
  variants:
    - {{name: other, bundle: {other}, share: 0.5}}
"""
SECONDS = 1000


def foretaste(*arguments, folder):
    command = [sys.executable, "-m", "foretaste", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


class Started:
    """A command that listens, until the test ends."""

    def __init__(self, *arguments, folder, ready):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        log = folder / f"{arguments[0]}.log"
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "foretaste", *arguments, "--port", str(self.port)],
                cwd=folder,
                stdout=output,
                stderr=output,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
            )
        for _ in range(600):
            try:
                urllib.request.urlopen(self.url + ready, timeout=2)
                return
            except OSError:
                assert self.process.poll() is None, log.read_text()
                time.sleep(0.1)
        raise AssertionError(log.read_text())

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=30)


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    """A running service of two models."""
    folder = tmp_path_factory.mktemp("service")
    bundles = {}
    for model in ("popularity", "ease"):
        (folder / f"{model}.yaml").write_text(EXPERIMENT.format(model=model))
        bundles[model] = json.loads(foretaste("run", f"{model}.yaml", "--json", folder=folder))["bundle_id"]
    (folder / "serving.yaml").write_text(SERVICE.format(live=bundles["ease"], other=bundles["popularity"]))
    running = Started("serve", "--config", "serving.yaml", folder=folder, ready="/ready")
    yield running
    running.stop()


@pytest.fixture(scope="module")
def browser():
    with playwright_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield chromium
        chromium.close()


class Visitor:
    """Somebody with a browser on a page of the app."""

    def __init__(self, browser, app, width):
        self.app = app
        self.is_phone = width < 768
        self.page = browser.new_page(
            viewport={"width": width, "height": 900}, has_touch=self.is_phone, is_mobile=self.is_phone
        )
        self.page.set_default_timeout(20 * SECONDS)
        self.beyond = []
        """Requests to anywhere but the app."""
        self.page.on("request", lambda request: None if self.is_ours(request.url) else self.beyond.append(request.url))

    def is_ours(self, url):
        return url.startswith((self.app.url, self.app.url.replace("http", "ws", 1), "data:", "blob:"))

    def open(self, path):
        self.page.goto(f"{self.app.url}/{path}")
        self.page.get_by_role("heading", level=1, name=PAGES[path], exact=True).wait_for()
        self.settle()

    def go(self, path):
        """By the navigation, which keeps the session."""
        expand = self.page.get_by_test_id("stExpandSidebarButton")
        if expand.is_visible():
            expand.click()
        link = self.page.get_by_role("link", name=PAGES[path], exact=True)
        if self.is_phone:
            link.tap()
            self.page.locator('#stSidebar[data-collapsed="true"]').wait_for(state="attached")
        else:
            link.click()
        self.page.get_by_role("heading", level=1, name=PAGES[path], exact=True).wait_for()
        self.settle()

    def settle(self):
        self.page.wait_for_function("""() => !document.querySelector('[data-test-script-state="running"]')""")

    def find(self, label, text, title):
        box = self.page.get_by_role("combobox", name=label, exact=True)
        box.click()
        box.press_sequentially(text, delay=20)
        self.page.get_by_role("option", name=re.compile(title)).first.click()
        self.settle()

    def choose(self, label, option):
        """Add one of many; again where the page was still being made anew, which closes the list of options."""
        box = self.page.get_by_role("combobox", name=label)
        chosen = self.page.get_by_test_id("stMultiSelect").get_by_text(option, exact=True)
        for _ in range(3):
            box.click()
            self.page.get_by_role("option", name=option, exact=True).click()
            try:
                chosen.wait_for(timeout=5 * SECONDS)
            except playwright_api.TimeoutError:
                continue
            return
        raise AssertionError(f"{option} cannot be chosen")

    def titles(self):
        return self.page.locator(".ft-title").all_inner_texts()

    def rate(self, button, title):
        """Press a button of the item with this title, and give the titles once it has gone.

        Pressed again where nothing came of it, as while the page was being made anew.
        """
        card = self.page.locator(".ft-title", has_text=title)
        for _ in range(3):
            button.click()
            try:
                card.first.wait_for(state="detached", timeout=8 * SECONDS)
            except playwright_api.TimeoutError:
                continue
            self.settle()
            return self.titles()
        raise AssertionError(f"{title} is still there")

    def text(self):
        return self.page.locator("body").inner_text()

    def check_layout(self):
        wide = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert self.page.evaluate(wide) <= 0, "the page is wider than the screen"
        assert not RAW.search(self.text())
        assert self.page.get_by_test_id("stException").count() == 0


@pytest.fixture(params=[1280, 400], ids=["desktop", "phone"])
def visitor(request, browser, app):
    made = Visitor(browser, app, request.param)
    yield made
    made.check_layout()
    assert made.beyond == []
    made.page.close()


@pytest.fixture(scope="module")
def app(service, tmp_path_factory):
    """The web app on the service."""
    folder = tmp_path_factory.mktemp("app")
    running = Started("ui", "--api", service.url, "--headless", folder=folder, ready="/_stcore/health")
    yield running
    running.stop()


def test_somebody_finds_themselves_filters_and_rates(visitor):
    visitor.open("")
    assert "Choose a user above" in visitor.text()
    visitor.find("User", "u1", "^u1")
    visitor.page.locator(".ft-title").nth(9).wait_for()
    assert "Liked last:" in visitor.text()
    visitor.page.locator(".ft-why", has_text="Because you liked").first.wait_for()
    before = visitor.titles()
    assert len(before) == 10

    liked = visitor.rate(visitor.page.get_by_role("button", name="Like", exact=True).first, before[0])
    assert before[0] in visitor.page.locator("#ft-liked").inner_text()
    visitor.rate(visitor.page.get_by_role("button", name="Not for me", exact=True).first, liked[0])
    assert liked[0] not in visitor.page.locator("#ft-liked").inner_text()

    visitor.choose("Genres", "Comedy")
    visitor.page.wait_for_function(
        "() => { const shown = [...document.querySelectorAll('.ft-card .ft-meta')].map(each => each.innerText);"
        " return shown.length && shown.every(text => text.includes('Comedy')) }"
    )
    visitor.check_layout()


def test_the_keyboard_is_enough_to_choose_somebody(visitor):
    visitor.open("")
    box = visitor.page.get_by_role("combobox", name="User", exact=True)
    box.focus()
    visitor.page.keyboard.type("u1", delay=20)
    visitor.page.locator("ul[role=listbox][aria-busy=false]").wait_for()
    second = visitor.page.get_by_role("option").nth(1).inner_text().strip()
    visitor.page.keyboard.press("ArrowDown")
    visitor.page.keyboard.press("ArrowDown")
    visitor.page.keyboard.press("Enter")
    visitor.page.get_by_role("heading", name=f"User {second}", exact=True).wait_for()

    box.focus()
    visitor.page.keyboard.type("somebody else", delay=20)
    visitor.page.keyboard.press("Enter")
    visitor.page.get_by_role("heading", name="User somebody else").wait_for()
    visitor.page.get_by_text("Nothing is known of this user yet").wait_for()


def test_similar_and_popular_items(visitor):
    visitor.open("popular")
    visitor.page.locator(".ft-title").nth(9).wait_for()
    known = visitor.titles()[0]
    visitor.go("more-like-this")
    visitor.find("Search movies", known[:8].lower(), re.escape(known))
    visitor.page.get_by_role("heading", name=f"Movies like {known}").wait_for()
    visitor.page.locator(".ft-title").nth(9).wait_for()
    assert known not in visitor.titles()
    visitor.check_layout()


def test_somebody_new_sees_a_list_and_registers(visitor):
    visitor.open("new-here")
    visitor.page.locator("[class*=st-key-suggested_] button").first.click()
    visitor.page.locator(".ft-title").nth(9).wait_for()
    before = visitor.titles()
    visitor.rate(visitor.page.get_by_role("button", name="Like", exact=True).nth(1), before[1])
    visitor.check_layout()
    name = f"anna-{time.time_ns()}"
    visitor.page.get_by_label("A name for you").fill(name)
    visitor.page.get_by_role("button", name="Register").click()
    visitor.page.get_by_role("heading", name=f"User {name}").wait_for()
    visitor.page.locator(".ft-title").nth(9).wait_for()
    assert before[1] in visitor.page.locator("#ft-liked").inner_text()
    assert before[1] not in visitor.titles()


def test_two_models_side_by_side(visitor):
    visitor.open("compare")
    visitor.find("User", "u1", "^u1")
    visitor.page.locator(".ft-title").nth(19).wait_for()
    assert "are in both lists" in visitor.text()
    assert "only here" in visitor.text()


def test_the_model_card(visitor):
    visitor.open("about")
    visitor.page.get_by_text("The report of the run").wait_for()
    text = visitor.text()
    assert re.search(r"NDCG@10.*\n?.*\n?.*0\.\d{3} \[0\.\d{3} – 0\.\d{3}\]", text)
    assert "CC0-1.0" in text


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


@pytest.mark.parametrize("width", [1280, 400])
def test_each_page_says_what_happened_and_what_to_do(browser, tmp_path, width):
    failing = Failing()
    app = Started("ui", "--api", failing.url, "--headless", "--timeout", "2", folder=tmp_path, ready="/_stcore/health")
    try:
        visitor = Visitor(browser, app, width)
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
            for path in PAGES:
                visitor.open(path)
                alert = visitor.page.get_by_test_id("stAlert")
                alert.get_by_text(happened).wait_for()
                assert to_do in alert.inner_text()
                assert visitor.page.get_by_role("button", name="Try again").is_visible()
                visitor.check_layout()
        visitor.page.close()
    finally:
        app.stop()
