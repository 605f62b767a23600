"""About: the model card, and how the service is."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from foretaste.ui.client import ApiClient, Json
from foretaste.ui.light import when
from foretaste.ui.text import markdown, markup, plural

_CUTOFFS = ("10", "5", "20")
_MEANINGS = {
    "ndcg": ("NDCG", "how much of what people went on to choose is shown, and how near the top"),
    "recall": ("Recall", "part of what a person went on to choose that is shown"),
    "precision": ("Precision", "part of what is shown that the person went on to choose"),
    "hit_rate": ("Hit rate", "part of the people for whom at least one shown was right"),
    "mrr": ("MRR", "one over the place of the first that was right"),
    "coverage": ("Coverage", "part of the catalogue that is shown to anybody"),
    "gini": ("Gini", "how unevenly items are shown; 0 is evenly, 1 is one item for all"),
    "diversity": ("Diversity", "how little the items of one list share"),
    "novelty": ("Novelty", "how unknown the items shown are, in bits"),
}


def show(client: ApiClient, about: Json) -> None:
    """Draw the page.

    Raises:
        ApiError: the service does not answer.
    """
    st.title("About")
    nouns = plural(str(about["item_noun"]))
    st.subheader("The model", anchor=False)
    st.html(_table([(name, value) for name, value in facts(about)]))
    with st.expander("Its settings"):
        st.html(_table([(name, str(value)) for name, value in sorted(about["config"].items())]))
    st.subheader("How good it was", anchor=False)
    st.caption("On people and times held back from the training. The brackets hold the 95 % interval of each mean.")
    cutoff, rows = figures(about["metrics"])
    if rows:
        st.html(_metrics(cutoff, rows))
    else:
        st.info("The bundle holds no figures: it was published without an evaluation.", icon=":material/info:")
    st.subheader("Limits", anchor=False)
    st.markdown("\n".join(f"- {markdown(limit)}" for limit in limits(about, nouns)))
    st.subheader("The service", anchor=False)
    health = client.health()
    st.html(
        _table(
            [
                ("Address", client.url),
                ("State", str(health["status"])),
                ("Loaded", when(str(health["model_loaded_at"]))),
                ("Up for", lasted(float(health["uptime_seconds"]))),
                ("Variants", ", ".join(map(str, about["variants"]))),
            ]
        )
    )
    st.markdown(f"Every call is described at [{markdown(client.url)}/docs](<{client.url}/docs>).")
    if about["run_id"]:
        st.markdown("The report of the run tells the rest. Where the run was made:")
        st.code(f"foretaste report {about['run_id']} --open", language="sh")


def facts(about: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What the model is and what it learnt from."""
    window = about["training_window"]
    learnt = f"{when(window['first'])} to {when(window['last'])}" if window else "the data has no times"
    return [
        ("Version", str(about["model_version"])),
        ("Kind", str(about["model"])),
        ("Made", when(str(about["created_at"]))),
        ("Data", str(about["data"].get("name", "unknown"))),
        ("Licence of the data", str(about["data"].get("licence") or "not stated")),
        ("Events", f"{about['n_interactions']:,}"),
        ("Users", f"{about['n_users']:,}"),
        (plural(str(about["item_noun"])).capitalize(), f"{about['n_items']:,}"),
        ("Learnt from", learnt),
    ]


def figures(metrics: Mapping[str, Mapping[str, Any]]) -> tuple[str, list[tuple[str, str, str]]]:
    """The cut-off that is shown, and of each metric its name, meaning, and mean with interval.

    The name says what was ranked where that was not every item, as in NDCG@10 (sampled).
    """
    cutoff = next((each for each in _CUTOFFS if any(name.endswith(f"@{each}") for name in metrics)), "")
    rows = []
    for name, (title, meaning) in _MEANINGS.items():
        found = metrics.get(f"{name}@{cutoff}")
        if found and found.get("mean") is not None:
            ranked = f" ({found['candidates']})" if found.get("candidates") else ""
            rows.append((f"{title}@{cutoff}{ranked}", meaning, _with_interval(found)))
    return cutoff, rows


def limits(about: Mapping[str, Any], nouns: str) -> list[str]:
    """What the model cannot know, as far as its card tells."""
    window = about["training_window"]
    told = [f"It recommends the {about['n_items']:,} {nouns} of its catalogue; one that came later is not shown."]
    if window:
        told.append(f"It learnt until {when(window['last'])}; what people did since counts by feedback alone.")
    told.append(f"Of somebody new it knows nothing: they see what is popular until they choose or rate {nouns}.")
    told.append("The figures are of data that was recorded. Whether people choose more, only an experiment tells.")
    return told


def lasted(seconds: float) -> str:
    """A time span, to the minute."""
    minutes = int(seconds // 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [f"{days} d"] * (days > 0) + [f"{hours} h"] * (days > 0 or hours > 0) + [f"{minutes} min"]
    return " ".join(parts)


def _with_interval(found: Mapping[str, float | None]) -> str:
    low, high = found.get("low"), found.get("high")
    bracket = f" [{low:.3f} – {high:.3f}]" if low is not None and high is not None else ""
    return f"{found['mean']:.3f}{bracket}"


def _metrics(cutoff: str, rows: list[tuple[str, str, str]]) -> str:
    lines = "".join(
        f"<tr><td>{markup(name)}<small>{markup(meaning)}</small></td><td>{markup(value)}</td></tr>"
        for name, meaning, value in rows
    )
    head = f"<tr><th>Lists of {markup(cutoff)}</th><th>Mean</th></tr>"
    return f'<table class="ft-table">{head}{lines}</table>'


def _table(rows: list[tuple[str, str]]) -> str:
    lines = "".join(f"<tr><th>{markup(name)}</th><td>{markup(value)}</td></tr>" for name, value in rows)
    return f'<table class="ft-table ft-facts">{lines}</table>'
