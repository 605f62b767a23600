"""The web app: the script that Streamlit runs for each visit and each touch."""

import sys
from collections.abc import Callable
from pathlib import Path

import streamlit as st

from foretaste.ui import notices
from foretaste.ui.client import ApiClient, Json
from foretaste.ui.page import draw
from foretaste.ui.settings import UiSettings, api_key
from foretaste.ui.views import about as about_page
from foretaste.ui.views import compare, for_you, more_like_this, new_here, popular


def main() -> None:
    """Draw the page that is open."""
    st.set_page_config(page_title="foretaste", page_icon="🍴", layout="wide")
    st.html(f"<style>{_style()}</style>")
    settings = UiSettings.of(sys.argv[1:])
    client = _client(settings.api, settings.timeout_seconds)
    other = _client(settings.compare_with, settings.timeout_seconds) if settings.compare_with else None

    def page(title: str, show: Callable[[Json], None], icon: str, default: bool = False) -> st.Page:
        def run() -> None:
            draw(client, title, show)

        path = title.lower().replace("?", "").replace(" ", "-")
        return st.Page(run, title=title, icon=f":material/{icon}:", url_path=path, default=default)

    def open_user(user_id: str) -> None:
        for_you.choose(user_id)
        st.switch_page(first)

    first = page("For you", lambda about: for_you.show(client, about), "recommend", default=True)
    chosen = st.navigation(
        [
            first,
            page("More like this", lambda about: more_like_this.show(client, about), "join_inner"),
            page("Popular", lambda about: popular.show(client, about), "trending_up"),
            page("New here?", lambda about: new_here.show(client, about, open_user), "waving_hand"),
            page("Compare", lambda about: compare.show(client, about, other), "compare"),
            page("About", lambda about: about_page.show(client, about), "info"),
        ]
    )
    notices.say_now()
    chosen.run()


@st.cache_resource
def _client(url: str, timeout_seconds: float) -> ApiClient:
    return ApiClient(url, api_key(), timeout_seconds)


@st.cache_resource
def _style() -> str:
    return Path(__file__).with_name("style.css").read_text(encoding="utf-8")


main()
