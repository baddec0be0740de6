"""Heat maps of models by subsets: values, and paired differences from the baseline."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from mmeval.analysis.comparison import Comparison, ComparisonReport
from mmeval.metrics import get_metric
from mmeval.reports.charts import CHARACTERS, label_extent
from mmeval.reports.figures import GRID, INK, MUTED, PALETTE, PAPER, Figure
from mmeval.reports.format import count, is_share, plural, shortened, visible_text
from mmeval.reports.names import task_label
from mmeval.reports.sheets import change
from mmeval.reports.tables import STANDARD, Cell, Group, SubsetTable, Tables

MODELS = 20
"""Columns of one map; further models stand in the table."""
LABELS = 40
"""Rows of one map; a subset column with more labels has none."""
MAPS = 40
"""Maps of one report."""
SMALL = 30
"""Items below which a tile is hatched."""
WIDTH, HEIGHT = 74, 24
"""Pixels of a tile."""
NAME_LIMIT = 24
"""Characters that the name of a column may take before its middle is left out."""
BETTER, WORSE = PALETTE[0], PALETTE[1]
_HATCH = " ".join(f"M{x:g},1 L{x + 2:g},-1" for x in (-3.0, -2.0, -1.0, 0.0, 1.0))


@dataclass(frozen=True, slots=True)
class Tile:
    """One rectangle of a map."""

    row: int
    column: int
    text: str
    fill: str = PAPER
    strength: float = 0.0
    """Opacity of the fill, in [0, 1]."""
    small: bool = False
    """Hatched: fewer than `SMALL` items."""
    firm: bool = False
    """Bold text."""


@dataclass(frozen=True, slots=True)
class HeatMaps:
    """The maps of one task."""

    captions: tuple[str, ...] = ()
    figures: tuple[Figure, ...] = ()
    """As many: the values of each subset column, and where models are compared the differences after them."""
    notes: tuple[str, ...] = ()
    """What has no map, and why."""

    @property
    def drawn(self) -> list[tuple[str, Figure]]:
        """Captions with their figures."""
        return list(zip(self.captions, self.figures, strict=True))


def heat_maps(tables: Tables, found: ComparisonReport | None) -> dict[str, HeatMaps]:
    """Draw, for every task with subsets and two models or more, its values and its differences from the baseline.

    Args:
        tables: the leaderboard of the report.
        found: what is compared; its subsets are the ones that differences are drawn of.

    Returns:
        maps by the label of the task.
    """
    maps: dict[str, HeatMaps] = {}
    left = MAPS
    for table in tables.subsets:
        made = _task_maps(table, [] if found is None else _parts(found, table.label), left)
        left -= len(made.figures)
        if made.figures or made.notes:
            maps[table.label] = made
    return maps


def _parts(found: ComparisonReport, label: str) -> list[Comparison]:
    return [one for one in found.comparisons if one.subset is not None and task_label(one.task, one.protocol) == label]


def _task_maps(table: SubsetTable, parts: Sequence[Comparison], left: int) -> HeatMaps:
    places = [
        place for place, cell in enumerate(table.whole.cells) if cell is not None and cell.row.condition == STANDARD
    ]
    if len(places) < 2:
        return HeatMaps()
    captions: list[str] = []
    figures: list[Figure] = []
    notes: list[str] = []
    if len(places) > MODELS:
        notes.append(f"The maps show the first {MODELS} of {plural(len(places), 'model')}; the table has all of them.")
    for group in table.groups:
        if len(group.rows) > LABELS:
            notes.append(
                f"No map by {group.name}: it has {count(len(group.rows))} labels, and a map shows up to {LABELS}."
            )
            continue
        own = [one for one in parts if one.subset is not None and one.subset[0] == group.name]
        if left < 1 + bool(own):
            notes.append(f"No map by {group.name}: a report draws up to {MAPS} maps.")
            continue
        captions.append(f"{group.name}: values")
        figures.append(_value_map(table, group, places[:MODELS]))
        if own:
            captions.append(
                f"{group.name}: differences from {own[0].base_name}{', points' if is_share(table.metric) else ''}"
            )
            figures.append(_difference_map(table, group, own))
        left -= 1 + bool(own)
    return HeatMaps(tuple(captions), tuple(figures), tuple(notes))


def _value_map(table: SubsetTable, group: Group, places: Sequence[int]) -> Figure:
    cells = {
        (row, column): cell
        for row, line in enumerate(group.rows)
        for column, place in enumerate(places)
        if (cell := line.cells[place]) is not None
    }
    known = [cell.row.estimate.value for cell in cells.values() if cell.row.estimate.value is not None]
    low, high = min(known, default=0.0), max(known, default=1.0)
    tiles = []
    for (row, column), cell in cells.items():
        value = cell.row.estimate.value
        if value is None:
            tiles.append(Tile(row, column, "–"))
            continue
        part = (value - low) / (high - low) if high > low else 0.5
        tiles.append(Tile(row, column, cell.value, BETTER, 0.04 + 0.5 * part, cell.row.estimate.n < SMALL))
    names = [cell.column.model for place in places if (cell := table.whole.cells[place]) is not None]
    sizes = [_sizes(line.cells[place] for place in places) for line in group.rows]
    what = f"{table.label} by {group.name}: {table.metric} of {plural(len(names), 'model')}; the table has the numbers"
    return heat_map(f"map-{table.label}-{group.name}", _rows(group, sizes), names, tiles, what)


def _difference_map(table: SubsetTable, group: Group, parts: Sequence[Comparison]) -> Figure:
    models = list(dict.fromkeys(one.candidate_name for one in parts))
    labels = {line.label: row for row, line in enumerate(group.rows)}
    found = {(labels[one.subset[1]], models.index(one.candidate_name)): one for one in parts if one.subset is not None}
    reach = max((abs(one.delta) for one in parts), default=0.0) or 1.0
    tiles = [
        _difference(row, column, found.get((row, column)), reach)
        for row in range(len(labels))
        for column in range(len(models))
    ]
    sizes = [{one.n for (row, _), one in found.items() if row == place} for place in range(len(labels))]
    base = parts[0].base_name
    what = f"{table.label} by {group.name}: differences from {base} of {plural(len(models), 'model')}; the tables have the numbers"
    return heat_map(f"map-differences-{table.label}-{group.name}", _rows(group, sizes), models, tiles, what)


def _difference(row: int, column: int, one: Comparison | None, reach: float) -> Tile:
    if one is None:
        return Tile(row, column, "–")
    sign = "" if not one.significant else "↑ " if one.delta > 0 else "↓ "
    text = sign + change(one.delta, share=is_share(one.metric)).text
    within = one.interval is None or one.interval.low <= 0 <= one.interval.high
    if within:
        return Tile(row, column, text, GRID, 0.45, one.n < SMALL)
    better = (one.delta > 0) == (get_metric(one.metric).better == "higher")
    fill = BETTER if better else WORSE
    return Tile(row, column, text, fill, 0.15 + 0.4 * abs(one.delta) / reach, one.n < SMALL, firm=True)


def _sizes(cells: Iterable[Cell | None]) -> set[int]:
    return {cell.row.estimate.n for cell in cells if cell is not None}


def _rows(group: Group, sizes: Sequence[set[int]]) -> list[tuple[str, str]]:
    """Labels with their numbers of items; a range where models have different ones."""
    found = []
    for line, size in zip(group.rows, sizes, strict=True):
        ends = sorted({min(size), max(size)}) if size else []
        found.append((line.label, "–".join(map(count, ends))))
    return found


def heat_map(
    name: str, rows: Sequence[tuple[str, str]], columns: Sequence[str], tiles: Sequence[Tile], description: str
) -> Figure:
    """Draw tiles with their text.

    Args:
        name: of the figure, unique within the report.
        rows: label and number of items of each row.
        columns: names of the columns.
        tiles: at most one for each place.
        description: what the figure shows, for readers who cannot see it.
    """
    import altair as alt

    row_keys = [f"{place:05d}{shortened(visible_text(label), CHARACTERS)}" for place, (label, _) in enumerate(rows)]
    column_keys = [
        "00000n",
        *(f"{place:05d}{shortened(visible_text(label), NAME_LIMIT)}" for place, label in enumerate(columns, 1)),
    ]
    values: list[dict[str, Any]] = [
        {"row": row_keys[one.row], "column": column_keys[one.column + 1], "text": one.text, "fill": one.fill,
         "strength": round(one.strength, 3), "small": one.small, "firm": one.firm}
        for one in tiles
    ]  # fmt: skip
    sizes = [
        {"row": key, "column": column_keys[0], "text": size} for key, (_, size) in zip(row_keys, rows, strict=True)
    ]
    slanted = any(len(label) > WIDTH // 7 for label in columns)
    extent = label_extent(label for label, _ in rows)
    shown = "slice(datum.label, 5)"
    x = alt.X("column:N", title=None, scale=alt.Scale(domain=column_keys, paddingInner=0.03, paddingOuter=0), axis=alt.Axis(
        orient="top", labelExpr=shown, labelAngle=-28 if slanted else 0, labelAlign="left" if slanted else "center", labelLimit=8 * NAME_LIMIT, grid=False,
    ))  # fmt: skip
    y = alt.Y("row:N", title=None, scale=alt.Scale(domain=row_keys, paddingInner=0.06, paddingOuter=0), axis=alt.Axis(
        labelExpr=shown, minExtent=extent, maxExtent=extent, labelLimit=extent, grid=False,
    ))  # fmt: skip
    data = alt.Chart(alt.InlineData(values=values))
    layers = [
        data.mark_rect().encode(
            x=x, y=y, fill=alt.Fill("fill:N", scale=None, legend=None), fillOpacity=alt.FillOpacity("strength:Q", scale=None, legend=None)
        ),
        data.transform_filter("datum.small").mark_point(shape=_HATCH, size=HEIGHT**2, filled=False, stroke=MUTED, strokeWidth=1, opacity=0.45).encode(x=x, y=y),
        data.transform_filter("!datum.firm").mark_text(fontSize=12, color=INK).encode(x=x, y=y, text="text:N"),
        data.transform_filter("datum.firm").mark_text(fontSize=12, color=INK, fontWeight=700).encode(x=x, y=y, text="text:N"),
        alt.Chart(alt.InlineData(values=sizes)).mark_text(fontSize=12, color=MUTED).encode(x=x, y=y, text="text:N"),
    ]  # fmt: skip
    chart = (
        alt.layer(*layers)
        .properties(width=WIDTH * len(column_keys), height=HEIGHT * len(rows), background="transparent", padding=4)
        .configure_view(stroke=None)
        .configure_axis(
            domain=False, ticks=False, labelColor=INK, labelFontSize=12, labelPadding=6, labelFont="sans-serif"
        )
    )
    return Figure(name, description, chart.to_json())
