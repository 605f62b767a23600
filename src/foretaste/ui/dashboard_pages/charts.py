"""The charts of the dashboard: series over time, bars, and means with their intervals."""

from collections.abc import Mapping, Sequence

import altair as alt
import polars as pl

from foretaste.evaluation.significance import Estimate

ACCENT = "#0f766e"
_SERIES = ("#0f766e", "#0b62c4", "#b3500b", "#8b3fb8")
_HEIGHT = 220
_ROW_HEIGHT = 26
_AXIS_HEIGHT = 75
_LABEL_WIDTH = 150


def over_time(
    timestamps: Sequence[int], series: Mapping[str, Sequence[float | None]], unit: str, value_format: str = ",.3~g"
) -> alt.Chart:
    """Lines over the hours, one for each of the series.

    Args:
        timestamps: UTC seconds.
        series: name → a value for each timestamp; None leaves a gap.
        unit: title of the vertical axis.
        value_format: of d3.
    """
    frame = _hours(timestamps).with_columns(pl.Series(name, values, pl.Float64) for name, values in series.items())
    long = frame.unpivot(index="time", variable_name="series", value_name="value")
    names = list(series)
    colour = alt.Color("series:N", scale=alt.Scale(domain=names, range=list(_SERIES[: len(names)])), title=None)
    chart: alt.Chart = (
        alt.Chart(long, height=_HEIGHT + 40)
        .mark_line(point=len(timestamps) < 50)
        .encode(
            x=_time_axis(),
            y=alt.Y("value:Q", title=unit, axis=alt.Axis(format=value_format)),
            color=colour.legend(orient="top") if len(names) > 1 else alt.value(ACCENT),
            tooltip=[_time_tip(), alt.Tooltip("series:N", title="figure"), _value_tip("value", unit, value_format)],
        )
    )
    return chart


def bars_over_time(timestamps: Sequence[int], values: Sequence[float], unit: str) -> alt.Chart:
    """A bar an hour."""
    frame = _hours(timestamps).with_columns(pl.Series("value", values, pl.Float64))
    chart: alt.Chart = (
        alt.Chart(frame, height=_HEIGHT)
        .mark_bar(color=ACCENT)
        .encode(
            x=_time_axis(),
            y=alt.Y("value:Q", title=unit, axis=alt.Axis(format="~s")),
            tooltip=[_time_tip(), _value_tip("value", unit, ",.0f")],
        )
    )
    return chart


def bars(values: Mapping[str, float], unit: str, value_format: str = ",.0f") -> alt.Chart:
    """A bar for each name, in the order given."""
    frame = pl.DataFrame({"name": list(values), "value": [float(value) for value in values.values()]})
    chart: alt.Chart = (
        alt.Chart(frame, height=_rows(len(values)))
        .mark_bar(color=ACCENT)
        .encode(
            x=alt.X("value:Q", title=unit, axis=alt.Axis(format=value_format, tickCount=4)),
            y=_name_axis(list(values)),
            tooltip=[alt.Tooltip("name:N", title="name"), _value_tip("value", unit, value_format)],
        )
    )
    return chart


def intervals(
    estimates: Mapping[str, Estimate], unit: str, value_format: str = ".2~%", zero_line: bool = False
) -> alt.LayerChart | alt.FacetChart:
    """A point for each mean, on the line of its 95 % interval."""
    frame = pl.DataFrame(
        {
            "name": list(estimates),
            "mean": [one.mean for one in estimates.values()],
            "low": [one.low for one in estimates.values()],
            "high": [one.high for one in estimates.values()],
        },
        schema_overrides={"mean": pl.Float64, "low": pl.Float64, "high": pl.Float64},
    )
    names = _name_axis(list(estimates))
    tips = [alt.Tooltip("name:N", title="name")]
    tips += [_value_tip(name, name, value_format) for name in ("mean", "low", "high")]
    base = alt.Chart(frame)
    across = alt.X(
        "low:Q", title=unit, axis=alt.Axis(format=value_format, tickCount=4), scale=alt.Scale(zero=zero_line)
    )
    layers = [
        base.mark_rule(color=ACCENT, strokeWidth=3, opacity=0.5).encode(x=across, x2="high:Q", y=names, tooltip=tips),
        base.mark_point(color=ACCENT, filled=True, size=90, opacity=1).encode(x="mean:Q", y=names, tooltip=tips),
    ]
    if zero_line:
        layers.append(alt.Chart(pl.DataFrame({"zero": [0.0]})).mark_rule(strokeDash=[4, 4]).encode(x="zero:Q"))
    return alt.layer(*layers).properties(height=_rows(len(estimates)))


def _rows(count: int) -> int:
    """Height of a chart with so many names."""
    return _ROW_HEIGHT * max(count, 1) + _AXIS_HEIGHT


def _hours(timestamps: Sequence[int]) -> pl.DataFrame:
    return pl.DataFrame({"time": (pl.Series(timestamps, dtype=pl.Int64) * 1000).cast(pl.Datetime("ms", "UTC"))})


def _time_axis() -> alt.X:
    return alt.X("time:T", title=None, scale=alt.Scale(type="utc"), axis=alt.Axis(labelOverlap=True, tickCount=6))


def _time_tip() -> alt.Tooltip:
    return alt.Tooltip("utcyearmonthdatehours(time):T", title="hour from (UTC)", format="%Y-%m-%d %H:%M")


def _value_tip(column: str, title: str, value_format: str) -> alt.Tooltip:
    return alt.Tooltip(f"{column}:Q", title=title, format=value_format)


def _name_axis(names: list[str]) -> alt.Y:
    return alt.Y("name:N", title=None, sort=names, axis=alt.Axis(labelLimit=_LABEL_WIDTH))
