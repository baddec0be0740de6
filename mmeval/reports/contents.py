"""Everything that a report computes, before it becomes a page or an export."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mmeval.reports.charts import dot_chart, label_extent
from mmeval.reports.comparison import MARGIN, ComparisonSection, Places, build_comparison
from mmeval.reports.drawing import require_docstrings
from mmeval.reports.figures import Figure
from mmeval.reports.format import plural
from mmeval.reports.gate_record import ShownGate
from mmeval.reports.gate_section import GateSection, build_gate, gate_sides
from mmeval.reports.heatmaps import HeatMaps, heat_maps
from mmeval.reports.marks import mark_differences
from mmeval.reports.measures import Measures, build_measures, column_name
from mmeval.reports.methods import build_methods
from mmeval.reports.methods_text import Methods
from mmeval.reports.names import RunNames, task_label
from mmeval.reports.perception import Perception, build_perception
from mmeval.reports.published import PublishedRow, published_rows, published_sheet
from mmeval.reports.sheets import NOTHING, Entry, Sheet, words
from mmeval.reports.tables import Cell, SuiteRow, Tables, TaskRow, build_tables


@dataclass(frozen=True, slots=True)
class Contents:
    """Tables and charts of one report."""

    title: str
    places: Places
    tables: Tables
    charts: dict[str, list[Figure]]
    """Of the leaderboard, by family."""
    measures: Measures
    published: dict[str, PublishedRow]
    """Below the tasks of the leaderboard, by their labels."""
    maps: dict[str, HeatMaps]
    """Of subsets, by the label of the task."""
    comparison: ComparisonSection
    perception: Perception
    gate: GateSection
    methods: Methods

    @property
    def sheets(self) -> list[Sheet]:
        """All tables in the order of the page."""
        found = [*self.gate.sheets, *_leaderboard(self), *_subsets(self.tables)]
        return [*found, *self.comparison.sheets, *self.comparison.subsets, *self.perception.sheets]

    @property
    def figures(self) -> list[Figure]:
        """All charts in the order of the page."""
        own = [figure for figures in self.charts.values() for figure in figures]
        own += [figure for maps in self.maps.values() for figure in maps.figures]
        compared = (*self.comparison.figures, *self.comparison.subset_figures, *self.comparison.curves)
        return [*own, *compared, *self.perception.figures]


def read_contents(
    names: Sequence[RunNames],
    baseline: str | None = None,
    margin: float = MARGIN,
    gate: ShownGate | None = None,
) -> Contents:
    """Compute everything but the samples.

    Args:
        names: the runs of the report.
        baseline: label of the model that the others are set against; when None that of the gate, or the first one.
        margin: half the width of the band of forest plots, as a share of 1.
        gate: verdicts to show with it.

    Raises:
        ComparisonError: a gate of other runs.
        DataError: when a run folder is damaged.
        UsageError: when Python strips docstrings.
    """
    require_docstrings()
    judged = ("", "") if gate is None else gate.sides or gate_sides(gate.record, names)
    baseline = baseline or judged[0] or None
    tables = build_tables(names)
    places = _places(names)
    comparison = build_comparison(names, tables, places, baseline, margin)
    perception = build_perception(names, baseline)
    shown = build_gate(gate.record if gate else None, judged, names, places)
    mark_differences(tables, comparison.found)
    return Contents(
        " + ".join(entry.label for entry in names),
        places,
        tables,
        _charts(tables),
        build_measures(tables.families),
        published_rows(names),
        heat_maps(tables, comparison.found),
        comparison,
        perception,
        shown,
        build_methods(names, tables, comparison, perception, shown),
    )


def _places(names: Sequence[RunNames]) -> Places:
    models = [label for entry in names for label in entry.models.values()]
    tasks = dict.fromkeys(task_label(task.name, task.protocol) for entry in names for task in entry.run.manifest.tasks)
    conditions = list(dict.fromkeys(name for entry in names for name in entry.run.manifest.conditions))
    standard = conditions.index("standard") if "standard" in conditions else 0
    return Places({model: place for place, model in enumerate(models)}, list(tasks), standard)


def _charts(tables: Tables) -> dict[str, list[Figure]]:
    models = list(dict.fromkeys((*(column.model for column in tables.columns), *map(column_name, tables.columns))))
    dots = [dot for units in tables.dots.values() for unit in units for dot in unit]
    extent = label_extent(name for dot in dots for name in (dot.task, dot.model))
    return {
        family: [
            dot_chart(
                f"leaderboard-{family}-{number}",
                unit,
                models,
                f"{family}: value, interval and chance level of {plural(len(unit), 'estimate')}; the table has the numbers",
                extent,
            )
            for number, unit in enumerate(units, 1)
            if unit
        ]
        for family, units in tables.dots.items()
    }


def _leaderboard(contents: Contents) -> Iterator[Sheet]:
    tables = contents.tables
    rows = [row for family in tables.families for row in family.rows]
    if not rows:
        return
    models = [column_name(column) for column in tables.columns]
    matrix = tuple(
        (words(row.label), words(_metric(row)), *map(_estimate, row.cells), Entry(row.chance, row.chance_level))
        for row in rows
    )
    yield Sheet("matrix", "Models by tasks: value and interval", ("Task", "Metric", *models, "Chance"), matrix, 2)
    yield from contents.measures.sheets()
    if (published := published_sheet(contents.published)) is not None:
        yield published
    if tables.suites:
        means = tuple(
            (
                words(suite.label),
                *(_mean(suite, place) for place in range(len(suite.cells))),
            )
            for suite in tables.suites
        )
        yield Sheet("suites", "Means of suites, unweighted over tasks", ("Suite", *models), means)


def _mean(suite: SuiteRow, place: int) -> Entry:
    cell, mean = suite.cells[place], suite.means.get(place)
    if cell is None or mean is None:
        return NOTHING
    if mean.interval is None:
        return Entry(cell[0], mean.value)
    return Entry(f"{cell[0]} [{cell[1]}]", mean.value, mean.interval.low, mean.interval.high)


def _subsets(tables: Tables) -> Iterator[Sheet]:
    models = [column_name(column) for column in tables.columns]
    for table in tables.subsets:
        parts = [("", table.whole), *((group.name, row) for group in table.groups for row in group.rows)]
        asides = _asides([cell for _, row in parts for cell in row.present])
        head = ("Subset", *(name for model in models for name in (model, *(f"{model}: {aside}" for aside in asides))))
        rows = tuple(
            (
                words(f"{name}: {row.label}" if name else "all samples"),
                *(entry for cell in row.cells for entry in (_estimate(cell), *_aside_entries(cell, asides))),
            )
            for name, row in parts
        )
        yield Sheet(
            f"subset-values-{table.label}",
            f"{table.label} by subset: value, interval and number of samples",
            head,
            rows,
        )


def _asides(cells: Sequence[Cell]) -> list[str]:
    """What the page says beside the values of a table: n, and the rest where any cell has it."""
    return [
        "n",
        *(["clusters"] if any(cell.clusters for cell in cells) else []),
        *([] if all(cell.complete for cell in cells) else ["coverage"]),
        *(["left to chance"] if any(cell.row.guesses for cell in cells) else []),
    ]


def _aside_entries(cell: Cell | None, asides: Sequence[str]) -> list[Entry]:
    if cell is None:
        return [NOTHING] * len(asides)
    estimate, guesses = cell.row.estimate, cell.row.guesses
    entries = {
        "n": Entry(cell.n, estimate.n),
        "clusters": Entry(cell.clusters or cell.n, estimate.clusters),
        "coverage": Entry(cell.coverage, estimate.coverage),
        "left to chance": NOTHING if guesses is None else Entry(str(guesses.rows), guesses.rows),
    }
    return [entries[aside] for aside in asides]


def _metric(row: TaskRow) -> str:
    return f"{row.metric}, {row.unit}" if row.unit else row.metric


def _estimate(cell: Cell | None) -> Entry:
    if cell is None:
        return words("not run")
    interval = cell.row.estimate.interval
    sign = f"{cell.against.sign} " if cell.against and cell.against.sign else ""
    if interval is None:
        return Entry(f"{sign}{cell.value}", cell.row.estimate.value)
    return Entry(f"{sign}{cell.value} [{cell.interval}]", cell.row.estimate.value, interval.low, interval.high)
