"""Which variant earns more, as the answer stands, and how long until it can be told."""

import streamlit as st

from foretaste.monitoring.experiments import Arm, Comparison, arms, compare
from foretaste.ui.dashboard_pages import charts, wording
from foretaste.ui.dashboard_pages.frame import TTL_SECONDS, View, nothing_here, open_log


def page(view: View) -> None:
    """Draw it."""
    found = _read(view)
    if not found:
        nothing_here("Nothing was shown in this window.")
        return
    if len(found) < 2:
        st.info(
            "No experiment runs: all answers of this window are of one variant. Name others under `experiment:` in the "
            "config of the service.",
            icon=":material/science:",
        )
        return
    names = sorted(found, key=lambda name: (name != "default", name))
    with st.container(horizontal=True):
        baseline = st.selectbox("Compare with", names, format_func=wording.named, width=220)
        least = st.number_input(
            "Smallest difference that matters, in percentage points",
            min_value=0.01,
            max_value=50.0,
            value=0.5,
            step=0.1,
            width=380,
            help="A difference of the click-through. Smaller ones take many more users to find.",
        )
    for name in names:
        if name != baseline:
            _draw(view, wording.named(name), compare(found[baseline], found[name], least / 100), least)
    st.subheader("Clicked, of the items shown")
    st.dataframe(
        [
            {
                "Variant": wording.named(name),
                "Users": f"{found[name].num_users:,}",
                "Items shown": f"{found[name].num_shown:,.0f}",
                "Clicked": f"{found[name].rate:.2%}",
            }
            for name in names
        ],
        hide_index=True,
    )
    st.caption(
        "A user counts as one draw. The interval holds however often you look (a confidence sequence, 95 %), so an "
        "experiment may be stopped on the day it excludes zero. Choose a window that begins where the experiment did."
    )


def _draw(view: View, name: str, comparison: Comparison | None, least: float) -> None:
    st.subheader(f"{name} against the baseline")
    if comparison is None:
        st.info("Too early: each variant needs 30 users.", icon=":material/hourglass_top:")
        return
    difference = comparison.difference
    told = f"{difference.mean * 100:+.2f} points ({difference.low * 100:+.2f} to {difference.high * 100:+.2f})"
    if comparison.is_decided:
        better = "more" if difference.mean > 0 else "less"
        st.success(f"Decided: {name} is clicked {better}, by {told}.", icon=":material/task_alt:")
    else:
        st.info(f"Not decided: {told}. {_wait(view, comparison, least)}", icon=":material/hourglass_top:")
    st.altair_chart(charts.intervals({name: difference}, "difference of the click-through", "+.2~%", zero_line=True))


def _wait(view: View, comparison: Comparison, least: float) -> str:
    """How long until a difference that matters would be found."""
    missing = comparison.users_needed - comparison.num_users
    if missing <= 0:
        return f"A true difference of {least:g} points would most likely have shown by now: it is smaller, if any."
    days = missing / comparison.num_users * view.window.num_hours / 24
    wait = f"{days:,.0f} days" if days >= 2 else f"{days * 24:,.0f} hours"
    return (
        f"To find a true difference of {least:g} points (with 80 % probability) takes {comparison.users_needed:,.0f} "
        f"users; {comparison.num_users:,} came in this window. At their pace, {wait} more."
    )


@st.cache_data(ttl=5 * TTL_SECONDS, show_spinner="Adding up what each user did …")
def _read(view: View) -> dict[str, Arm]:
    with open_log(view) as database:
        return arms(database, view.window)
