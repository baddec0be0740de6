"""The content of gate.json, as far as a report shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, field_validator

from mmeval.analysis.gate import Verdict
from mmeval.analysis.gate_policy import OPERATIONAL, Policy
from mmeval.core.errors import UsageError


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)


class TaskDigests(_Part):
    """One task of a side, with the digests that say what was compared."""

    task: str
    protocol: str
    items_digest: str | None
    ask_digest: str
    score_digest: str


class SideRecord(_Part):
    """Baseline or candidate."""

    label: str
    run: str
    """Name of the folder."""
    model: str
    identity_digest: str
    config_digest: str
    status: str
    tasks: list[TaskDigests]


class TableRecord(_Part):
    """The 2x2 table."""

    both_right: int
    base_only: int
    candidate_only: int
    both_wrong: int


class EvidenceRecord(_Part):
    """What the data of one rule say."""

    n: int
    clusters: int
    base: float | None
    candidate: float
    delta: float | None
    interval: tuple[float, float] | None
    interval_level: float | None
    interval_method: str | None
    test: str
    p: float
    table: TableRecord | None


class MovedRecord(_Part):
    """Items whose value changed."""

    count: int
    items: list[str]


class RuleRecord(_Part):
    """One rule on one task."""

    id: str
    task: str
    protocol: str
    condition: str
    metric: str
    subset: tuple[str, str] | None
    kind: str
    informational: bool
    verdict: Verdict
    message: str
    notes: list[str]
    margin: float | None
    min_effect: float | None
    value: float | None
    p_adjusted: float | None
    evidence: EvidenceRecord | None
    lost: MovedRecord
    gained: MovedRecord

    @field_validator("metric")
    @classmethod
    def _known_metric(cls, name: str) -> str:
        from mmeval.metrics import get_metric

        if name not in OPERATIONAL:
            try:
                get_metric(name)
            except UsageError as error:
                raise ValueError(error.message) from error
        return name

    @property
    def bound(self) -> float:
        """Value of a floor or a ceiling, else the drop that has to be ruled out."""
        return next((one for one in (self.value, self.margin, self.min_effect) if one is not None), 0.0)


class GateRecord(_Part):
    """A whole gate."""

    schema_: Literal[1] = Field(alias="schema")
    kind: Literal["gate"]
    verdict: Verdict
    exit_code: int
    reason: str
    baseline: SideRecord
    candidate: SideRecord
    today: str | None
    policy: Policy
    rules: list[RuleRecord]

    @classmethod
    def of(cls, content: Any) -> GateRecord:
        """Read what `gate_json` returns."""
        return cls.model_validate(orjson.loads(orjson.dumps(content)))

    @field_validator("verdict")
    @classmethod
    def _overall(cls, verdict: Any) -> Any:
        if verdict == "WAIVED":
            raise ValueError("a gate as a whole is never WAIVED")
        return verdict


@dataclass(frozen=True, slots=True)
class ShownGate:
    """A gate that a report shows."""

    record: GateRecord
    sides: tuple[str, str] | None = None
    """Labels of baseline and candidate in the report; found by their digests when None."""
