"""What another model would have earned on the log, worked out on demand."""

import streamlit as st

from foretaste.artifacts.store import BundleStore
from foretaste.evaluation.significance import Estimate
from foretaste.pipelines.replay import Replay, replay_bundle
from foretaste.ui.dashboard_pages import charts, wording
from foretaste.ui.dashboard_pages.frame import View, open_log

_TTL_SECONDS = 3600
_MEANINGS = {
    "snips": "weighted mean, by the weights' own sum: read this first",
    "dr": "a reward model, put right by its weighted errors",
    "ips": "weighted mean",
    "replay": "only rows that the model might have served",
}


def page(view: View) -> None:
    """Draw it."""
    st.markdown(
        "A model that never served is asked what the log was asked, and what was shown is weighed by how likely it "
        "would have shown it. The log must have tried more than the best: a greedy log is refused."
    )
    bundles = [one.bundle_id for one in reversed(BundleStore(view.settings.store).list()) if one.manifest]
    if not bundles:
        st.info(
            f"No bundle in {view.settings.store}: train one with `foretaste run CONFIG`, or name the folder with "
            "--store.",
            icon=":material/inventory_2:",
        )
        return
    with st.form("replay"):
        bundle = st.selectbox("Model to judge", bundles)
        slots = st.slider("Slots of an answer that count, from the first", 1, 10, 1, help="Fewer slots tell more.")
        is_asked = st.form_submit_button("Estimate", icon=":material/calculate:")
    if is_asked:
        _draw(_estimate(view, bundle, slots), bundle)


@st.cache_data(ttl=_TTL_SECONDS, show_spinner="Asking the model what the log was asked …")
def _estimate(view: View, bundle: str, slots: int) -> Replay:
    with open_log(view) as database:
        return replay_bundle(
            database,
            BundleStore(view.settings.store),
            bundle,
            view.window,
            view.settings.monitoring.replay,
            num_slots=slots,
        )


def _draw(found: Replay, bundle: str) -> None:
    st.subheader("Reward of an item shown")
    estimates = {"what served": found.served}
    estimates |= {one.estimator: Estimate(one.mean, one.low, one.high) for one in found.estimates}
    st.altair_chart(charts.intervals(estimates, "clicked or bought, of the items shown"))
    told = f"{found.num_requests:,} answers. What served earned {wording.rate(found.served)}."
    if found.estimates:
        told += f" The others are estimates of what {bundle} would have earned, with 95 % intervals."
    st.caption(told)
    for reason in dict.fromkeys(found.refused.values()):
        names = ", ".join(name for name, each in found.refused.items() if each == reason)
        st.warning(f"No estimate by {names}: {reason}", icon=":material/block:")
    if found.estimates:
        st.dataframe(
            [
                {
                    "Estimator": one.estimator,
                    "Would have earned": wording.rate(Estimate(one.mean, one.low, one.high)),
                    "As many rows of its own": f"{one.effective_rows:,.0f} of {one.num_rows:,}",
                    "How": _MEANINGS[one.estimator],
                }
                for one in found.estimates
            ],
            hide_index=True,
        )
