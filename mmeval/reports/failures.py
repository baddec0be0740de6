"""What a report must say first when a model, or the whole run, has nothing to show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from mmeval.reports.format import count, plural, public_text
from mmeval.reports.names import RunNames
from mmeval.runs.manifest import Manifest

SHOWN_REASONS = 3
REASON_LIMIT = 200
"""Characters of one reason."""


@dataclass(slots=True)
class _Rows:
    outcomes: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)


def empty_notices(names: Sequence[RunNames]) -> tuple[int, list[str]]:
    """Count all rows, and say of every model without a single scored answer what happened to it.

    Returns:
        The number of rows in all runs, and the notices in the order of the runs.
    """
    total, notices = 0, []
    for entry in names:
        found = {model: _Rows() for model in entry.models}
        for row in entry.run.rows("results", ("outcome", "error", "reason")):
            rows = found[row["model"]]
            rows.outcomes[row["outcome"]] += 1
            if row["outcome"] not in ("scored", "no_answer"):
                reason = (row["error"] or row["reason"] or row["outcome"]).strip().splitlines()
                rows.reasons[public_text(reason[0])[:REASON_LIMIT] if reason else row["outcome"]] += 1
        here = sum(rows.outcomes.total() for rows in found.values())
        total += here
        if not here:
            notices.append(f"{entry.label} has no rows: {_why_empty(entry.run.manifest)}.")
            continue
        for model, label in entry.models.items():
            if notice := _notice(label, found[model]):
                notices.append(notice)
    return total, notices


def _why_empty(manifest: Manifest) -> str:
    stopped = [note for note in manifest.notes if note.startswith("stopped early")]
    if stopped:
        return "; ".join(stopped)
    if manifest.status == "interrupted":
        return "it was interrupted before the first answer was finished; the same command goes on where it stopped"
    if manifest.status == "running":
        return "it is still running, or was ended before it could write its results; run the same command again"
    return "the tasks had no samples to ask"


def _notice(label: str, rows: _Rows) -> str:
    asked = rows.outcomes.total()
    if not asked:
        return f"{label} was not asked."
    if rows.outcomes["scored"] + rows.outcomes["no_answer"]:
        return ""
    outcomes = ", ".join(f"{count(number)} {name}" for name, number in rows.outcomes.most_common())
    reasons = sorted(rows.reasons.items(), key=lambda entry: (-entry[1], entry[0]))
    shown = "; ".join(f"{reason} ({count(number)}×)" for reason, number in reasons[:SHOWN_REASONS])
    more = f"; and {plural(len(reasons) - SHOWN_REASONS, 'further reason')}" if len(reasons) > SHOWN_REASONS else ""
    return f"{label}: none of {plural(asked, 'row')} could be scored ({outcomes}). Why: {shown}{more}"
