"""The leaderboard chart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from mmeval.reports.figures import GRID, INK, MUTED, PALETTE, PAPER, SHAPES, Figure, cycle
from mmeval.reports.format import is_share, shortened, value_text, visible_text

ROW = 20
"""Pixels per chart row."""
PANEL = 320
"""Pixels of the axis."""
LABEL_LIMIT = 230
"""Pixels that a label may take before it is cut."""
CHARACTERS = 32
"""Characters that a label may take before its middle is left out."""


@dataclass(frozen=True, slots=True)
class Dot:
    """One estimate of the chart, in the metric's own unit."""

    task: str
    model: str
    metric: str
    value: float
    low: float | None
    high: float | None
    chance: float | None
    note: str = ""
    """Shown after the value, e.g. the coverage when it is not complete."""


def dot_chart(name: str, dots: Sequence[Dot], models: Sequence[str], description: str, extent: int) -> Figure:
    """Draw dot, interval and chance tick of every model below the name of its task.

    Args:
        name: of the figure, unique within the report.
        dots: estimates of one unit (all shares, or all one other metric), grouped by task.
        models: every model of the report in order, so that a model looks the same in all charts.
        description: what the figure shows, for readers who cannot see it.
        extent: pixels left of the axis, from `label_extent`, so that the axes of several charts line up.
    """
    import altair as alt

    scale = 100.0 if is_share(dots[0].metric) else 1.0
    values, order = _rows(dots, models, scale)
    data = alt.InlineData(values=values)
    used = [
        value for row in values for key in ("value", "low", "high", "chance") if (value := row.get(key)) is not None
    ]
    domain = [0.0, 100.0] if scale == 100.0 else [min(0.0, *used), max(used) or 1.0]
    x_value, x_low, x_chance = (
        alt.X(
            f"{name}:Q",
            title=None,
            scale=alt.Scale(domain=domain, nice=False, zero=False),
            axis=alt.Axis(tickCount=5, labelFlush=False),
        )
        for name in ("value", "low", "chance")
    )
    y = alt.Y(
        "row:N",
        title=None,
        scale=alt.Scale(domain=order),
        axis=alt.Axis(
            labelExpr="slice(datum.label, 6)",
            labelLimit=LABEL_LIMIT,
            minExtent=extent,
            maxExtent=extent,
            labelFontWeight={"condition": {"test": "slice(datum.label, 0, 1) === 't'", "value": 600}, "value": 400},
            labelColor={"condition": {"test": "slice(datum.label, 0, 1) === 't'", "value": INK}, "value": MUTED},
        ),
    )
    color = alt.Color("model:N", scale=alt.Scale(domain=list(models), range=cycle(PALETTE, len(models))), legend=None)
    shape = alt.Shape("model:N", scale=alt.Scale(domain=list(models), range=cycle(SHAPES, len(models))), legend=None)
    marks = alt.Chart().transform_filter("isValid(datum.value)")
    layers = [
        alt.Chart().transform_filter("isValid(datum.chance)").mark_tick(
            color=MUTED, opacity=1, thickness=2, size=ROW * 0.7, orient="vertical"
        ).encode(x=x_chance, y=y),
        alt.Chart().transform_filter("isValid(datum.low)").mark_rule(strokeWidth=2).encode(x=x_low, x2="high:Q", y=y, color=color),
        marks.mark_point(filled=True, size=62, opacity=1, stroke=PAPER, strokeWidth=1).encode(x=x_value, y=y, color=color, shape=shape),
        marks.mark_text(align="left", fontSize=11, color=INK).encode(x=alt.value(PANEL + 8), y=y, text="label:N"),
    ]  # fmt: skip
    chart = (
        alt.layer(*layers, data=data)
        .properties(width=PANEL, height=ROW * len(order), background="transparent", padding=2)
        .configure_view(stroke=None)
        .configure_axis(
            domain=False,
            ticks=False,
            gridColor=GRID,
            labelColor=MUTED,
            labelFontSize=12,
            labelPadding=6,
            labelFont="sans-serif",
        )
    )
    return Figure(name, description, chart.to_json())


def _rows(dots: Sequence[Dot], models: Sequence[str], scale: float) -> tuple[list[dict[str, Any]], list[str]]:
    """Chart rows and their order. A row's key is a kind letter, five digits and the label, so that labels may repeat."""
    values: list[dict[str, Any]] = []
    order: list[str] = []
    task = None
    single = len(models) == 1
    for dot in dots:
        if dot.task != task and not single:
            order.append(f"t{len(order):05d}{shortened(visible_text(dot.task), CHARACTERS)}")
            values.append({"row": order[-1]})
        task = dot.task
        order.append(f"m{len(order):05d}{shortened(visible_text(dot.task if single else dot.model), CHARACTERS)}")
        row = {"row": order[-1], "model": dot.model, "label": f"{value_text(dot.value, dot.metric)}{dot.note}"}
        numbers = {"value": dot.value, "low": dot.low, "high": dot.high, "chance": dot.chance}
        values.append(
            row | {key: None if number is None else round(number * scale, 6) for key, number in numbers.items()}
        )
    return values, order


def label_extent(labels: Iterable[str]) -> int:
    """Pixels to reserve for labels: by length, because the reader's fonts are not the ones of the build machine."""
    return min(LABEL_LIMIT, 12 + round(7.4 * max(map(len, labels), default=0)))
