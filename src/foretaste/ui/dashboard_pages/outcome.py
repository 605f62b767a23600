"""What people did with what they were shown, by model, variant, slot and segment."""

from collections.abc import Mapping

import polars as pl
import streamlit as st

from foretaste.evaluation.significance import Estimate
from foretaste.monitoring.outcomes import Outcome, OutcomeGroup, outcome, outcome_by
from foretaste.ui.dashboard_pages import charts, wording
from foretaste.ui.dashboard_pages.frame import TTL_SECONDS, View, nothing_here, open_log

_GROUPS: dict[str, OutcomeGroup] = {
    "Model version": "model_version",
    "Variant": "variant",
    "Slot": "slot",
    "Segment": "user_known",
    "Endpoint": "endpoint",
}
_SEGMENTS = {1: "users the model knows", 0: "new users", -1: "nobody named"}
_MOST_SLOTS = 20


def page(view: View) -> None:
    """Draw it."""
    whole = _read(view)
    if not whole.num_shown:
        nothing_here("Nothing was shown in this window.")
        return
    with st.container(horizontal=True):
        for label, value, meaning in (
            ("Items shown", f"{whole.num_shown:,}", "In answers to requests."),
            ("Clicked", wording.mean(whole.click_through), "At least once."),
            ("Bought", wording.mean(whole.conversion), "At least once."),
            (
                "Rating",
                wording.NONE if whole.mean_rating is None else f"{whole.mean_rating:.2f}",
                "Mean of the ratings.",
            ),
        ):
            st.metric(label, value, help=meaning, border=True, width=150)
    chosen = st.segmented_control("Split by", list(_GROUPS), default="Model version", required=True)
    parts = _read_by(view, _GROUPS[chosen])
    _chart("Clicked, of the items shown", {name: one.click_through for name, one in parts.items()})
    if whole.num_purchased:
        _chart("Bought, of the items shown", {name: one.conversion for name, one in parts.items()})
    if whole.num_ratings:
        _chart("Mean rating", {name: one.rating for name, one in parts.items()}, ".2~f", "rating")
    st.caption("Lines are 95 % intervals. Two that do not overlap differ by more than chance.")
    st.dataframe(_table(chosen, parts), hide_index=True)


@st.cache_data(ttl=TTL_SECONDS, show_spinner="Reading the log …")
def _read(view: View) -> Outcome:
    with open_log(view) as database:
        return outcome(database, view.window)


@st.cache_data(ttl=TTL_SECONDS, show_spinner="Reading the log …")
def _read_by(view: View, group: OutcomeGroup) -> dict[str, Outcome]:
    with open_log(view) as database:
        found = outcome_by(database, view.window, group)
    if group == "slot":
        return {f"slot {int(slot) + 1}": one for slot, one in found.items() if int(slot) < _MOST_SLOTS}
    if group == "user_known":
        return {_SEGMENTS[int(known)]: one for known, one in found.items()}
    return {wording.named(value): one for value, one in found.items()}


def _chart(
    title: str, estimates: Mapping[str, Estimate | None], value_format: str = ".2~%", unit: str = "share"
) -> None:
    there = {name: one for name, one in estimates.items() if one is not None}
    if there:
        st.subheader(title)
        st.altair_chart(charts.intervals(there, unit, value_format))


def _table(title: str, parts: Mapping[str, Outcome]) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                title: name,
                "Shown": f"{one.num_shown:,}",
                "Clicked": wording.rate(one.click_through),
                "Bought": wording.rate(one.conversion),
                "Rating": wording.NONE if one.mean_rating is None else f"{one.mean_rating:.2f} ({one.num_ratings:,})",
            }
            for name, one in parts.items()
        ]
    )
