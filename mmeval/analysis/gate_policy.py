"""The policy of `mmeval gate`: what a candidate must not do, in a YAML file that is checked before anything is read."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from mmeval.core.errors import MmevalError, UsageError, nearest
from mmeval.core.yaml_files import read_yaml
from mmeval.metrics import get_metric, list_metrics

Kind = Literal["floor", "ceiling", "non_inferiority", "no_regression", "equivalence"]
Direction = Literal["higher", "lower"]
OPERATIONAL: dict[str, Direction] = {
    "coverage": "higher",
    "truncation_rate": "lower",
    "extraction_failure_rate": "lower",
    "error_rate": "lower",
    "flip_rate": "lower",
}
"""Metrics of how the answers came about rather than whether they are right, and which way is better."""
BOUNDED_KINDS = ("floor", "ceiling")
LARGEST_POLICY = 2**20
"""Bytes; a policy beyond this is no policy."""

Name = Annotated[str, StringConstraints(min_length=1, max_length=500)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Defaults(_Section):
    """What holds for every rule."""

    alpha: float = Field(default=0.05, gt=0, lt=0.5, description="One-sided error rate of every decision.")
    cluster: Literal["auto", "none"] = Field(
        default="auto", description="auto: samples of one cluster are dependent; none: all are taken as independent."
    )
    correction: Literal["holm", "none"] = Field(
        default="holm", description="Correction of FAIL decisions over all rules that are not informational."
    )
    min_n: int = Field(default=30, ge=1, description="Fewer items than this make a rule INVALID.")
    on_inconclusive: Literal["warn", "fail", "pass"] = Field(
        default="warn", description="What INCONCLUSIVE does: warn and pass both end with exit code 0, fail with 4."
    )
    max_infra_error_rate: Share = Field(
        default=0.01, description="Largest share of rows in `error` or `unscored`; above it a rule is ERROR."
    )
    missing_items: Literal["error", "intersect"] = Field(
        default="error", description="error: both runs must have the same items; intersect: compare what both have."
    )
    discordance: list[Annotated[float, Field(gt=0, le=1)]] | None = Field(
        default=None, min_length=1, description="Shares of differing items that --plan assumes (default 0.1 and 0.2)."
    )
    min_power: float = Field(
        default=0.5, gt=0, lt=1, description="--plan refuses rules whose chance to pass or to detect is below this."
    )
    seed: int = Field(default=0, ge=0, description="Of permutation tests.")


class Rule(_Section):
    """One requirement, applied to every task that its pattern matches."""

    id: Name
    task: Name = Field(default="*", description="Task name, name@protocol, or a glob over either.")
    subset: str | None = Field(default=None, pattern=r"^[^=]+=.+$", description="column=label")
    metric: Name | None = Field(default=None, description="Default: the primary metric of each task.")
    condition: Name = "standard"
    kind: Kind
    margin: Positive | None = Field(default=None, description="Largest drop that may remain possible, as a fraction.")
    min_effect: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = Field(
        default=None, description="Drops smaller than this never fail."
    )
    value: Annotated[float, Field(allow_inf_nan=False)] | None = Field(default=None, description="Of floor or ceiling.")
    direction: Direction | None = Field(default=None, description="Which way the metric is better.")
    max_flip_rate: Share | None = Field(
        default=None, description="Ceiling of the share of items whose score differs from the baseline's."
    )
    informational: bool = Field(default=False, description="Shown, but without effect on the exit code.")

    @property
    def paired(self) -> bool:
        """Whether the rule compares candidate and baseline."""
        return self.kind not in BOUNDED_KINDS or self.metric == "flip_rate"

    @property
    def tolerance(self) -> float:
        """The drop that PASS has to rule out."""
        return self.margin if self.margin is not None else float(self.min_effect or 0.0)

    @property
    def harm(self) -> float:
        """The estimated drop from which on FAIL is possible."""
        smallest = float(self.min_effect or 0.0)
        return smallest if self.kind == "no_regression" else max(smallest, float(self.margin or 0.0))

    @model_validator(mode="after")
    def _check(self) -> Rule:
        needless: list[str]
        if self.kind in BOUNDED_KINDS:
            if self.value is None:
                raise ValueError(f"kind {self.kind} needs `value`")
            needless = ["margin", "min_effect", "direction", "max_flip_rate"]
        else:
            if self.metric == "flip_rate":
                raise ValueError("metric flip_rate is already a comparison: use kind ceiling")
            if self.kind == "no_regression" and not self.tolerance > 0:
                raise ValueError("kind no_regression needs `min_effect` above 0, or `margin`")
            if self.kind != "no_regression" and self.margin is None:
                raise ValueError(f"kind {self.kind} needs `margin`")
            needless = ["value", *(["direction"] if self.kind == "equivalence" else [])]
        for key in needless:
            if getattr(self, key) is not None:
                raise ValueError(f"kind {self.kind} has no `{key}`")
        if self.metric is not None and self.metric not in OPERATIONAL:
            try:
                get_metric(self.metric)
            except MmevalError as error:
                close = nearest(self.metric, [*OPERATIONAL, *list_metrics()])
                hint = f"did you mean {' or '.join(close)}?" if close else error.remedy
                raise ValueError(f"{error.message}; {hint}") from error
        return self

    def better(self, metric: str) -> Direction:
        """Which way `metric` is better under this rule."""
        if self.direction is not None:
            return self.direction
        return OPERATIONAL[metric] if metric in OPERATIONAL else get_metric(metric).better


class Waiver(_Section):
    """A failure that is known and accepted until a date."""

    rule: Name
    until: datetime.date = Field(description="Last day on which the waiver holds (UTC).")
    reason: Name
    by: Name


class Policy(_Section):
    """A whole policy file."""

    version: Literal[1]
    defaults: Defaults = Field(default_factory=Defaults)
    calibration: Name | None = Field(
        default=None,
        description="File of `mmeval gate --calibrate`, relative to the policy; smaller margins are refused.",
    )
    rules: list[Rule] = Field(min_length=1, max_length=5000)
    waivers: list[Waiver] = Field(default_factory=list)

    @model_validator(mode="after")
    def _check(self) -> Policy:
        names: set[str] = set()
        limits = [f"{rule.id}/flips" for rule in self.rules if rule.max_flip_rate is not None]
        for name in [*(rule.id for rule in self.rules), *limits]:
            if name in names:
                raise ValueError(f"two rules have the id {name!r}")
            names.add(name)
        waived = [waiver.rule for waiver in self.waivers]
        for name in waived:
            if name not in names:
                close = nearest(name, names)
                raise ValueError(
                    f"waiver of an unknown rule {name!r}" + (f" (did you mean {close[0]}?)" if close else "")
                )
        return self


def policy_schema() -> dict[str, Any]:
    """Return the JSON Schema of a policy file, which `gate.schema.json` holds for editors and CI."""
    schema = Policy.model_json_schema()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "mmeval gate policy, version 1",
        **{key: value for key, value in schema.items() if key != "title"},
    }


def load_policy(path: Path) -> Policy:
    """Read and check a policy file.

    Raises:
        UsageError: naming file, key and remedy, for a file that cannot be read or does not follow the schema.
    """
    raw = _read(path)
    if not isinstance(raw, dict):
        raise UsageError(
            f"{path}: a policy is a mapping with `version` and `rules`", remedy="docs/gate.md has an example"
        )
    try:
        return Policy.model_validate(raw)
    except ValidationError as error:
        lines = [_problem(entry, raw) for entry in error.errors()[:10]]
        raise UsageError(f"{path}: " + f"\n{path}: ".join(lines), remedy="docs/gate.md describes every key") from error


def _read(path: Path) -> Any:
    try:
        if path.stat().st_size > LARGEST_POLICY:
            raise UsageError(f"{path} is larger than 1 MiB", remedy="give a policy file")
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}", remedy="check the name of the policy") from error
    return read_yaml(path)


def _problem(entry: Any, raw: dict[str, Any]) -> str:
    location = entry["loc"]
    key = ".".join(str(part) for part in location)
    rules = raw.get("rules")
    if len(location) > 1 and location[0] == "rules" and isinstance(rules, list) and isinstance(location[1], int):
        given = rules[location[1]]
        if isinstance(given, dict) and isinstance(given.get("id"), str):
            key = ".".join([f"rule {given['id']!r}", *(str(part) for part in location[2:])])
    if entry["type"] != "extra_forbidden":
        return f"{key or 'policy'}: {entry['msg'].removeprefix('Value error, ')}"
    sections: dict[Any, type[BaseModel]] = {"rules": Rule, "waivers": Waiver, "defaults": Defaults}
    model = sections.get(location[0], Policy) if len(location) > 1 else Policy
    close = nearest(str(location[-1]), model.model_fields)
    return f"{key}: unknown key" + (f" (did you mean {' or '.join(close)}?)" if close else "")
