"""Whether the service is well: limits, traffic, latency, failures, fallbacks, and what is shown."""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl
import streamlit as st

from foretaste.artifacts.bundle import read_titles
from foretaste.artifacts.store import BundleStore
from foretaste.errors import ArtifactError
from foretaste.monitoring.exposure import Exposure, ItemShare, exposure
from foretaste.monitoring.kpis import GROUPS
from foretaste.monitoring.thresholds import Alert, crossed
from foretaste.monitoring.traffic import Traffic, TrafficGroup, traffic_by, traffic_groups
from foretaste.monitoring.windows import SECONDS_PER_HOUR
from foretaste.ui.dashboard_pages import charts, wording
from foretaste.ui.dashboard_pages.frame import TTL_SECONDS, View, nothing_here, open_log

_GROUP_TITLES = {"endpoint": "Endpoint", "model_version": "Model version", "variant": "Variant"}


@dataclass(frozen=True)
class Health:
    """What the top of the page tells."""

    alerts: tuple[Alert, ...]
    whole: Traffic
    by_hour: Mapping[int, Traffic]
    groups: Mapping[TrafficGroup, Mapping[str | int, Traffic]]


def page(view: View) -> None:
    """Draw it."""
    found = _read(view)
    _alerts(found.alerts)
    if not found.whole.num_requests:
        nothing_here("The service had no request in this window.")
        return
    _figures(found.whole)
    _over_time(view, found.by_hour)
    _groups(found.groups)
    _fallbacks(found.whole)
    _shown(view)


@st.cache_data(ttl=TTL_SECONDS, show_spinner="Reading the log …")
def _read(view: View) -> Health:
    with open_log(view) as database:
        whole, groups = traffic_groups(database, view.window, GROUPS)
        return Health(
            alerts=tuple(crossed(database, view.window, view.settings.monitoring.thresholds, whole)),
            whole=whole,
            by_hour={int(hour): one for hour, one in traffic_by(database, view.window, "hour").items()},
            groups=groups,
        )


@st.cache_data(ttl=TTL_SECONDS, show_spinner="Counting what was shown …")
def _read_exposure(view: View) -> tuple[Exposure, dict[str, str]]:
    """What was shown, and the titles of the items that are named."""
    catalogue_size, titles = None, {}
    try:
        titles = read_titles(BundleStore(view.settings.store).folder())
        catalogue_size = len(titles)
    except ArtifactError:
        pass  # ids do as well where no bundle is live
    with open_log(view) as database:
        found = exposure(database, view.window, catalogue_size=catalogue_size)
    named = {one.item_id for one in (*found.top_shown, *found.top_clicked)}
    return found, {item_id: titles[item_id] for item_id in named & titles.keys()}


def _alerts(alerts: tuple[Alert, ...]) -> None:
    for one in alerts:
        st.error(wording.alert(one), icon=":material/warning:")
    if not alerts:
        st.success("All limits are kept.", icon=":material/check_circle:")


def _figures(whole: Traffic) -> None:
    latency = whole.latency
    with st.container(horizontal=True):
        for label, value, meaning in (
            ("Requests", f"{whole.num_requests:,}", f"{whole.requests_per_second:.3g} a second over the window."),
            ("p50", wording.latency(latency, "p50_ms"), "Half of the answers are quicker."),
            ("p95", wording.latency(latency, "p95_ms"), "95 of 100 answers are quicker."),
            ("p99", wording.latency(latency, "p99_ms"), "99 of 100 answers are quicker."),
            ("Failed", wording.share(whole.error_share, 2), "Status 500 and above, but for 503."),
            ("Refused", wording.share(whole.refused_share, 2), "Status 503, sent under overload."),
            ("Fallback", wording.share(whole.fallback_share), "Popular items, as nothing personal was known."),
            ("New users", wording.share(whole.cold_share), "Users that the model was not trained on."),
        ):
            st.metric(label, value, help=meaning, border=True, width=150)


def _over_time(view: View, by_hour: Mapping[int, Traffic]) -> None:
    hours = range(view.window.first_hour, view.window.last_hour + 1)
    times = [hour * SECONDS_PER_HOUR for hour in hours]
    st.subheader("Requests an hour")
    counts = [by_hour[hour].num_requests if hour in by_hour else 0 for hour in hours]
    st.altair_chart(charts.bars_over_time(times, counts, "requests"))
    st.subheader("How long answers take")
    latencies = [by_hour[hour].latency if hour in by_hour else None for hour in hours]
    quantiles = {
        "p50": [one.p50_ms if one else None for one in latencies],
        "p95": [one.p95_ms if one else None for one in latencies],
        "p99": [one.p99_ms if one else None for one in latencies],
    }
    st.altair_chart(charts.over_time(times, quantiles, "milliseconds"))
    if any(one.error_share or one.refused_share for one in by_hour.values()):
        st.subheader("Requests without an answer")
        shares = {
            "failed": [by_hour[hour].error_share if hour in by_hour else None for hour in hours],
            "refused": [by_hour[hour].refused_share if hour in by_hour else None for hour in hours],
        }
        st.altair_chart(charts.over_time(times, shares, "share of requests", ".1~%"))


def _groups(groups: Mapping[TrafficGroup, Mapping[str | int, Traffic]]) -> None:
    st.subheader("By part")
    for tab, (name, parts) in zip(st.tabs(list(_GROUP_TITLES.values())), groups.items(), strict=True):
        tab.dataframe(_table(_GROUP_TITLES[name], parts), hide_index=True)


def _table(title: str, parts: Mapping[str | int, Traffic]) -> pl.DataFrame:
    rows = [
        {
            title: wording.named(value),
            "Requests": f"{one.num_requests:,}",
            "p50": wording.latency(one.latency, "p50_ms"),
            "p95": wording.latency(one.latency, "p95_ms"),
            "p99": wording.latency(one.latency, "p99_ms"),
            "Failed": wording.share(one.error_share, 2),
            "Refused": wording.share(one.refused_share, 2),
            "Fallback": wording.share(one.fallback_share),
            "New users": wording.share(one.cold_share),
        }
        for value, one in sorted(parts.items(), key=lambda pair: -pair[1].num_requests)
    ]
    return pl.DataFrame(rows)


def _fallbacks(whole: Traffic) -> None:
    st.subheader("Why answers fell back on popular items")
    if whole.fallback_reasons:
        st.altair_chart(charts.bars(dict(list(whole.fallback_reasons.items())[:10]), "answers"))
    else:
        st.caption("No answer did.")


def _shown(view: View) -> None:
    st.subheader("What is shown")
    found, titles = _read_exposure(view)
    if not found.num_items:
        st.caption("No answer showed an item.")
        return
    of_sample = " in an even sample of the answers" if found.is_sample else ""
    with st.container(horizontal=True):
        for label, value, meaning in (
            ("Different items", f"{found.num_items:,}", f"Shown at least once{of_sample}."),
            ("Of the catalogue", wording.share(found.coverage), "Share of the live bundle's items that was shown."),
            ("Gini", f"{found.gini:.2f}", "0: all that is shown is shown alike. Near 1: few items take all."),
            ("Top tenth takes", wording.share(found.top_tenth_share, 0), "What the most shown tenth of them takes."),
        ):
            st.metric(label, value, help=meaning, border=True, width=150)
    left, right = st.columns(2)
    left.markdown("**Shown most**")
    left.altair_chart(charts.bars(_titled(found.top_shown, titles), "share of slots", ".1~%"))
    right.markdown("**Clicked most**")
    if found.top_clicked:
        right.altair_chart(charts.bars(_titled(found.top_clicked, titles), "share of clicks", ".1~%"))
    else:
        right.caption("Nothing was clicked.")


def _titled(items: tuple[ItemShare, ...], titles: Mapping[str, str]) -> dict[str, float]:
    return {titles.get(one.item_id, one.item_id): one.share for one in items}
