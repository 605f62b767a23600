"""Whether people and items are still those that the live model was trained on, worked out on demand."""

import streamlit as st

from foretaste.artifacts.store import BundleStore
from foretaste.pipelines.drift import Drift, drift_of_bundle
from foretaste.ui.dashboard_pages import charts, wording
from foretaste.ui.dashboard_pages.frame import View, open_log

_TTL_SECONDS = 3600


def page(view: View) -> None:
    """Draw it."""
    st.markdown(
        "What came in and went out in this window, beside what the live model was trained on. The model is opened and "
        "asked for this, which takes some seconds."
    )
    key = f"drift {view.window}"
    if st.button("Compare with the training", icon=":material/compare_arrows:", key="compare"):
        st.session_state[key] = True
    if st.session_state.get(key):
        _draw(_read(view), view.settings.monitoring.drift.psi)


@st.cache_data(ttl=_TTL_SECONDS, show_spinner="Asking the model about its training users …")
def _read(view: View) -> Drift:
    with open_log(view) as database:
        return drift_of_bundle(
            database, BundleStore(view.settings.store), "production", view.window, view.settings.monitoring.drift
        )


def _draw(found: Drift, limit: float) -> None:
    for name, day in found.since.items():
        what = f"More new {name} than allowed" if name in ("users", "items") else f"{name.capitalize()} drifted"
        st.error(f"**{what}**, since {day}.", icon=":material/warning:")
    if not found.since and (found.features or found.shares):
        st.success("Nothing moved far.", icon=":material/check_circle:")
    with st.container(horizontal=True):
        for share in found.shares:
            meaning = f"Of {share.num_rows:,}; at most {share.limit:.0%} are expected."
            st.metric(f"New {share.of}", wording.share(share.share), help=meaning, border=True, width=150)
    if not found.features:
        st.info("Too few rows in this window to compare any feature. Take a longer one.", icon=":material/hourglass:")
        return
    st.subheader("How far each feature moved")
    st.altair_chart(charts.bars({one.feature: one.psi for one in found.features}, "population stability index", ".2~f"))
    st.caption(
        f"{found.bundle_id}, by {found.num_requests:,} answers. Up to 0.1 is slight; from {limit:g} on, and where "
        "it is no chance, a feature counts as drifted."
    )
    st.dataframe(
        [
            {
                "Feature": one.feature,
                "Moved (PSI)": f"{one.psi:.3f}",
                "Chance (p)": "< 0.001" if one.p < 0.001 else f"{one.p:.3f}",
                "Drifted": "yes" if one.has_drifted else "no",
                "Rows in training": f"{one.reference_rows:,}",
                "Rows here": f"{one.current_rows:,}",
            }
            for one in found.features
        ],
        hide_index=True,
    )
