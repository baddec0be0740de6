"""Addresses in the page that show what a rule of a gate counted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from mmeval.analysis.gate_policy import OPERATIONAL
from mmeval.metrics import get_metric
from mmeval.reports.comparison import CELLS, Places
from mmeval.reports.gate_record import RuleRecord
from mmeval.reports.names import record_key, task_label


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the sample browser shows what a rule counted."""

    places: Places
    conditions: Sequence[str]
    base: str
    candidate: str

    def cell(self, one: RuleRecord, cell: str) -> str:
        """Address of one cell of the 2x2 table; nothing where the browser's right and wrong are not the metric's."""
        if not self._decides(one) or one.evidence is None or one.evidence.table is None:
            return ""
        return self._hash(one, pair=self._pair(one, cell))

    def wrong(self, one: RuleRecord) -> str:
        """Address of what a floor or a ceiling counted against the candidate, where the browser can show it."""
        if len(self.conditions) != 1 or not self._known(one):
            return ""
        if one.evidence is None or one.evidence.candidate == (0 if one.metric in OPERATIONAL else 1):
            return ""
        model = str(self.places.models[self.candidate])
        if one.metric == "extraction_failure_rate":
            return self._hash(one, model=model, outcome="no_answer")
        return self._hash(one, model=model, correct="wrong") if self._decides(one) else ""

    def item(self, one: RuleRecord, sample: str) -> str:
        """Address of one sample; nothing for a metric whose units are groups."""
        if not self._known(one) or one.metric in OPERATIONAL or get_metric(one.metric).form is not None:
            return ""
        return "#" + urlencode({"s": record_key(one.task, one.protocol, sample, None)})

    def pairs(self, one: RuleRecord) -> Iterator[tuple[str, str]]:
        """The filters by two models that `cell` uses."""
        if not self.cell(one, "rw"):
            return
        under = "" if one.condition == "standard" else f" ({one.condition})"
        for cell in CELLS:
            first, second = ("right" if letter == "r" else "wrong" for letter in cell)
            yield self._pair(one, cell), f"{self.base} {first}, {self.candidate} {second}{under}"

    def _pair(self, one: RuleRecord, cell: str) -> str:
        models = self.places.models
        return f"{models[self.base]}-{models[self.candidate]}-{self.conditions.index(one.condition)}-{cell}"

    def _decides(self, one: RuleRecord) -> bool:
        """Whether the metric is right or wrong as the browser shows it."""
        if not self._known(one) or one.metric in OPERATIONAL:
            return False
        metric = get_metric(one.metric)
        return metric.source == "correct" and metric.form is None

    def _known(self, one: RuleRecord) -> bool:
        return task_label(one.task, one.protocol) in self.places.tasks and one.condition in self.conditions

    def _hash(self, one: RuleRecord, **filters: str) -> str:
        given = {**filters, "task": str(list(self.places.tasks).index(task_label(one.task, one.protocol)))}
        if one.subset is not None:
            given["subset"] = "\0".join(one.subset)
        return "#" + urlencode(given)
