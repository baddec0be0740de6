"""Published numbers beside the run's own, where the protocol, the metric and the samples are the same ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mmeval.core.errors import MmevalError
from mmeval.metrics import get_metric
from mmeval.reports.format import count, plural, value_text
from mmeval.reports.names import RunNames, task_label
from mmeval.reports.sheets import Entry, Sheet, words
from mmeval.reports.tables import STANDARD
from mmeval.runs.folder import Run
from mmeval.runs.manifest import TaskRecord


@dataclass(frozen=True, slots=True)
class PublishedNumber:
    """One number that somebody else has measured."""

    model: str
    """As the card names it; no model of the report need be this one."""
    value: Entry
    metric: str
    protocol: str
    source: str


@dataclass(frozen=True, slots=True)
class PublishedRow:
    """What stands below one task."""

    numbers: tuple[PublishedNumber, ...]
    samples: str = ""
    """Of the data set, all of which both are about; empty where nothing is shown."""
    withheld: str = ""
    """Why numbers under this protocol are not set beside those of the report; empty when they are."""


def published_rows(names: Sequence[RunNames]) -> dict[str, PublishedRow]:
    """Return, by label of the task, what the cards of the runs hold under the task's own protocol and first metric."""
    found: dict[str, PublishedRow] = {}
    for entry in names:
        if STANDARD not in entry.run.manifest.conditions:
            continue
        for record in entry.run.manifest.tasks:
            numbers = _numbers(record)
            if not numbers:
                continue
            label = task_label(record.name, record.protocol)
            known = found.get(label, PublishedRow(()))
            reason = _reason(entry.run, record)
            if reason and len(names) > 1:
                reason = f"{entry.label}: {reason}"
            found[label] = PublishedRow(
                tuple(dict.fromkeys((*known.numbers, *numbers))),
                count(record.samples),
                known.withheld or reason,
            )
    return {label: _settled(row) for label, row in found.items()}


def published_sheet(rows: Mapping[str, PublishedRow]) -> Sheet | None:
    """The numbers that the page shows beside its own."""
    lines = tuple(
        (words(label), words(one.model), words(one.metric), one.value, words(one.protocol), words(one.source))
        for label, row in rows.items()
        for one in row.numbers
    )
    if not lines:
        return None
    caption = "Published numbers of the same protocol, metric and number of samples; not measured in this report"
    return Sheet("published", caption, ("Task", "Published model", "Metric", "Value", "Protocol", "Source"), lines, 3)


def _settled(row: PublishedRow) -> PublishedRow:
    if not row.withheld:
        return row
    number = len(row.numbers)
    what = (
        f"{plural(number, 'published number')} of this protocol {'is' if number == 1 else 'are'} not set beside these"
    )
    return PublishedRow((), "", f"{what}: {row.withheld}. They stand in Provenance.")


def _numbers(record: TaskRecord) -> list[PublishedNumber]:
    return [
        PublishedNumber(
            str(one["model"]),
            Entry(value_text(one["value"], record.metrics[0]), one["value"]),
            record.metrics[0],
            record.protocol,
            str(one["source"]),
        )
        for one in record.published
        if one["protocol"] == record.protocol and _same(str(one["metric"]), record.metrics[0])
    ]


def _same(name: str, metric: str) -> bool:
    """Whether a card's name of a metric is the run's metric, in whatever way each is written."""
    try:
        return get_metric(name).name == get_metric(metric).name
    except MmevalError:
        return False


def _reason(run: Run, record: TaskRecord) -> str:
    """Why the run is no repetition of the published setting; '' where it is one as far as its manifest tells."""
    whole = record.expected if record.expected is not None else record.available
    if whole is None:
        return "how many samples the data set has is not known"
    if record.samples != whole or run.manifest.shard is not None:
        return f"they are of {count(whole)} samples, and {count(record.samples)} were asked here"
    if record.changed:
        return f"the run changed {', '.join(record.changed)}"
    return ""
