"""What stands around every page: the choice of the window, the title, and what is said when something fails."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import streamlit as st
from sqlalchemy.exc import DBAPIError

from foretaste.data.log_database import LogDatabase
from foretaste.errors import ForetasteError
from foretaste.monitoring.kpis import require_log
from foretaste.monitoring.windows import Window
from foretaste.ui.dashboard_settings import DashboardSettings

TTL_SECONDS = 60
"""How long figures are kept."""

_LENGTHS = {"1h": "Last hour", "24h": "Last 24 hours", "7d": "Last 7 days", "4w": "Last 4 weeks"}


@dataclass(frozen=True)
class View:
    """What is looked at."""

    settings: DashboardSettings
    window: Window


def choose_view(settings: DashboardSettings) -> View:
    """The window that the reader chose at the side."""
    configured = settings.monitoring.window
    lengths = list(dict.fromkeys([configured, *_LENGTHS]))
    with st.sidebar:
        length = st.selectbox(
            "Window",
            lengths,
            format_func=lambda length: _LENGTHS.get(length, f"Last {length}"),
            help="Whole hours up to now; the last one is under way.",
        )
        if st.button("Read again", icon=":material/refresh:", width="stretch", help="Figures are kept for a minute."):
            st.cache_data.clear()
    return View(settings, Window.latest(length))


def draw(title: str, page: Callable[[View], None], view: View) -> None:
    """A page under its title; what a reader can do something about is said in words where it fails."""
    st.title(title)
    start, end = (_told(seconds) for seconds in (view.window.start_seconds, view.window.end_seconds))
    st.caption(f"{start} to {end} UTC. The last hour is under way.")
    try:
        page(view)
    except ForetasteError as error:
        st.error(str(error), icon=":material/info:")
    except DBAPIError:
        st.error(
            f"The log's database does not answer: {database_of(view)}. Check that it runs and can be reached from "
            "here, then choose Read again.",
            icon=":material/cloud_off:",
        )


def database_of(view: View) -> LogDatabase:
    """The log's database; nothing is opened yet."""
    return LogDatabase(view.settings.monitoring.log)


@contextmanager
def open_log(view: View) -> Iterator[LogDatabase]:
    """The log's database; closed in the end.

    Raises:
        ArtifactError: there is no log.
        sqlalchemy.exc.DBAPIError: the database does not answer.
    """
    database = database_of(view)
    try:
        require_log(database)
        yield database
    finally:
        database.close()


def nothing_here(what: str) -> None:
    """An empty state: what there would be, and what to do."""
    st.info(f"{what} Choose a longer window at the side.", icon=":material/hourglass_empty:")


def _told(utc_seconds: int) -> str:
    return datetime.fromtimestamp(utc_seconds, UTC).strftime("%Y-%m-%d %H:%M")
