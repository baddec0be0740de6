"""Curves with intervals (masking, repeats, checkpoints) and forest plots of paired differences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mmeval.reports.charts import LABEL_LIMIT, PANEL, ROW, label_extent
from mmeval.reports.figures import GRID, INK, MUTED, PALETTE, PAPER, SHAPES, Figure
from mmeval.reports.format import visible_text

HEIGHT = 200
"""Pixels of a curve's panel."""
APART = 3
"""Pixels between the intervals of two series at the same place."""
DASHES = ((1, 0), (5, 3))
SERIES_LIMIT = 12
"""Lines of one chart; more of them could not be told apart."""


@dataclass(frozen=True, slots=True)
class Point:
    """One estimate of a series, in the unit of the chart."""

    x: float | str
    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Series:
    """One line."""

    label: str
    color: int
    """Place in the palette; the shape of the points goes with it."""
    points: tuple[Point, ...]
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Axes:
    """What the axes say."""

    x: str
    y: str
    share: bool = True
    """Whether values run from 0 to 100."""
    level: float | None = None
    """Chance level: a dashed line."""
    log: bool = False
    """Powers of two along x."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One row of a forest plot, in the unit of the chart."""

    label: str
    value: float
    low: float | None
    high: float | None
    text: str
    """Shown on the right."""
    color: int = 0
    firm: bool = False
    """Whether the difference is significant: a filled mark instead of a hollow one."""
    heading: str = ""
    """Of the rows that follow; a row of its own where it changes."""


def series_chart(name: str, series: Sequence[Series], axes: Axes, description: str) -> Figure:
    """Draw lines with the interval of every point.

    Args:
        name: of the figure, unique within the report.
        series: with at least one point each; those beyond `SERIES_LIMIT` are left out, and the chart says so.
        axes: titles, scale and chance level.
        description: what the figure shows, for readers who cannot see it.
    """
    import altair as alt

    total, series = len(series), series[:SERIES_LIMIT]
    along = axes.x if total == len(series) else f"{axes.x} (the first {len(series)} of {total} lines)"
    ordered = [point.x for point in series[0].points]
    nominal = isinstance(ordered[0], str)
    ticks = None if nominal else sorted({float(point.x) for one in series for point in one.points})
    x_axis = alt.Axis(values=ticks, grid=False, labelAngle=0, labelLimit=90) if ticks else alt.Axis(grid=False, labelAngle=-30, labelLimit=110)  # fmt: skip
    scale = alt.Scale(type="log", base=2, padding=8) if axes.log else alt.Scale(padding=8, nice=False, zero=False)
    x = (
        alt.X("x:N", title=visible_text(along), sort=[visible_text(str(one)) for one in ordered], axis=x_axis, scale=alt.Scale(padding=0.5, type="point"))
        if nominal
        else alt.X("x:Q", title=along, axis=x_axis, scale=scale)
    )  # fmt: skip
    domain = {"domain": [0, 100]} if axes.share else {"zero": False}
    y, low = (
        alt.Y(f"{field}:Q", title=axes.y, scale=alt.Scale(**domain), axis=alt.Axis(tickCount=5))
        for field in ("value", "low")
    )
    names = [visible_text(one.label) for one in series]
    colors = alt.Scale(domain=names, range=[PALETTE[one.color % len(PALETTE)] for one in series])
    shapes = alt.Scale(domain=names, range=[SHAPES[one.color % len(SHAPES)] for one in series])
    legend = None if len(series) < 2 else alt.Legend(orient="top", title=None, labelLimit=LABEL_LIMIT, columns=2, columnPadding=28, symbolStrokeWidth=0, symbolOpacity=1)  # fmt: skip
    layers = []
    if axes.level is not None:
        level = alt.Chart(alt.InlineData(values=[{"value": axes.level}]))
        layers.append(level.mark_rule(color=MUTED, strokeDash=[3, 3]).encode(y=y))
    for number, one in enumerate(series):
        offset = APART * (number - (len(series) - 1) / 2) if len(series) > 1 else 0.0
        rows = [
            {"series": names[number], "x": visible_text(str(point.x)) if nominal else point.x, "value": point.value, "low": point.low, "high": point.high}
            for point in one.points
        ]  # fmt: skip
        color = PALETTE[one.color % len(PALETTE)]
        base = alt.Chart(alt.InlineData(values=rows))
        layers += [
            base.mark_line(color=color, strokeWidth=2, strokeDash=list(DASHES[one.dashed]), xOffset=offset).encode(x=x, y=y),
            base.transform_filter("isValid(datum.low)").mark_rule(color=color, strokeWidth=1.5, xOffset=offset).encode(x=x, y=low, y2="high:Q"),
            base.mark_point(filled=True, size=54, opacity=1, stroke=PAPER, strokeWidth=1, xOffset=offset).encode(
                x=x, y=y, color=alt.Color("series:N", scale=colors, legend=legend), shape=alt.Shape("series:N", scale=shapes, legend=legend)
            ),
        ]  # fmt: skip
    chart = alt.layer(*layers).properties(width=PANEL + 40, height=HEIGHT, background="transparent", padding=4)
    return Figure(name, description, _styled(chart).to_json())


def forest_chart(name: str, bars: Sequence[Bar], unit: str, description: str, margin: float | None = None) -> Figure:
    """Draw differences with their intervals around zero.

    Args:
        name: of the figure, unique within the report.
        bars: from top to bottom.
        unit: of the axis.
        description: what the figure shows, for readers who cannot see it.
        margin: half the width of the band in which differences do not matter.
    """
    import altair as alt

    values: list[dict[str, Any]] = []
    order: list[str] = []
    heading = ""
    for bar in bars:
        if bar.heading != heading:
            order.append(f"t{len(order):05d}{visible_text(bar.heading)}")
            values.append({"row": order[-1]})
        heading = bar.heading
        order.append(f"m{len(order):05d}{visible_text(bar.label)}")
        values.append(
            {
                "row": order[-1], "value": bar.value, "low": bar.low, "high": bar.high, "text": bar.text, "color": PALETTE[bar.color % len(PALETTE)],
                "fill": PALETTE[bar.color % len(PALETTE)] if bar.firm else PAPER,
            }
        )  # fmt: skip
    reach = 1.05 * max(
        [abs(end) for bar in bars for end in (bar.value, bar.low, bar.high) if end is not None] + [margin or 0.0, 1e-9]
    )
    extent = label_extent(name for bar in bars for name in (bar.label, bar.heading))
    scale = alt.Scale(domain=[-reach, reach], nice=False)
    y = alt.Y("row:N", title=None, scale=alt.Scale(domain=order), axis=alt.Axis(
        labelExpr="slice(datum.label, 6)", labelLimit=LABEL_LIMIT, minExtent=extent, maxExtent=extent, grid=False,
        labelFontWeight={"condition": {"test": "slice(datum.label, 0, 1) === 't'", "value": 600}, "value": 400},
    ))  # fmt: skip
    axis = alt.Axis(tickCount=5, labelExpr="(datum.value > 0 ? '+' : '') + datum.label")
    x, low = (alt.X(f"{field}:Q", title=unit, scale=scale, axis=axis) for field in ("value", "low"))
    known = alt.Chart(alt.InlineData(values=values)).transform_filter("isValid(datum.value)")
    zero = alt.Chart(alt.InlineData(values=[{"value": 0}]))
    layers = []
    if margin is not None:
        band = alt.Chart(alt.InlineData(values=[{"low": -margin, "high": margin}]))
        layers.append(band.mark_rect(color=GRID, opacity=0.4).encode(x=low, x2="high:Q"))
    color = alt.Color("color:N", scale=None, legend=None)
    layers += [
        alt.Chart(alt.InlineData(values=values)).mark_text(text="").encode(y=y),
        zero.mark_rule(color=MUTED).encode(x=x),
        known.transform_filter("isValid(datum.low)").mark_rule(strokeWidth=2).encode(x=low, x2="high:Q", y=y, color=color),
        known.mark_point(filled=True, shape="diamond", size=90, opacity=1, strokeWidth=2).encode(
            x=x, y=y, fill=alt.Fill("fill:N", scale=None, legend=None), stroke=alt.Stroke("color:N", scale=None, legend=None)
        ),
        known.mark_text(align="left", fontSize=11, color=INK).encode(x=alt.value(PANEL + 8), y=y, text="text:N"),
    ]  # fmt: skip
    chart = alt.layer(*layers).properties(width=PANEL, height=ROW * len(order), background="transparent", padding=2)
    return Figure(name, description, _styled(chart).to_json())


def _styled(chart: Any) -> Any:
    return (
        chart.configure_view(stroke=None)
        .configure_axis(
            domain=False, ticks=False, gridColor=GRID, labelColor=MUTED, labelFontSize=12, labelPadding=6, labelFont="sans-serif",
            titleColor=MUTED, titleFont="sans-serif", titleFontSize=12, titleFontWeight=400,
        )
        .configure_legend(labelColor=INK, labelFont="sans-serif", labelFontSize=12)
    )  # fmt: skip
