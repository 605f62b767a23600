"""The web app on a running service: what people do with it."""

import json
import re
import subprocess
import sys
import time

import pytest

pytestmark = pytest.mark.slow

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


@pytest.fixture(scope="module")
def app(browser, start, tmp_path_factory):
    """The web app on a service of two models."""
    folder = tmp_path_factory.mktemp("service")
    bundles = {}
    for model in ("popularity", "ease"):
        (folder / f"{model}.yaml").write_text(EXPERIMENT.format(model=model))
        command = [sys.executable, "-m", "foretaste", "run", f"{model}.yaml", "--json"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)
        assert done.returncode == 0, done.stderr
        bundles[model] = json.loads(done.stdout)["bundle_id"]
    (folder / "serving.yaml").write_text(SERVICE.format(live=bundles["ease"], other=bundles["popularity"]))
    service = start("serve", "--config", "serving.yaml", folder=folder, ready="/ready")
    return start("ui", "--api", service.url, "--headless", ready="/_stcore/health")


@pytest.fixture
def visitor(visit, app):
    return visit(app.url)


def test_somebody_finds_themselves_filters_and_rates(visitor):
    visitor.open("", "For you")
    visitor.reads("Choose a user above")
    visitor.find("User", "u1", "^u1")
    visitor.reads("Liked last:", "Because you liked")
    before = visitor.titles()

    liked = visitor.rate("Like", 0, before[0])
    visitor.likes().to_contain_text(before[0])
    visitor.rate("Not for me", 0, liked[0])
    visitor.likes().not_to_contain_text(liked[0])

    visitor.choose("Genres", "Comedy")
    visitor.page.wait_for_function(
        "() => { const shown = [...document.querySelectorAll('.ft-card .ft-meta')].map(each => each.innerText);"
        " return shown.length && shown.every(text => text.includes('Comedy')) }"
    )


def test_the_keyboard_is_enough_to_choose_somebody(visitor):
    visitor.open("", "For you")
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
    visitor.reads("Nothing is known of this user yet")


def test_similar_and_popular_items(visitor):
    visitor.open("popular", "Popular")
    known = visitor.titles()[0]
    visitor.go("More like this")
    visitor.find("Search movies", known[:8].lower(), re.escape(known))
    visitor.page.get_by_role("heading", name=f"Movies like {known}").wait_for()
    visitor.titles()
    visitor.expect(visitor.card(known)).to_have_count(0)


def test_somebody_new_sees_a_list_and_registers(visitor):
    visitor.open("new-here", "New here?")
    visitor.page.locator("[class*=st-key-suggested_] button").first.click()
    liked = visitor.titles()[1]
    visitor.rate("Like", 1, liked)
    visitor.check_layout()
    name = f"anna-{time.time_ns()}"
    visitor.page.get_by_label("A name for you").fill(name)
    visitor.page.get_by_role("button", name="Register").click()
    visitor.page.get_by_role("heading", name=f"User {name}").wait_for()
    visitor.titles()
    visitor.likes().to_contain_text(liked)
    visitor.expect(visitor.card(liked)).to_have_count(0)


def test_two_models_side_by_side(visitor):
    visitor.open("compare", "Compare")
    visitor.find("User", "u1", "^u1")
    visitor.titles(20)
    visitor.reads("are in both lists", "only here")


def test_the_model_card(visitor):
    visitor.open("about", "About")
    visitor.reads("The report of the run", re.compile(r"NDCG@10.*\s.*\s.*0\.\d{3} \[0\.\d{3} – 0\.\d{3}\]"), "CC0-1.0")
