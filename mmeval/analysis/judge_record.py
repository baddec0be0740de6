"""The content of a judge's calibration file, which reports read too."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, TypeAlias

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mmeval.analysis.judge_rows import Column
from mmeval.core.errors import DataError
from mmeval.stats.intervals import Interval

CorrectionMethod: TypeAlias = Literal["ppi", "rogan-gladen"]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Figure(_Record):
    """One number with its interval."""

    name: str
    value: float | None = Field(allow_inf_nan=False)
    """None where the data leave it undefined; the note says why."""
    low: float | None = Field(default=None, allow_inf_nan=False)
    high: float | None = Field(default=None, allow_inf_nan=False)
    method: str | None = None
    """Of the interval."""
    n: int = Field(ge=0)
    """Answers that went in."""
    note: str = ""


class Counts(_Record):
    """Answers by human and judge verdict."""

    both_right: int = Field(ge=0)
    judge_only: int = Field(ge=0)
    """Called right by the judge, wrong by the human."""
    human_only: int = Field(ge=0)
    both_wrong: int = Field(ge=0)


class Quality(_Record):
    """The judge on one group of labelled answers."""

    group: dict[str, str] = Field(default_factory=dict)
    """Column and label; empty for all labelled answers."""
    n: int = Field(ge=1)
    clusters: int = Field(ge=1)
    counts: Counts | None
    """None for grades."""
    figures: list[Figure]
    note: str = ""

    def find(self, name: str) -> Figure:
        """The figure of this name.

        Raises:
            KeyError: when there is none.
        """
        found = {figure.name: figure for figure in self.figures}
        return found[name]


class Correction(_Record):
    """One model's score on one task, as the judge gives it and corrected for the judge's errors."""

    model: str
    task: str
    protocol: str
    condition: str
    method: CorrectionMethod
    labelled: int = Field(ge=0)
    unlabelled: int = Field(ge=0)
    clusters: int = Field(ge=0)
    raw: Figure
    corrected: Figure
    weight: float | None = Field(default=None, allow_inf_nan=False)
    """Weight that PPI++ gives the judge: 0 ignores it."""


class CardSource(_Record):
    """The judge card that the calibration is about."""

    version: str
    digest: str
    """Of everything in the card that can change a verdict: a card with another one is another judge."""


class LabelSource(_Record):
    """The label file."""

    file: str
    """Its name, without the folder."""
    sha256: str
    labels: int = Field(ge=1)
    """Human labels in it."""
    left_out: dict[str, int] = Field(default_factory=dict)
    """Rows that are not used, by reason."""


class RunSource(_Record):
    """The run that the judge's verdicts come from."""

    name: str
    config_digest: str
    models: list[str]
    decided_by: dict[str, int]
    """Verifiers (and judge models) of the labelled rows, with how many rows each decided."""


class JudgeCalibration(_Record):
    """The file that `mmeval judge calibrate --out` writes."""

    schema_version: Literal[1] = 1
    kind: Literal["judge-calibration"] = "judge-calibration"
    judge: str
    card: CardSource | None = None
    """None where no judge card has this name (a rule, a person, a judge from elsewhere)."""
    scale: Literal["binary", "graded"]
    column: Column | None
    """Column of the run that held the verdicts; None where the label file has them."""
    level: float = Field(gt=0, lt=1)
    resamples: int
    seed: int
    labels: LabelSource
    run: RunSource | None = None
    overall: Quality
    groups: list[Quality] = Field(default_factory=list)
    corrections: list[Correction] = Field(default_factory=list)
    notes: list[str] = Field(default_factory=list)


def figure(name: str, value: float | None, interval: Interval | None, n: int, note: str = "") -> Figure:
    """Build a figure from what `mmeval.stats` returns."""
    if interval is None:
        return Figure(name=name, value=value, n=n, note=note)
    return Figure(name=name, value=value, low=interval.low, high=interval.high, method=interval.method, n=n, note=note)


def calibration_schema() -> dict[str, Any]:
    """Return the JSON Schema of a calibration file, which `judge_calibration.schema.json` holds."""
    schema = JudgeCalibration.model_json_schema(mode="serialization")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "mmeval judge calibration, version 1",
        **{key: value for key, value in schema.items() if key != "title"},
    }


def load_judge_calibration(path: Path) -> JudgeCalibration:
    """Read a calibration file.

    Raises:
        DataError: naming file and key.
    """
    remedy = "write it with `mmeval judge calibrate JUDGE --labels FILE --out FILE`"
    try:
        return JudgeCalibration.model_validate(orjson.loads(path.read_bytes()))
    except OSError as error:
        raise DataError(f"cannot read judge calibration {path}: {error.strerror}", remedy=remedy) from error
    except orjson.JSONDecodeError as error:
        raise DataError(f"{path}: not JSON: {error}", remedy=remedy) from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise DataError(f"{path}: key {key}: {first['msg']}", remedy=remedy) from error
