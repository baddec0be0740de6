"""What a gate leaves behind for people and CI: gate.json, junit.xml, gate.md, annotations and the terminal table.

Names of tasks, rules and items are untrusted everywhere.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import orjson

from mmeval.analysis.gate import SEVERITY, Finding, GateReport, Verdict, is_share
from mmeval.analysis.gate_json import gate_json
from mmeval.core.errors import StorageError
from mmeval.reports.format import items_text, visible_text

if TYPE_CHECKING:
    from rich.table import Table

MARKER = "<!-- mmeval-gate -->"
"""First line of gate.md: how a CI job finds the comment that it has to replace."""
LARGEST_MARKDOWN = 60_000
"""Bytes; a comment holds 65,536 characters, and a job may want to add a line of its own."""
LARGEST_SUMMARY = 2**20
"""Bytes of a GitHub step summary; more is not shown at all."""
LONGEST_NAME = 60
LONGEST_MESSAGE = 300
COLUMNS = ("verdict", "rule", "task", "kind", "estimate", "interval", "margin", "p adj.", "n")
STYLES: dict[Verdict, str] = {
    "PASS": "green", "WAIVED": "yellow", "INCONCLUSIVE": "yellow", "FAIL": "red", "ERROR": "magenta", "INVALID": "magenta",
}  # fmt: skip
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write_gate(report: GateReport, folder: Path) -> list[Path]:
    """Write gate.json, junit.xml and gate.md; equal reports give equal bytes.

    Raises:
        StorageError: the folder cannot be written.
    """
    contents = {
        "gate.json": json_bytes(gate_json(report)),
        "junit.xml": junit(report),
        "gate.md": markdown(report).encode(),
    }
    return [write_file(folder / name, content) for name, content in contents.items()]


def write_file(path: Path, content: bytes) -> Path:
    """Write one file and the folders above it.

    Raises:
        StorageError: naming the path and the cause.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}", remedy="give another --out folder") from error
    return path


def json_bytes(data: object) -> bytes:
    """JSON with two spaces of indentation and a final line break."""
    return orjson.dumps(data, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def worst_first(report: GateReport) -> list[Finding]:
    """Findings by severity, those that count before informational ones, else in the order of the policy."""
    return sorted(report.findings, key=lambda one: (SEVERITY.index(one.verdict), not one.counts))


def junit(report: GateReport) -> bytes:
    """A JUnit report: a test suite per task, a test case per rule; informational rules never fail in it."""
    root = ElementTree.Element("testsuites", name="mmeval gate")
    suites: dict[str, list[Finding]] = {}
    for one in report.findings:
        suites.setdefault(_task(one), []).append(one)
    totals = dict.fromkeys(("tests", "failures", "errors", "skipped"), 0)
    for task, findings in suites.items():
        suite = ElementTree.SubElement(root, "testsuite", name=_xml(task))
        counts = dict.fromkeys(totals, 0)
        for one in findings:
            kind = _add_case(suite, task, one, report)
            for key in ("tests", kind):
                if key:
                    counts[key] += 1
        for key, number in counts.items():
            suite.set(key, str(number))
            totals[key] += number
    for key, number in totals.items():
        root.set(key, str(number))
    ElementTree.indent(root)
    data: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return data + b"\n"


def _add_case(suite: ElementTree.Element, task: str, one: Finding, report: GateReport) -> str:
    case = ElementTree.SubElement(suite, "testcase", classname=_xml(task), name=_xml(_rule(one)), time="0")
    properties = ElementTree.SubElement(case, "properties")
    for key, value in _properties(one).items():
        ElementTree.SubElement(properties, "property", name=key, value=_xml(value))
    message = _xml(one.message)[:LONGEST_MESSAGE]
    text = _xml("\n".join([one.message, *one.notes, *_flip_lines(one)]))
    fails = report.policy.defaults.on_inconclusive == "fail" and (one.waiver is None or one.expired)
    if one.verdict == "FAIL" or (one.verdict == "INCONCLUSIVE" and fails):
        kind, tag, label = "failures", "failure", "regression" if one.verdict == "FAIL" else "inconclusive"
    elif one.verdict in ("INVALID", "ERROR"):
        kind, tag, label = "errors", "error", "invalid" if one.verdict == "INVALID" else "infrastructure"
    else:
        kind, tag, label = "skipped", "skipped", one.verdict.lower()
    if one.verdict == "PASS":
        return ""
    if not one.counts:
        kind, tag, label, message = "skipped", "skipped", "informational", f"informational: {one.verdict}: {message}"
    element = ElementTree.SubElement(case, tag, message=message)
    if tag != "skipped":
        element.set("type", label)
    element.text = text
    return kind


def _properties(one: Finding) -> dict[str, str]:
    rule, target, found = one.check.rule, one.check.target, one.evidence
    values: dict[str, object] = {
        "verdict": one.verdict, "kind": rule.kind, "metric": target.metric, "condition": target.condition,
        "margin": rule.margin, "min_effect": rule.min_effect, "value": rule.value, "p_adj": one.p_adjusted,
    }  # fmt: skip
    if found is not None:
        interval, table = found.interval, found.table
        values |= {
            "n": found.n, "clusters": found.clusters, "base": found.base, "candidate": found.candidate,
            "delta": found.delta, "ci_low": interval and interval.low, "ci_high": interval and interval.high,
            "p": found.p, "test": found.test, "mde": found.mde, "b": table and table.losses, "c": table and table.gains,
        }  # fmt: skip
    return {key: str(value) for key, value in values.items() if value is not None}


def _flip_lines(one: Finding, shown: int = 10) -> list[str]:
    lines = []
    for word, items in (("lost", one.lost), ("gained", one.gained)):
        if items:
            more = f" and {len(items) - shown} more" if len(items) > shown else ""
            lines.append(f"{word} {len(items)}: {', '.join(items[:shown])}{more}")
    return lines


def markdown(report: GateReport) -> str:
    """A table of all rules, worst first, cut where it would not fit a comment; a line says how many are left out."""
    head = [
        MARKER,
        f"## mmeval gate: {report.verdict}",
        "",
        f"{code(report.candidate.label)} against {code(report.baseline.label)}: {counts_text(report)}",
        "",
    ]
    table = ["| " + " | ".join(COLUMNS) + " |", "|" + "|".join(" --- " for _ in COLUMNS) + "|"]
    ordered = worst_first(report)
    room = LARGEST_MARKDOWN // 2
    rows = [_markdown_row(one) for one in ordered]
    kept = _fitting(rows, room)
    if len(kept) < len(rows):
        kept.append(f"\n… and {len(rows) - len(kept)} more rules, none of them worse than these: see gate.json.")
    details = []
    for one in ordered:
        if one.verdict != "PASS":
            notes = "".join(f"; {text(note)}" for note in one.notes)
            details.append(f"- **{one.verdict}** {code(_rule(one))} ({code(_task(one))}): {text(one.message)}{notes}")
            details += [f"  - {text(line)}" for line in _flip_lines(one)]
    room = LARGEST_MARKDOWN - 2000 - sum(len(line.encode()) + 1 for line in (*head, *table, *kept))
    told = _fitting(details, room)
    if len(told) < len(details):
        told.append("- … the other rules: see gate.json.")
    foot = [
        "",
        f"Intervals: both one-sided {1 - report.policy.defaults.alpha:.0%} limits. p: against no difference, or against"
        f" the value of a floor or ceiling; correction of FAIL decisions: {report.policy.defaults.correction}.",
    ]
    return "\n".join([*head, *table, *kept, "", *told, *foot]) + "\n"


def _markdown_row(one: Finding) -> str:
    cells = row(one)
    shown = [cells[0] + ("" if one.counts else " (informational)"), code(cells[1]), code(cells[2]), *cells[3:]]
    return "| " + " | ".join(shown) + " |"


def _fitting(lines: Iterable[str], room: int) -> list[str]:
    kept = []
    for line in lines:
        room -= len(line.encode()) + 1
        if room < 0:
            break
        kept.append(line)
    return kept


def code(name: str) -> str:
    """A name as a code span, in which neither mark-up nor mentions work; pipes are escaped for tables."""
    shown = re.sub(r"\s+", " ", visible_text(_whole(name))).replace("`", "'").replace("|", "\\|").strip()
    return f"`{_short(shown, LONGEST_NAME) or ' '}`"


def text(message: str) -> str:
    """A message whose names cannot act as Markdown, HTML or mentions."""
    shown = _short(re.sub(r"\s+", " ", visible_text(_whole(message))), LONGEST_MESSAGE)
    return re.sub(r"([\\`*_\[\]<>|#!~])", r"\\\1", shown).replace("@", "@\u200b").replace("://", ":\u200b//")


def _short(shown: str, longest: int) -> str:
    return shown if len(shown) <= longest else shown[: longest - 1].rstrip("\\") + "…"


def _whole(name: str) -> str:
    return name.encode("utf-8", "replace").decode()


def row(one: Finding) -> list[str]:
    """The cells of one finding, in the order of `COLUMNS`."""
    found, rule = one.evidence, one.check.rule
    share = is_share(one.check.target.metric)
    bound = rule.value if rule.value is not None else rule.tolerance
    cells = [one.verdict, _rule(one), _task(one), rule.kind]
    if found is None:
        return [*cells, "–", "–", _number(bound, share, rule.value is not None, ""), "–", "–"]
    level = found.delta is None
    low_high = found.interval
    limits = "–"
    if low_high is not None:
        limits = f"[{_number(low_high.low, share, level)}, {_number(low_high.high, share, level)}]"
    estimate = found.candidate if found.delta is None else found.delta
    n = items_text(found.n, found.clusters)
    p = found.p if one.p_adjusted is None else one.p_adjusted
    shown = "<0.0001" if p < 0.0001 else f"{p:.4f}" if p < 0.001 else f"{p:.3f}"
    return [*cells, _number(estimate, share, level), limits, _number(bound, share, level, ""), shown, n]


def _number(value: float, share: bool, level: bool, sign: str = "+") -> str:
    """A value as it stands (`level`), or a difference, of which shares are in points: 2 % of 50 % would be one."""
    shown = format(100 * value if share else value, ("" if level else sign) + (".2f" if share else ".4g"))
    return f"{shown} {'%' if level else 'points'}" if share else shown


def _task(one: Finding) -> str:
    target = one.check.target
    return target.task if target.protocol in ("", "default") else f"{target.task}@{target.protocol}"


def _rule(one: Finding) -> str:
    target = one.check.target
    parts = [
        one.check.id,
        *(["=".join(target.subset)] if target.subset else []),
        *([target.condition] if target.condition != "standard" else []),
    ]
    return f"{parts[0]} ({', '.join(parts[1:])})" if len(parts) > 1 else parts[0]


def counts_text(report: GateReport) -> str:
    """How many rules have which verdict."""
    found = [(name, sum(one.verdict == name for one in report.findings)) for name in SEVERITY]
    return ", ".join(f"{number} {name}" for name, number in found if number)


def github_annotations(report: GateReport) -> list[str]:
    """GitHub workflow commands: an error by rule that fails the gate, a warning by rule that is inconclusive."""
    lines = []
    policy = report.policy.defaults
    for one in worst_first(report):
        if not one.counts or one.verdict in ("PASS", "WAIVED"):
            continue
        level = "error"
        if one.verdict == "INCONCLUSIVE" and (
            policy.on_inconclusive != "fail" or (one.waiver is not None and not one.expired)
        ):
            if policy.on_inconclusive == "pass":
                continue
            level = "warning"
        title = _property(f"mmeval gate {one.verdict}: {_rule(one)}")
        lines.append(f"::{level} title={title}::{_data(f'{_task(one)}: {one.message}')}")
    return lines


def _data(message: str) -> str:
    return message.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(value: str) -> str:
    return _data(value).replace(":", "%3A").replace(",", "%2C")


def append_summary(content: str, path: str) -> str:
    """Append to a GitHub step summary; returns why not, or nothing. A full summary is left as it is."""
    try:
        used = os.path.getsize(path) if os.path.exists(path) else 0
        if used + len(content.encode()) + 1 >= LARGEST_SUMMARY:
            return "the step summary is full (1 MiB): gate.md was not added"
        with open(path, "a", encoding="utf-8") as handle:
            handle.write(content + "\n")
    except OSError as error:
        return f"cannot write the step summary: {error.strerror}"
    return ""


def terminal_table(report: GateReport) -> Table:
    """All rules as a `rich` table, worst first."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in COLUMNS:
        table.add_column(name, justify="left" if name in COLUMNS[:4] else "right")
    for one in worst_first(report):
        cells: Sequence[str] = row(one)
        shown = [visible_text(cell) for cell in cells]
        shown[0] += "" if one.counts else " (info)"
        table.add_row(Text(shown[0], style=STYLES[one.verdict]), *(Text(cell) for cell in shown[1:]))
    return table


def _xml(value: str) -> str:
    """Text without the characters that XML 1.0 cannot hold."""
    return _NOT_XML.sub("", value)
