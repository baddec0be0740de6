"""Verdicts and plans of a gate as plain data: the content of gate.json."""

from __future__ import annotations

from typing import Any

from mmeval.analysis.comparison import table_json
from mmeval.analysis.gate import Finding, GateReport
from mmeval.analysis.gate_data import Target
from mmeval.analysis.gate_plan import Plan, Planned
from mmeval.analysis.gate_verdicts import Evidence
from mmeval.analysis.pairing import Side

SCHEMA = 1
LISTED_ITEMS = 200
"""Items of each direction that are listed by rule; the counts are always complete."""


def gate_json(report: GateReport) -> dict[str, Any]:
    """Everything that is needed to read a verdict, and to compute it again. Equal inputs give equal data."""
    return {
        "schema": SCHEMA,
        "kind": "gate",
        "verdict": report.verdict,
        "exit_code": report.exit_code,
        "reason": report.reason,
        "baseline": side_json(report.baseline),
        "candidate": side_json(report.candidate),
        # The date decides about waivers and about nothing else.
        "today": report.today.isoformat() if report.policy.waivers else None,
        "policy": report.policy.model_dump(mode="json"),
        "rules": [finding_json(one) for one in report.findings],
    }


def side_json(side: Side) -> dict[str, Any]:
    """A run with the digests that say what was compared."""
    manifest = side.run.manifest
    model = next(record for record in manifest.models if record.name == side.model)
    return {
        "label": side.label,
        "run": side.run.path.name,
        "model": side.model,
        "identity_digest": model.identity_digest,
        "config_digest": manifest.config_digest,
        "status": manifest.status,
        "repeats": manifest.repeats,
        "tasks": [
            {
                "task": record.name,
                "protocol": record.protocol,
                "items_digest": record.items_digest,
                "ask_digest": record.ask_digest,
                "score_digest": record.score_digest,
            }
            for record in manifest.tasks
        ],
    }


def finding_json(one: Finding) -> dict[str, Any]:
    """One rule on one task."""
    return {
        "id": one.check.id,
        **_target_json(one.check.target),
        "kind": one.check.rule.kind,
        "informational": one.check.rule.informational,
        "verdict": one.verdict,
        "message": one.message,
        "notes": list(one.notes),
        "margin": one.check.rule.margin,
        "min_effect": one.check.rule.min_effect,
        "value": one.check.rule.value,
        "p_adjusted": one.p_adjusted,
        "evidence": None if one.evidence is None else _evidence_json(one.evidence),
        "lost": {"count": len(one.lost), "items": list(one.lost[:LISTED_ITEMS])},
        "gained": {"count": len(one.gained), "items": list(one.gained[:LISTED_ITEMS])},
        "waiver": None if one.waiver is None else {**one.waiver.model_dump(mode="json"), "expired": one.expired},
    }


def plan_json(plan: Plan) -> dict[str, Any]:
    """The power of every rule."""
    return {
        "schema": SCHEMA,
        "kind": "gate-plan",
        "baseline": plan.baseline,
        "refused": [one.check.id for one in plan.refused],
        "alpha_adjusted": plan.alpha_adjusted,
        "policy": plan.policy.model_dump(mode="json"),
        "rules": [_planned_json(one) for one in plan.rules],
    }


def _planned_json(one: Planned) -> dict[str, Any]:
    return {
        "id": one.check.id,
        **_target_json(one.check.target),
        "kind": one.check.rule.kind,
        "informational": one.check.rule.informational,
        "n": one.n,
        "clusters": one.clusters,
        "design_effect": one.design_effect,
        "drop": one.drop,
        "scenarios": [
            {"discordance": each.discordance, "passes": each.passes, "detects": each.detects} for each in one.scenarios
        ],
        "problem": one.problem or None,
    }


def _target_json(target: Target) -> dict[str, Any]:
    return {
        "task": target.task,
        "protocol": target.protocol,
        "condition": target.condition,
        "metric": target.metric,
        "subset": list(target.subset) if target.subset else None,
    }


def _evidence_json(found: Evidence) -> dict[str, Any]:
    interval, table = found.interval, found.table
    return {
        "n": found.n,
        "clusters": found.clusters,
        "base": found.base,
        "candidate": found.candidate,
        "delta": found.delta,
        "standard_error": found.standard_error,
        "interval": None if interval is None else [interval.low, interval.high],
        "interval_level": None if interval is None else interval.level,
        "interval_method": None if interval is None else interval.method,
        "shown": found.shown,
        "harmful": found.harmful,
        "test": found.test,
        "p": found.p,
        "mde": found.mde,
        "items_needed": found.needed,
        "table": table_json(table),
    }
