"""The report's section on comparison: paired differences from the baseline, 2x2 tables, wins, and curves of checkpoints."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from mmeval.analysis.comparison import Comparison, ComparisonOptions, ComparisonReport, compare_runs
from mmeval.analysis.pairing import PairingOptions, Side, pair_runs
from mmeval.core.errors import MmevalError
from mmeval.metrics import get_metric
from mmeval.reports.comparison_tables import footnotes
from mmeval.reports.curves import Axes, Bar, Point, Series, forest_chart, series_chart
from mmeval.reports.figures import Figure
from mmeval.reports.format import count, is_share, shortened
from mmeval.reports.names import RunNames, task_label
from mmeval.reports.sheets import NOTHING, Entry, Sheet, change, p_value, rate, whole, words
from mmeval.reports.tables import Cell, Tables
from mmeval.runs.folder import Run

MODELS = 10
"""Models that are compared: every pair of them is tested."""
LABELS = 40
"""Subset columns with more labels are not broken down by."""
MARGIN = 0.02
"""Share of 1: a difference below it is drawn inside the band."""
CELLS = {"rr": "both right", "rw": "only the baseline right", "wr": "only the candidate right", "ww": "both wrong"}
HEADING = 30
"""Characters that a forest plot shows of a heading."""
_STEP = re.compile(r"^(.*?(?:step|checkpoint|ckpt|iter|iteration|epoch)s?[-_ ]?)(\d+)(.*)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Places:
    """Where the sample browser has models, tasks and the standard condition."""

    models: Mapping[str, int]
    tasks: Sequence[str]
    standard: int

    def pair(self, base: str, candidate: str, cell: str) -> str:
        """The browser's filter by two models and a cell of `CELLS`."""
        return f"{self.models[base]}-{self.models[candidate]}-{self.standard}-{cell}"


@dataclass(frozen=True, slots=True)
class ComparisonSection:
    """The section; without a report there is none."""

    found: ComparisonReport | None = None
    sheets: tuple[Sheet, ...] = ()
    """Differences, 2x2 tables, wins and groups."""
    subsets: tuple[Sheet, ...] = ()
    figures: tuple[Figure, ...] = ()
    subset_figures: tuple[Figure, ...] = ()
    curves: tuple[Figure, ...] = ()
    """Checkpoint series."""
    notes: tuple[str, ...] = ()
    """What a reader must know beside the numbers."""
    notices: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether there is nothing to show."""
        return self.found is None and not self.notices and not self.curves


def build_comparison(
    names: Sequence[RunNames], tables: Tables, places: Places, baseline: str | None = None, margin: float = MARGIN
) -> ComparisonSection:
    """Compare every model with the baseline under the standard condition, and all with each other.

    Args:
        names: the runs of the report.
        tables: its leaderboard.
        places: of what the sample browser shows.
        baseline: label of the model that the others are compared with; the first one when None.
        margin: half the width of the band of the forest plots, as a share of 1.

    Raises:
        DataError: when a run folder is damaged.
    """  # fmt: skip
    curves = tuple(_checkpoints(tables))
    sides, notices = _sides(names, baseline)
    if len(sides) < 2:
        return ComparisonSection(curves=curves)
    found, refused = _compared(sides, _columns(tables))
    notices += refused
    if found is None:
        return ComparisonSection(curves=curves, notices=tuple(notices))
    wholes = [one for one in found.comparisons if one.subset is None]
    parts = [one for one in found.comparisons if one.subset is not None]
    sheets = [_differences(wholes), *_squares(wholes, places), *_wins(found)]
    return ComparisonSection(
        found,
        tuple(sheets),
        tuple(_subset_sheets(parts)),
        tuple(_forests("comparison", wholes, places, margin)),
        tuple(figure for task in dict.fromkeys(map(_label, parts)) for figure in _forests(f"subsets-{task}", [one for one in parts if _label(one) == task], places, margin)),
        curves,
        tuple(footnotes(found)),
        tuple(notices),
    )  # fmt: skip


def _sides(names: Sequence[RunNames], baseline: str | None) -> tuple[list[Side], list[str]]:
    sides = []
    for entry in names:
        engines = {model.name: model.engine for model in entry.run.manifest.models}
        standard = entry.run.manifest.model_copy(update={"conditions": ["standard"]})
        sides += [
            Side(Run(entry.run.path, standard, model), model, label)
            for model, label in entry.models.items()
            if engines[model] != "chance"
        ]
    sides.sort(key=lambda side: side.label != baseline)  # stable: the others keep their order
    left = [side.label for side in sides[MODELS:]]
    return sides[:MODELS], [
        f"Not compared here: {', '.join(left)}; `mmeval compare` takes any of them."
    ] if left else []


def _columns(tables: Tables) -> tuple[str, ...]:
    sizes: dict[str, int] = {}
    for table in tables.subsets:
        for group in table.groups:
            sizes[group.name] = max(sizes.get(group.name, 0), len(group.rows))
    return tuple(name for name, size in sizes.items() if size <= LABELS)


def _compared(sides: Sequence[Side], columns: tuple[str, ...]) -> tuple[ComparisonReport | None, list[str]]:
    """Compare what can be compared, and say why the rest cannot."""
    options = ComparisonOptions(PairingOptions(allow_missing=True))
    try:
        return compare_runs(sides, _by(sides, options, columns)), []
    except MmevalError as error:
        first = str(error)
    base, kept, names, notices = sides[0], [sides[0]], dict[str, None](), []
    refused: dict[str, str] = {}
    for side in sides[1:]:
        good = []
        for name in dict.fromkeys(record.name for record in base.run.manifest.tasks):
            try:
                pair_runs(base, side, replace(options.pairing, tasks=(name,)))
                good.append(name)
            except MmevalError as error:
                refused.setdefault(f"{side.label} is not compared with {base.label} on {name}: {error}", name)
        if good:
            kept.append(side)
            names |= dict.fromkeys(good)
    notices = list(refused) or [first]
    agreed = tuple(name for name in names if all(not _refuses(base, side, name, options) for side in kept[1:]))
    if len(kept) < 2 or not agreed:
        return None, notices
    options = replace(options, pairing=replace(options.pairing, tasks=agreed))
    try:
        return compare_runs(kept, _by(kept, options, columns)), notices
    except MmevalError as error:
        return None, [*notices, str(error)]


def _refuses(base: Side, side: Side, task: str, options: ComparisonOptions) -> bool:
    try:
        pair_runs(base, side, replace(options.pairing, tasks=(task,)))
    except MmevalError:
        return True
    return False


def _by(sides: Sequence[Side], options: ComparisonOptions, columns: tuple[str, ...]) -> ComparisonOptions:
    known = {
        column for side in sides[1:] for data in pair_runs(sides[0], side, options.pairing) for column in data.columns
    }
    return replace(options, by=tuple(column for column in columns if column in known))


def _label(one: Comparison) -> str:
    return task_label(one.task, one.protocol)


def _row(one: Comparison) -> list[Entry]:
    share = is_share(one.metric)
    limits = None if one.interval is None else (one.interval.low, one.interval.high)
    mark = ("▲ " if one.delta > 0 else "▼ ") if one.significant else ""
    difference = change(one.delta, limits, share=share)
    size = count(one.n) + (f" ({count(one.clusters)} clusters)" if one.clusters < one.n else "")
    return [
        Entry(size, one.n), _value(one.base, share), _value(one.candidate, share), replace(difference, text=mark + difference.text),
        p_value(one.p), p_value(one.p_adjusted), whole(len(one.lost)), whole(len(one.gained)),
        NOTHING if one.mde is None else _value(one.mde, share),
    ]  # fmt: skip


def _value(value: float, share: bool) -> Entry:
    return rate(value) if share else Entry(f"{value:.4g}", value)


HEAD = ("n", "Baseline", "Candidate", "Difference", "p", "p adjusted", "Lost", "Gained", "MDE")


def _differences(wholes: Sequence[Comparison]) -> Sheet:
    rows = tuple((words(one.candidate_name), words(_label(one)), words(one.metric), *_row(one)) for one in wholes)
    caption = f"Differences from {wholes[0].base_name}; ▲ ▼: adjusted p below 0.05; shares in %, differences in points"
    return Sheet("comparison", caption, ("Model", "Task", "Metric", *HEAD), rows, 3)


def _subset_sheets(parts: Sequence[Comparison]) -> Iterator[Sheet]:
    for task in dict.fromkeys(map(_label, parts)):
        rows = tuple(
            (words(one.candidate_name), words("=".join(one.subset or ())), *_row(one))
            for one in parts
            if _label(one) == task
        )
        yield Sheet(f"subsets-{task}", f"{task}: differences by subset", ("Model", "Subset", *HEAD), rows, 2)


def _squares(wholes: Sequence[Comparison], places: Places) -> Iterator[Sheet]:
    rows = []
    for one in wholes:
        if one.table is None:
            continue
        counts = (one.table.both_right, one.table.losses, one.table.gains, one.table.both_wrong)
        task = places.tasks.index(_label(one))
        cells = (
            Entry(
                count(number),
                number,
                link=f"#pair={places.pair(one.base_name, one.candidate_name, cell)}&task={task}" if number else "",
            )
            for cell, number in zip(CELLS, counts, strict=True)
        )
        rows.append((words(one.candidate_name), words(_label(one)), *cells))
    if rows:
        base, candidates = wholes[0].base_name, list(dict.fromkeys(one.candidate_name for one in wholes))
        names = [text.capitalize() for text in CELLS.values()]
        if len(candidates) == 1:
            names = [
                "Both right",
                f"{base} right, {candidates[0]} wrong",
                f"{base} wrong, {candidates[0]} right",
                "Both wrong",
            ]
        caption = f"Right and wrong beside {base}; a number opens the samples"
        yield Sheet("squares", caption, ("Model", "Task", *names), tuple(rows), 2)


def _wins(found: ComparisonReport) -> Iterator[Sheet]:
    if not found.rankings:
        return
    models = [found.base, *found.candidates]
    wins = {(a, b): [0, 0, 0] for a in models for b in models if a != b}
    for ranking in found.rankings:
        higher = get_metric(ranking.metric).better == "higher"
        for one in ranking.pairs:
            sign = 0 if not one.significant else 1 if (one.delta > 0) == higher else -1
            wins[one.candidate_name, one.base_name][1 - sign] += 1
            wins[one.base_name, one.candidate_name][1 + sign] += 1
    rows = tuple(
        (words(a), *(NOTHING if a == b else words(" / ".join(map(str, wins[a, b]))) for b in models)) for a in models
    )
    yield Sheet(
        "wins",
        "Tasks on which the row is better / not told apart / worse than the column (Holm, 0.05)",
        ("Model", *models),
        rows,
    )
    groups = tuple(
        (
            words(task_label(one.task, one.protocol)),
            words(" > ".join("{" + ", ".join(group) + "}" for group in one.groups)),
        )
        for one in found.rankings
    )
    yield Sheet(
        "groups",
        "Groups of models, best first: pairwise tests do not tell a group’s models from its first one; models of two groups need not all differ",
        ("Task", "Groups"),
        groups,
    )


def _forests(name: str, rows: Sequence[Comparison], places: Places, margin: float) -> Iterator[Figure]:
    """One figure per unit: all shares together, every other metric by itself."""
    units = dict.fromkeys("" if is_share(one.metric) else one.metric for one in rows)
    for unit in units:
        scale = 1.0 if unit else 100.0
        bars = []
        for one in rows:
            if ("" if is_share(one.metric) else one.metric) != unit:
                continue
            ends = (None, None) if one.interval is None else (one.interval.low, one.interval.high)
            low, high = (None if end is None else round(scale * end, 6) for end in ends)
            label = "=".join(one.subset) if one.subset else _label(one)
            text = f"{change(one.delta, share=not unit).text}  p adj. {p_value(one.p_adjusted).text}  {len(one.lost)}/{len(one.gained)}"
            heading = _heading(one.candidate_name, one.base_name)
            bars.append(
                Bar(
                    label,
                    round(scale * one.delta, 6),
                    low,
                    high,
                    text,
                    places.models[one.candidate_name],
                    one.significant,
                    heading,
                )
            )
        what = f"{name}: paired differences with intervals; the table has the numbers"
        task = f"{shortened(_label(rows[0]), HEADING)}: " if rows[0].subset else ""
        yield forest_chart(
            f"{name}-{unit or 'shares'}",
            bars,
            task + (unit or "difference, points"),
            what,
            None if unit else 100 * margin,
        )


def _heading(candidate: str, base: str) -> str:
    """Both names within what the chart shows of a heading, the candidate's with more room."""
    room = HEADING - len(" – ")
    base_room = max(room - len(candidate), room // 3)
    base = shortened(base, base_room)
    return f"{shortened(candidate, room - len(base))} – {base}"


def _checkpoints(tables: Tables) -> Iterator[Figure]:
    """Curves over models whose names differ in the number of a step alone, at least three of them."""
    members: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for place, column in enumerate(tables.columns):
        found = _STEP.match(column.model)
        if found and column.condition in ("", "standard"):
            members.setdefault((found[1], found[3]), []).append((int(found[2]), place))
    for (before, after), steps in members.items():
        if len({step for step, _ in steps}) < 3:
            continue
        for family in tables.families:
            for share in (True, False):
                series = [
                    Series(row.label, number, tuple(points))
                    for number, row in enumerate(family.rows)
                    if is_share(row.metric) == share
                    and (
                        points := [
                            point for step, place in sorted(steps) if (point := _point(row.cells[place], step, share))
                        ]
                    )
                ]
                if series:
                    name = f"{before}N{after}"
                    axes = Axes("step", "%" if share else "value", share)
                    what = f"{family.name} over the steps of {name}, with intervals; the leaderboard has the numbers"
                    yield series_chart(
                        f"steps-{name}-{family.name}-{'shares' if share else 'values'}", series, axes, what
                    )


def _point(cell: Cell | None, step: int, share: bool) -> Point | None:
    if cell is None or cell.row.estimate.value is None:
        return None
    scale, interval = 100.0 if share else 1.0, cell.row.estimate.interval
    ends = (None, None) if interval is None else (interval.low, interval.high)
    low, high = (None if end is None else round(scale * end, 6) for end in ends)
    return Point(float(step), round(scale * cell.row.estimate.value, 6), low, high)
