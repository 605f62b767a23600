"""Which models were trained, what was decided on them, which went live and why, and how good the data of the last
training was."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from foretaste.artifacts.store import BundleStore, Listing
from foretaste.artifacts.verdicts import VerdictRecord
from foretaste.errors import ArtifactError, ConfigError
from foretaste.pipelines.run_record import RunRecord, find_runs
from foretaste.ui.dashboard_pages.frame import TTL_SECONDS, View


def page(view: View) -> None:
    """Draw it."""
    store = BundleStore(view.settings.store)
    _ingestion(view)
    st.subheader("What went live, and why")
    moves = [
        {
            "When (UTC)": move.timestamp[:16].replace("T", " "),
            "What": "rolled back" if move.action == "rollback" else "promoted",
            "To": move.after,
            "From": move.before or "–",
            "Reason": move.reason or "none given",
        }
        for move in reversed(store.history())
    ]
    if moves:
        st.dataframe(moves, hide_index=True)
    else:
        st.caption(f"Nothing went live yet in {view.settings.store}.")
    _verdicts(store.verdicts())
    st.subheader("Trainings")
    trainings = [_training(one) for one in reversed(store.list())]
    if trainings:
        st.dataframe(trainings, hide_index=True)
    else:
        st.info("No model yet: train one with `foretaste run CONFIG`.", icon=":material/model_training:")


def _verdicts(verdicts: Sequence[VerdictRecord]) -> None:
    """What guard and watch decided, the last one in full."""
    st.subheader("What was decided by itself")
    if not verdicts:
        st.caption("Nothing yet: `foretaste retrain CONFIG` trains, judges and decides.")
        return
    last = verdicts[-1]
    told = f"{_DECISIONS[last.decision].capitalize()}: {last.bundle_id}. {' '.join(last.reasons)}"
    box, icon = _BOXES.get(last.decision, (st.info, ":material/gavel:"))
    box(told, icon=icon)
    st.dataframe(
        [
            {
                "When (UTC)": one.timestamp[:16].replace("T", " "),
                "By": one.by,
                "Decision": _DECISIONS[one.decision],
                "Model": one.bundle_id,
                "Beside": one.against or "–",
                "Reasons": " ".join(one.reasons),
            }
            for one in reversed(verdicts[-_VERDICTS_SHOWN:])
        ],
        hide_index=True,
    )


_DECISIONS = {
    "promote": "promoted",
    "keep": "left what was live",
    "refuse": "refused",
    "stay": "stays live",
    "rollback": "rolled back",
}
_BOXES = {
    "promote": (st.success, ":material/rocket_launch:"),
    "refuse": (st.error, ":material/block:"),
    "rollback": (st.error, ":material/undo:"),
}
_VERDICTS_SHOWN = 100


@st.cache_data(ttl=TTL_SECONDS)
def _last_result(view: View) -> dict[str, Any] | None:
    """What the last run told of itself; None where there is none.

    Raises:
        ArtifactError: it cannot be read.
    """
    try:
        (run,) = find_runs(["latest"], view.settings.runs)
    except ConfigError:
        return None
    assert isinstance(run, RunRecord)
    return run.result


def _ingestion(view: View) -> None:
    st.subheader("Data of the last training")
    try:
        result = _last_result(view)
    except ArtifactError as error:
        st.warning(str(error))
        return
    if result is None:
        st.caption(f"No run in {view.settings.runs}.")
        return
    st.caption(f"Run {result['run_id']}")
    if audit := result.get("data"):
        lost = audit["rows_read"] - audit["rows_kept"]
        with st.container(horizontal=True):
            for label, value, meaning in (
                ("Events read", f"{audit['rows_read']:,}", "That reached the preparation or were rejected."),
                ("Kept", f"{audit['rows_kept']:,}", f"{lost:,} were dropped; the reasons are below."),
                ("Users", f"{audit['users']:,}", "With an event that was kept."),
                ("Items", f"{audit['items']:,}", "With an event that was kept."),
            ):
                st.metric(label, value, help=meaning, border=True, width=150)
        notes = [("dropped", note) for note in audit["dropped"]] + [("told", note) for note in audit["remarks"]]
        if notes:
            st.dataframe(
                [
                    {
                        "Why": note["reason"],
                        "Events": f"{note['count']:,}",
                        "Dropped": "yes" if kind == "dropped" else "no",
                    }
                    for kind, note in notes
                ],
                hide_index=True,
            )
    for warning in result.get("warnings", []):
        st.warning(warning["text"], icon=":material/warning:")


def _training(one: Listing) -> dict[str, str]:
    if one.manifest is None:
        return {"Model": one.bundle_id, "Trained (UTC)": "–", "State": "damaged: its manifest cannot be read"}
    manifest = one.manifest
    metric, figures = manifest.headline or ("", {})
    window = manifest.training_window
    return {
        "Model": one.bundle_id,
        "Trained (UTC)": manifest.created_at[:16].replace("T", " "),
        "State": "live" if one.is_production else "",
        "Accuracy": f"{metric} {figures['mean']:.4f}" if isinstance(figures.get("mean"), float) else "not judged",
        "Users": f"{manifest.num_users:,}",
        "Items": f"{manifest.num_items:,}",
        "Events": f"{manifest.num_interactions:,}",
        "Until": window.last[:10] if window else "–",
    }
