"""What a visit needs: a browser, commands that listen, and somebody who waits for what a page comes to say.

A page is drawn piece by piece, so nothing is read from it once: what is expected is waited for.
"""

import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

CHROMIUM = Path("/usr/bin/chromium")
WAIT_MS = 60_000
RAW = re.compile(r"Traceback|Error:|Exception|NaN|undefined|\[object|KeyError|httpx|HTTP/1|<class")


class Started:
    """A command that listens."""

    def __init__(self, *arguments, folder, ready):
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        log = folder / f"{arguments[0]}.log"
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "foretaste", *arguments, "--port", str(port)],
                cwd=folder,
                stdout=output,
                stderr=output,
                env={**os.environ, "OMP_NUM_THREADS": "1", "HOME": str(folder)},
            )
        for _ in range(1200):
            try:
                urllib.request.urlopen(self.url + ready, timeout=2)
                return
            except OSError:
                assert self.process.poll() is None, log.read_text()
                time.sleep(0.1)
        self.stop()
        raise AssertionError(log.read_text())

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=30)


class Visitor:
    """Somebody with a browser on the pages of an app."""

    def __init__(self, browser, url, width):
        from playwright.sync_api import expect

        self.url = url
        self.is_phone = width < 768
        self.page = browser.new_page(
            viewport={"width": width, "height": 900}, has_touch=self.is_phone, is_mobile=self.is_phone
        )
        self.page.set_default_timeout(WAIT_MS)
        expect.set_options(timeout=WAIT_MS)
        self.expect = expect
        self.beyond = []
        """Requests to anywhere but the app."""
        self.page.on("request", lambda request: None if self._is_ours(request.url) else self.beyond.append(request.url))

    def _is_ours(self, url):
        return url.startswith((self.url, self.url.replace("http", "ws", 1), "data:", "blob:"))

    def open(self, path, title):
        self.page.goto(f"{self.url}/{path}")
        self._arrive(title)

    def go(self, title):
        """By the navigation, which keeps the session."""
        expand = self.page.get_by_test_id("stExpandSidebarButton")
        if expand.is_visible():
            expand.click()
        link = self.page.get_by_role("link", name=title, exact=True)
        if self.is_phone:
            link.tap()
            self.page.locator('#stSidebar[data-collapsed="true"]').wait_for(state="attached")
        else:
            link.click()
        self._arrive(title)

    def _arrive(self, title):
        self.page.get_by_role("heading", level=1, name=title, exact=True).wait_for()
        self.settle()

    def settle(self):
        """Until the script of the page has run; what it drew may still be on its way."""
        self.page.wait_for_function("""() => !document.querySelector('[data-test-script-state="running"]')""")

    def reads(self, *told):
        """Each of these, a text or a pattern, is on the page, or comes."""
        for each in told:
            self.expect(self.page.locator("body")).to_contain_text(each, use_inner_text=True)

    def titles(self, count=10):
        """Of a list that is whole."""
        shown = self.page.locator(".ft-title")
        self.expect(shown).to_have_count(count)
        return shown.all_inner_texts()

    def card(self, title):
        return self.page.locator(".ft-title", has_text=re.compile(f"^{re.escape(title)}"))

    def likes(self):
        """The line that says what somebody liked last."""
        return self.expect(self.page.locator("#ft-liked"))

    def find(self, label, text, title):
        """Type into a field that searches, and take the first of what it found."""
        box = self.page.get_by_role("combobox", name=label, exact=True)
        box.click()
        box.press_sequentially(text, delay=20)
        self.page.locator("ul[role=listbox][aria-busy=false]").wait_for()
        self.page.get_by_role("option", name=re.compile(title)).first.click()
        self.settle()

    def press(self, act, outcome, told):
        """Act until something comes of it: what moves or is drawn anew under the hand loses a press."""
        from playwright.sync_api import TimeoutError as NothingCameError

        for _ in range(4):
            try:
                act(timeout=WAIT_MS // 4)
                outcome(timeout=WAIT_MS // 4)
            except NothingCameError:
                continue
            self.settle()
            return
        raise AssertionError(f"{told}. The page says:\n{self.page.locator('body').inner_text()}")

    def choose(self, label, option):
        """Add one of many."""
        chosen = self.page.get_by_test_id("stMultiSelect").get_by_text(option, exact=True)

        def act(timeout):
            self.page.get_by_role("combobox", name=label).click(timeout=timeout)
            self.page.get_by_role("option", name=option, exact=True).click(timeout=timeout)

        self.press(act, chosen.wait_for, f"{option} cannot be chosen")

    def rate(self, name, place, title):
        """Press a button of the item at a place, which has this title, and give the titles once it has gone."""
        button = self.page.get_by_role("button", name=name, exact=True).nth(place)
        gone = self.card(title).first
        self.press(button.click, lambda timeout: gone.wait_for(state="detached", timeout=timeout), f"{title} stays")
        return self.titles()

    def check_layout(self):
        """Nothing is wider than the screen, nothing raw is shown, and nothing was asked of anybody else."""
        page = "document.documentElement"
        self.page.wait_for_function(f"() => {page}.scrollWidth <= {page}.clientWidth")
        self.expect(self.page.get_by_test_id("stException")).to_have_count(0)
        assert not RAW.search(self.page.locator("body").inner_text())
        assert self.beyond == []


@pytest.fixture(scope="session")
def browser():
    if not CHROMIUM.exists():
        pytest.skip(f"no {CHROMIUM}: apt-get install chromium")
    pytest.importorskip("streamlit", reason="needs the extra ui")
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    with playwright.sync_playwright() as api:
        chromium = api.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """Starts commands that listen; they are stopped with the last test of the file."""
    running = []

    def started(*arguments, ready, folder=None):
        made = Started(*arguments, folder=folder or tmp_path_factory.mktemp(arguments[0]), ready=ready)
        running.append(made)
        return made

    yield started
    for each in reversed(running):
        each.stop()


@pytest.fixture(params=[1280, 400], ids=["desktop", "phone"])
def visit(request, browser):
    """Sends somebody to an app, at a desk and with a phone; how the pages lie is looked at when they leave."""
    visitors = []

    def visiting(url):
        visitors.append(Visitor(browser, url, request.param))
        return visitors[-1]

    yield visiting
    for each in visitors:
        each.check_layout()
        each.page.close()
