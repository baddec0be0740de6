"""`mmeval compare` as text: terminal, Markdown, CSV and LaTeX with the same numbers."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from mmeval.analysis.comparison import CONTRACT_NAMES, Comparison, ComparisonReport, Ranking
from mmeval.metrics import get_metric
from mmeval.reports.escapes import LATEX_UNICODE, csv_cell, latex_comment, latex_text, markdown_text
from mmeval.reports.format import is_share, items_text, visible_text
from mmeval.reports.method_names import INTERVALS, TESTS
from mmeval.stats.intervals import Interval

if TYPE_CHECKING:
    from rich.table import Table

SHOWN_FLIPS = 10
"""Items of a list of lost or gained ones that people are shown."""
NAMES = (
    "task",
    "condition",
    "subset",
    "n",
    "base",
    "candidate",
    "delta",
    "interval",
    "p",
    "p adj.",
    "lost/gained",
    "right/wrong",
    "MDE",
)


def cells(one: Comparison) -> list[str]:
    """One row of every table, in the order of `NAMES`."""
    percent = is_share(one.metric)
    return [
        f"{one.task}@{one.protocol}" if one.protocol not in ("", "default") else one.task,
        one.condition,
        "=".join(one.subset) if one.subset else "",
        items_text(one.n, one.clusters),
        _value(one.base, percent),
        _value(one.candidate, percent),
        _signed(one.delta, percent),
        _interval(one.interval, percent),
        p_text(one.p),
        p_text(one.p_adjusted),
        f"{len(one.lost)}/{len(one.gained)}",
        "–" if one.table is None else f"{one.table.both_right}/{one.table.both_wrong}",
        "–" if one.mde is None else _value(one.mde, percent),
    ]


def _value(value: float, percent: bool) -> str:
    return f"{100 * value:.1f}" if percent else f"{value:.4g}"


def _signed(value: float, percent: bool) -> str:
    return f"{100 * value:+.1f}" if percent else f"{value:+.4g}"


def _interval(interval: Interval | None, percent: bool) -> str:
    if interval is None:
        return "–"
    return f"[{_signed(interval.low, percent)}, {_signed(interval.high, percent)}]"


def p_text(p: float) -> str:
    """A p-value for people."""
    return "<0.0001" if p < 0.0001 else f"{p:.4f}" if p < 0.001 else f"{p:.3f}"


def footnotes(report: ComparisonReport) -> list[str]:
    """What a reader must know beside the numbers: tests, intervals, corrections, and what was left out."""
    found = [
        f"delta: candidate - {report.base}; shares, deltas and MDE in percentage points; items: lost/gained by the candidate,"
        " right/wrong on both sides"
    ]
    tests = sorted({one.test for one in report.comparisons})
    intervals = sorted({one.interval.method for one in report.comparisons if one.interval})
    found.append(f"tests, two-sided: {'; '.join(_called(TESTS, tests))}")
    if intervals:
        found.append(f"intervals: {'; '.join(_called(INTERVALS, intervals))}")
    wholes = sum(one.subset is None for one in report.comparisons)
    parts = len(report.comparisons) - wholes
    found.append(
        f"p adj.: Holm over {wholes} comparison{'s' if wholes != 1 else ''}"
        + (f"; Benjamini-Hochberg over {parts} subsets" if parts else "")
    )
    found.append("MDE: the smallest difference that such data detect with 80 % power at two-sided 0.05")
    notes = dict.fromkeys(
        f"{one.task}: {note}" for one in report.comparisons if one.subset is None for note in one.notes
    )
    return [*found, *notes]


def _called(names: Mapping[str, tuple[str, tuple[str, ...]]], methods: Sequence[str]) -> list[str]:
    """Methods in words; one without words by its own name."""
    return [names[method][0] if method in names else method for method in methods]


def terminal_tables(report: ComparisonReport) -> list[Table]:
    """One `rich` table per candidate. Names are untrusted: they enter as plain text."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    tables = []
    for candidate in report.candidates:
        rows = [one for one in report.comparisons if one.candidate_name == candidate]
        kept = _kept(rows)
        table = Table(box=SIMPLE_HEAD, pad_edge=False, title=Text(_printable(f"{candidate} against {report.base}")))
        for name in (NAMES[i] for i in kept):
            table.add_column(name, justify="left" if name in ("task", "condition", "subset") else "right")
        for one in rows:
            style = "" if not one.significant else ("green" if one.delta > 0 else "red")
            row = cells(one)
            table.add_row(*(Text(_printable(row[i]), style=style if i in (6, 9) else "") for i in kept))
        tables.append(table)
    return tables


def _kept(rows: Sequence[Comparison]) -> list[int]:
    """Columns that say something: condition and subset only where they vary."""
    hidden = set()
    if len({one.condition for one in rows}) < 2:
        hidden.add(1)
    if all(one.subset is None for one in rows):
        hidden.add(2)
    return [place for place in range(len(NAMES)) if place not in hidden]


def _printable(text: str) -> str:
    return re.sub(r"\s", " ", visible_text(text))


def ranking_lines(ranking: Ranking) -> list[str]:
    """A ranking for people: groups, best first."""
    values = dict(zip(ranking.models, ranking.values, strict=True))
    share = is_share(ranking.metric)
    lines = [f"{ranking.task}, {ranking.condition}, {ranking.n} items; groups not told apart (Holm, 0.05):"]
    for place, group in enumerate(ranking.groups, 1):
        lines.append(f"  {place}. " + ", ".join(f"{_printable(name)} {_value(values[name], share)}" for name in group))
    if ranking.overall is not None:
        lines.append(
            f"  Cochran's Q {ranking.overall.statistic:.2f}, df {ranking.overall.degrees_of_freedom:g},"
            f" p {p_text(ranking.overall.p_value)}"
        )
    return lines


def flip_lines(report: ComparisonReport) -> list[str]:
    """The items that each candidate lost and gained, of each task and condition; the first of many."""
    lines = []
    for one in report.comparisons:
        if one.subset is not None:
            continue
        place = one.task if one.condition == "standard" else f"{one.task} under {one.condition}"
        for word, items in (("lost", one.lost), ("gained", one.gained)):
            more = len(items) - SHOWN_FLIPS
            shown = ", ".join(items[:SHOWN_FLIPS]) + (f" … and {more} more (--json has all)" if more > 0 else "")
            lines.append(f"{one.candidate_name}, {place}: {word} {len(items)}" + (f": {shown}" if items else ""))
    return lines


def markdown(report: ComparisonReport, flips: bool = False) -> str:
    """A Markdown document, with the items that were lost and gained where they are wanted."""
    blocks = []
    for candidate in report.candidates:
        rows = [one for one in report.comparisons if one.candidate_name == candidate]
        kept = _kept(rows)
        head = "| " + " | ".join(NAMES[i] for i in kept) + " |"
        rule = "|" + "|".join(" --- " if NAMES[i] in ("task", "condition", "subset") else " ---: " for i in kept) + "|"
        body = ["| " + " | ".join(_markdown_cell(one, i) for i in kept) + " |" for one in rows]
        blocks.append(
            "\n".join(
                [f"**{markdown_text(candidate)}** against **{markdown_text(report.base)}**", "", head, rule, *body]
            )
        )
    blocks += ["\n".join(markdown_text(line) for line in ranking_lines(ranking)) for ranking in report.rankings]
    if flips:
        blocks.append("\n".join(f"- {markdown_text(line)}" for line in flip_lines(report)))
    blocks.append("\n".join(f"- {markdown_text(note)}" for note in footnotes(report)))
    return "\n\n".join(blocks) + "\n"


def _markdown_cell(one: Comparison, place: int) -> str:
    text = cells(one)[place]
    return text if NAMES[place] == "interval" else markdown_text(text)


def csv_text(report: ComparisonReport) -> str:
    """Full precision, one line per comparison."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(
        ["base_model", "candidate_model", "task", "protocol", "condition", "subset", "metric", "n", "clusters", "coverage",
         "base", "candidate", "delta", "ci_low", "ci_high", "ci_method", "test", "p", "p_midp", "p_exact", "p_asymptotic",
         "p_adjusted", "adjust", "lost", "gained", "both_right", "both_wrong", "mde", "rescored", "notes"]
    )  # fmt: skip
    for one in report.comparisons:
        interval, table = one.interval, one.table
        named = {test.method: test.p_value for test in one.others}
        writer.writerow(
            [*map(csv_cell, (one.base_name, one.candidate_name, one.task, one.protocol, one.condition,
             "=".join(one.subset) if one.subset else "", one.metric)), one.n, one.clusters, one.coverage, one.base,
             one.candidate, one.delta, interval.low if interval else "", interval.high if interval else "",
             interval.method if interval else "", CONTRACT_NAMES.get(one.test, one.test), one.p,
             *(named.get(f"mcnemar-{kind}", "") for kind in ("mid-p", "exact", "asymptotic")), one.p_adjusted, one.adjust,
             len(one.lost), len(one.gained), table.both_right if table else "", table.both_wrong if table else "",
             "" if one.mde is None else one.mde, one.rescored, csv_cell("; ".join(one.notes))]
        )  # fmt: skip
    return stream.getvalue()


_LATEX_MARKS = "bold: better than every other model, Holm-adjusted p below 0.05 over the tests of the task; dagger: the best value, not shown to be"


def latex(report: ComparisonReport) -> str:
    """Two booktabs tables: models as rows and tasks as columns; then every comparison with the columns of `NAMES`.

    Bold: better than every other model by Holm-adjusted tests at 0.05 (over the tests of that task). A dagger: the best
    value, not significantly better than all others.
    """
    wholes = [one for one in report.comparisons if one.subset is None]
    columns = list(dict.fromkeys((one.task, one.condition) for one in wholes))
    several = len({condition for _, condition in columns}) > 1
    models = [report.base, *report.candidates]
    head = " & ".join(
        ["Model", *(latex_text(f"{task} ({condition})" if several else task) for task, condition in columns)]
    )
    lines = [LATEX_UNICODE, r"\begin{tabular}{l" + "r" * len(columns) + "}", r"\toprule", head + r" \\", r"\midrule"]
    for model in models:
        row = [latex_text(model)]
        row += [_latex_cell(report, wholes, model, task, condition) for task, condition in columns]
        lines.append(" & ".join(row) + r" \\")
    lines += [r"\bottomrule", r"\end{tabular}", ""]
    notes = [f"% {latex_comment(note)}" for note in (_LATEX_MARKS, *footnotes(report))]
    return "\n".join([*lines, *_latex_comparisons(report), *notes]) + "\n"


def _latex_comparisons(report: ComparisonReport) -> list[str]:
    kept = _kept(report.comparisons)
    named = len(report.candidates) > 1
    left = "l" * (named + sum(NAMES[i] in ("task", "condition", "subset") for i in kept))
    columns = left + "r" * (len(kept) + named - len(left))
    head = [*(["candidate"] if named else []), *(NAMES[i] for i in kept)]
    lines = [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", " & ".join(head) + r" \\", r"\midrule"]
    for one in report.comparisons:
        row = cells(one)
        shown = [*([one.candidate_name] if named else []), *(row[i] for i in kept)]
        lines.append(" & ".join(latex_text(cell) for cell in shown) + r" \\")
    return [*lines, r"\bottomrule", r"\end{tabular}"]


def _latex_cell(report: ComparisonReport, wholes: Sequence[Comparison], model: str, task: str, condition: str) -> str:
    here = [one for one in wholes if (one.task, one.condition) == (task, condition)]
    values: dict[str, float] = {}
    for one in here:
        values.setdefault(one.base_name, one.base)
        values.setdefault(one.candidate_name, one.candidate)
    if model not in values:
        return "--"
    text = _value(values[model], is_share(here[0].metric))
    higher = get_metric(here[0].metric).better == "higher"
    if values[model] != (max if higher else min)(values.values()):
        return text
    ranking = next((r for r in report.rankings if (r.task, r.condition) == (task, condition)), None)
    pairs = ranking.pairs if ranking is not None else here
    against = [one for one in pairs if model in (one.base_name, one.candidate_name)]
    best = all(one.significant and (one.delta > 0) == (higher == (one.candidate_name == model)) for one in against)
    return rf"\textbf{{{text}}}" if best else rf"{text}$^\dagger$"
