"""The report's section on a gate: its verdict, every rule with its numbers, and the samples behind them.

What is shown is the content of gate.json, whether it was stored by `mmeval gate --out` or judged just now from a policy.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from pydantic import ValidationError

from mmeval.analysis.gate import SEVERITY, is_share, run_gate
from mmeval.analysis.gate_json import gate_json
from mmeval.analysis.gate_policy import load_policy
from mmeval.analysis.pairing import Side
from mmeval.core.errors import ComparisonError, DataError, UsageError
from mmeval.reports.comparison import Places
from mmeval.reports.format import count, items_text
from mmeval.reports.gate_links import Addresses
from mmeval.reports.gate_record import GateRecord, RuleRecord, SideRecord
from mmeval.reports.names import RunNames, task_label
from mmeval.reports.sheets import NOTHING, Entry, Sheet, change, p_value, rate, whole, words
from mmeval.reports.tables import METHODS
from mmeval.runs.folder import Run
from mmeval.runs.manifest import Manifest

SIGNS = {"PASS": "✓", "WAIVED": "◇", "INCONCLUSIVE": "?", "FAIL": "✕", "ERROR": "!", "INVALID": "⊘"}
_NAMES = METHODS | {
    "mcnemar-mid-p": "McNemar mid-p", "tango": "Tango", "tango-clusters": "Tango on clusters", "paired-t": "paired t",
    "sign-flip": "sign flips of clusters", "sign-flip-exact": "exact sign flips of clusters", "wilson-clusters": "score test on clusters",
}  # fmt: skip
LISTED = 40
"""Items of each direction that are linked by rule; gate.json holds more."""
_HEAD = (
    "Verdict", "Rule", "Task", "Asks", "Baseline", "Candidate", "Difference", "Bound", "Lost", "Gained", "p", "p adjusted", "n",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Moved:
    """Items whose value fell or rose under one rule."""

    word: str
    """lost or gained."""
    total: int
    items: tuple[tuple[str, str], ...]
    """Name, and address in the page or nothing."""


@dataclass(frozen=True, slots=True)
class Reason:
    """What decided one rule."""

    sign: str
    verdict: str
    rule: str
    task: str
    why: str
    how: str
    """Interval and test."""
    notes: tuple[str, ...]
    moved: tuple[Moved, ...]


@dataclass(frozen=True, slots=True)
class GateSection:
    """The section; without a record there is none."""

    record: GateRecord | None = None
    baseline: str = ""
    """Label in the report."""
    candidate: str = ""
    sign: str = ""
    headline: str = ""
    facts: tuple[str, ...] = ()
    sheet: Sheet | None = None
    reasons: tuple[Reason, ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()
    """Filters of the browser that the links use: key, and words."""

    @property
    def sheets(self) -> list[Sheet]:
        """The numbers, and what decided each rule."""
        if self.sheet is None:
            return []
        rows = tuple(
            (words(one.verdict), words(one.rule), words(one.task), words(one.why), words(one.how), words("; ".join(one.notes) or "–"))
            for one in self.reasons
        )  # fmt: skip
        head = ("Verdict", "Rule", "Task", "Decided by", "Interval and test", "Notes")
        return [self.sheet, Sheet("gate-reasons", "Gate: what decided each rule", head, rows, 3)]


def read_gate(path: Path, names: Sequence[RunNames], baseline: str | None, today: datetime.date) -> GateRecord:
    """Read what `mmeval gate --out` wrote, or judge by a policy.

    Args:
        path: gate.json, the folder that holds it, or a policy.
        names: the runs of the report.
        baseline: for a policy, the label of the baseline; the first model when None.
        today: for a policy, the date for waivers.

    Raises:
        UsageError: a file that is neither, a policy that cannot be applied, or more than one possible candidate.
        DataError: a damaged gate.json.
    """
    place = path / "gate.json" if path.is_dir() else path
    if place.suffix.lower() != ".json":
        return _judged(place, names, baseline, today)
    try:
        raw = orjson.loads(place.read_bytes())
    except OSError as error:
        raise UsageError(f"cannot read --gate {place}: {error.strerror}", remedy="check the path") from error
    except orjson.JSONDecodeError as error:
        raise DataError(f"--gate {place}: not JSON: {error}", remedy="run `mmeval gate --out` again") from error
    kind = raw.get("kind") if isinstance(raw, dict) else None
    if kind != "gate":
        found = f"of kind {kind!r}" if isinstance(kind, str) else "no verdicts"
        raise UsageError(
            f"--gate {place}: {found}", remedy="give the gate.json of `mmeval gate --out DIR`, or a policy"
        )
    return _validated(raw, str(place))


def _validated(raw: Any, place: str) -> GateRecord:
    try:
        return GateRecord.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise DataError(f"--gate {place}: key {key}: {first['msg']}", remedy="run `mmeval gate --out` again") from error


def _judged(path: Path, names: Sequence[RunNames], baseline: str | None, today: datetime.date) -> GateRecord:
    from mmeval.analysis.gate_calibrate import load_calibration

    policy = load_policy(path)
    sides = {
        label: Side(Run(entry.run.path, entry.run.manifest, name), name, label)
        for entry in names
        for name, label in entry.models.items()
        if _engine(entry.run.manifest, name) != "chance"
    }
    base = baseline or next(iter(sides), "")
    others = [label for label in sides if label != base]
    if base not in sides or len(others) != 1:
        raise UsageError(
            f"--gate {path}: a policy judges one candidate against one baseline; the report has {', '.join(sides) or 'no model'}",
            remedy="name two models (RUN or RUN#MODEL), or give the gate.json of `mmeval gate --out DIR`",
        )
    calibration = load_calibration(path.parent / policy.calibration) if policy.calibration else None
    found = run_gate(sides[base], sides[others[0]], policy, today, calibration)
    return GateRecord.of(gate_json(found))


def _engine(manifest: Manifest, model: str) -> str:
    return next(record.engine for record in manifest.models if record.name == model)


def gate_sides(record: GateRecord, names: Sequence[RunNames]) -> tuple[str, str]:
    """Return the labels that baseline and candidate of a gate have in a report.

    Raises:
        ComparisonError: the gate judged other runs, or these before they changed.
    """
    return _side("baseline", record.baseline, names), _side("candidate", record.candidate, names)


def _side(role: str, side: SideRecord, names: Sequence[RunNames]) -> str:
    named = [(entry, name) for entry in names for name in entry.models if name == side.model]
    if not named:
        shown = ", ".join(label for entry in names for label in entry.models.values())
        raise ComparisonError(
            f"the gate's {role} is {side.label} ({side.run}), which is not in this report; its models: {shown}",
            remedy="name the runs of the gate, or give the gate of these runs",
        )
    fitting = [(entry, name) for entry, name in named if not _differing(side, entry.run.manifest)]
    if not fitting:
        what = "; ".join(dict.fromkeys(_differing(side, entry.run.manifest) for entry, _ in named))
        raise ComparisonError(
            f"the gate's {role} {side.label} ({side.run}) is not the {side.model} of this report: {what}",
            remedy="run `mmeval gate --out` again on these runs",
        )
    same_folder = [(entry, name) for entry, name in fitting if entry.run.path.resolve().name == side.run]
    chosen = same_folder if len(fitting) > 1 else fitting
    if len(chosen) != 1:
        shown = ", ".join(entry.models[name] for entry, name in fitting)
        raise ComparisonError(
            f"the gate's {role} {side.label} ({side.run}) may be any of {shown}: their digests are the same",
            remedy="give the policy instead of gate.json, or rename the folders back",
        )
    entry, name = chosen[0]
    return entry.models[name]


def _differing(side: SideRecord, manifest: Manifest) -> str:
    """Say in what a run is another one than the gate saw; empty where it is the same."""
    model = next(record for record in manifest.models if record.name == side.model)
    if model.identity_digest != side.identity_digest:
        return "other weights (identity digest)"
    if manifest.config_digest != side.config_digest:
        return "another configuration (config digest)"
    if manifest.status != side.status:
        return f"the run was {side.status} then and is {manifest.status} now"
    seen = {(task.task, task.protocol): (task.items_digest, task.ask_digest, task.score_digest) for task in side.tasks}
    here = {
        (task.name, task.protocol): (task.items_digest, task.ask_digest, task.score_digest) for task in manifest.tasks
    }
    if seen.keys() != here.keys():
        return "other tasks"
    for (name, protocol), digests in here.items():
        kinds = ("items", "prompts (ask digest)", "scoring (score digest)")
        changed = [word for word, old, new in zip(kinds, seen[name, protocol], digests, strict=True) if old != new]
        if changed:
            return f"{task_label(name, protocol)}: other {' and '.join(changed)}"
    return ""


def build_gate(
    record: GateRecord | None, sides: tuple[str, str], names: Sequence[RunNames], places: Places
) -> GateSection:
    """Lay a gate out for readers.

    Args:
        record: the content of gate.json; None gives no section.
        sides: labels of baseline and candidate, see `gate_sides`.
        names: the runs of the report.
        places: of what the sample browser shows.
    """
    if record is None:
        return GateSection()
    base, candidate = sides
    conditions = list(dict.fromkeys(name for entry in names for name in entry.run.manifest.conditions))
    addresses = Addresses(places, conditions, base, candidate)
    rules = sorted(record.rules, key=lambda one: (SEVERITY.index(one.verdict), one.informational))
    defaults = record.policy.defaults
    correction = "Holm over all rules that count" if defaults.correction == "holm" else "none"
    facts = [
        f"{count(len(rules))} verdicts; one-sided alpha {defaults.alpha:g}; correction of FAIL: {correction}",
        f"an inconclusive rule: {defaults.on_inconclusive}",
        f"exit code {record.exit_code}",
    ]
    if record.today:
        facts.append(f"waivers as of {record.today}")
    return GateSection(
        record=record,
        baseline=base,
        candidate=candidate,
        sign=SIGNS[record.verdict],
        headline=_headline(record),
        facts=tuple(facts),
        sheet=_numbers(record.verdict, rules, addresses),
        reasons=tuple(_reason(one, addresses) for one in rules),
        pairs=tuple(dict.fromkeys(pair for one in rules for pair in addresses.pairs(one))),
    )


def _headline(record: GateRecord) -> str:
    waived = sum(one.verdict == "WAIVED" for one in record.rules)
    policy = record.policy.defaults.on_inconclusive
    said = {
        "PASS": "the candidate may replace the baseline" + (" (with waivers)" if waived else ""),
        "FAIL": "the candidate is shown to break at least one rule",
        "INCONCLUSIVE": f"neither a breach nor its absence is shown for at least one rule; by the policy that {_effect(policy, record.exit_code)}",
        "ERROR": "too many rows failed to judge; run the same command again",
        "INVALID": "at least one rule compares what cannot be compared",
    }
    return said[record.verdict]


def _effect(policy: str, code: int) -> str:
    if code:
        return "fails"
    return "passes" if policy == "pass" else "warns"


def _numbers(verdict: str, rules: Sequence[RuleRecord], addresses: Addresses) -> Sheet:
    caption = (
        f"{verdict}: rules on {addresses.candidate} against {addresses.base}, worst first; shares in %, differences in points with both"
        " one-sided limits; a linked number opens the samples"
    )
    return Sheet("gate", caption, _HEAD, tuple(_row(one, addresses) for one in rules), 4)


def _row(one: RuleRecord, addresses: Addresses) -> tuple[Entry, ...]:
    share, found = is_share(one.metric), one.evidence
    labels = tuple(words(text) for text in (_verdict(one), _rule(one), _label(one), _asks(one)))
    bound = _value(one.bound, share)
    if found is None:
        return (*labels, NOTHING, NOTHING, NOTHING, bound, NOTHING, NOTHING, NOTHING, NOTHING, NOTHING)
    level = found.delta is None
    candidate = _value(found.candidate, share, found.interval if level else None)
    size = items_text(found.n, found.clusters)
    lost = gained = NOTHING
    if level:
        candidate = _linked(candidate, addresses.wrong(one))
    else:
        lost = _linked(whole(one.lost.count), addresses.cell(one, "rw") if one.lost.count else "")
        gained = _linked(whole(one.gained.count), addresses.cell(one, "wr") if one.gained.count else "")
    adjusted = p_value(one.p_adjusted) if not one.informational else NOTHING
    return (
        *labels, NOTHING if found.base is None else _value(found.base, share), candidate,
        NOTHING if level else change(found.delta, found.interval, share=share), bound, lost, gained, p_value(found.p), adjusted,
        Entry(size, found.n),
    )  # fmt: skip


def _value(value: float, share: bool, limits: tuple[float, float] | None = None) -> Entry:
    if share:
        return rate(value, limits)
    text = f"{value:.4g}" if limits is None else f"{value:.4g} [{limits[0]:.4g}, {limits[1]:.4g}]"
    return Entry(text, value, *(limits or (None, None)))


def _linked(entry: Entry, link: str) -> Entry:
    return Entry(entry.text, entry.value, entry.low, entry.high, link)


def _reason(one: RuleRecord, addresses: Addresses) -> Reason:
    found = one.evidence
    how = "not judged"
    if found is not None:
        interval = "no interval"
        if found.interval is not None and found.interval_level is not None:
            interval = (
                f"{found.interval_level:.0%} interval: {_NAMES.get(found.interval_method or '', found.interval_method)}"
            )
        how = f"{interval}; test: {_NAMES.get(found.test, found.test)}"
    moved = tuple(
        Moved(word, part.count, tuple((item, addresses.item(one, item)) for item in part.items[:LISTED]))
        for word, part in (("lost", one.lost), ("gained", one.gained))
        if part.count
    )
    return Reason(SIGNS[one.verdict], _verdict(one), _rule(one), _label(one), one.message, how, tuple(one.notes), moved)


def _asks(one: RuleRecord) -> str:
    return f"{one.metric}: {one.kind.replace('_', '-')}"


def _verdict(one: RuleRecord) -> str:
    return f"{one.verdict} (informational)" if one.informational else one.verdict


def _rule(one: RuleRecord) -> str:
    parts = [*(["=".join(one.subset)] if one.subset else []), *([one.condition] if one.condition != "standard" else [])]
    return f"{one.id} ({', '.join(parts)})" if parts else one.id


def _label(one: RuleRecord) -> str:
    return task_label(one.task, one.protocol)
