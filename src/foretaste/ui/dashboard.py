"""The monitoring dashboard, as a script of Streamlit: which page is shown, over which window.

It reads the log's database and what the store remembers, not the model, so it runs wherever those can be reached.
"""

import sys
from collections.abc import Callable
from functools import partial

import streamlit as st

from foretaste.ui.dashboard_pages import drift, experiment, health, outcome, replay, trainings
from foretaste.ui.dashboard_pages.frame import View, choose_view, draw
from foretaste.ui.dashboard_settings import DashboardSettings

# Path → title, icon, and what draws it; the first is shown first. No string here: Streamlit would write it out.
PAGES: dict[str, tuple[str, str, Callable[[View], None]]] = {
    "health": ("Health and traffic", ":material/monitor_heart:", health.page),
    "outcome": ("Outcome", ":material/ads_click:", outcome.page),
    "experiment": ("Experiment", ":material/science:", experiment.page),
    "replay": ("Replay", ":material/history:", replay.page),
    "drift": ("Drift", ":material/compare_arrows:", drift.page),
    "trainings": ("Data and trainings", ":material/model_training:", trainings.page),
}


def main() -> None:
    """Draw the page that is asked for."""
    st.set_page_config(page_title="foretaste dashboard", page_icon="🩺", layout="wide")
    view = choose_view(DashboardSettings.of(sys.argv[1:]))
    st.navigation(
        [
            st.Page(partial(draw, title, page, view), title=title, icon=icon, url_path=path, default=not number)
            for number, (path, (title, icon, page)) in enumerate(PAGES.items())
        ]
    ).run()


if __name__ == "__main__":
    main()
