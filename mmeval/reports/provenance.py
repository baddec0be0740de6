"""Where the numbers come from: the manifest, without private paths and hosts."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmeval.reports.format import count, json_text, public_text
from mmeval.reports.names import RunNames, task_label
from mmeval.reports.prompts import Prompt, first_prompts
from mmeval.runs.manifest import Manifest

Pairs = list[tuple[str, str]]

STATUS = {
    "complete": "complete",
    "incomplete": "incomplete: some samples ended in an error or were not scored; the same command asks them again",
    "interrupted": "interrupted: the same command goes on where it stopped",
    "running": "still running when this report was made",
}

_ARGUMENT = re.compile(
    r"(?P<lead>(?:-{1,2}[\w-]+=|[\w.-]{2,}[:=])*)(?P<path>~?/(?!/).*|(?:[A-Za-z]:)?\\.*|[A-Za-z]:/.*)", re.DOTALL
)
"""`--option=`, `backend:` or `key=`, and an absolute path."""
_SEPARATOR = r"[\\/]"


def _status(manifest: Manifest) -> str:
    if manifest.shard is not None:
        part = f"shard {manifest.shard.index} of {manifest.shard.count}: only a part of the run's samples"
        return part if manifest.status == "incomplete" else f"{part}; {STATUS[manifest.status]}"
    return STATUS[manifest.status]


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """One model and what served it."""

    label: str
    spec: str
    engine: str
    identity: str
    """Digest of weights, configuration, tokenizer and template; empty for what has none."""
    shared: bool
    details: Pairs


@dataclass(frozen=True, slots=True)
class JudgeFacts:
    """The judge of a run."""

    label: str
    spec: str
    engine: str
    identity: str
    shared: bool
    cards: Pairs
    """Judge card, and digest of its prompt, schema and decoding."""
    summary: Pairs


@dataclass(frozen=True, slots=True)
class TaskFacts:
    """One task, its data and the digests of its protocol."""

    label: str
    title: str
    protocol: str
    samples: str
    limited: bool
    digests: Pairs
    decoding: Pairs
    """Sampling values as asked for; empty where they are not recorded."""
    dataset: Pairs
    licence: str
    citation: str
    unverified: bool
    published: list[dict[str, str]]


@dataclass(frozen=True, slots=True)
class Provenance:
    """One run."""

    label: str
    command: str
    status: str
    complete: bool
    facts: Pairs
    counts: Pairs
    versions: Pairs
    notes: list[str]
    models: list[ModelFacts]
    judge: JudgeFacts | None
    tasks: list[TaskFacts]
    prompts: list[Prompt]


def provenance(entry: RunNames) -> Provenance:
    """Lay out the manifest of one run for readers."""
    manifest = entry.run.manifest
    seed = manifest.seeds.get("limit")
    facts: Pairs = [("Started", manifest.created)]
    if manifest.finished:
        facts.append(("Finished", manifest.finished))
    facts += [(f"Time, {name}", f"{seconds:,.1f} s") for name, seconds in sorted(manifest.timings.items())]
    facts += [("Conditions", ", ".join(manifest.conditions)), ("Repeats", str(manifest.repeats))]
    facts += [(f"Seed, {name}", str(value)) for name, value in sorted(manifest.seeds.items())]
    facts += [(f"Hardware, {name}", value) for name, value in _pairs(manifest.hardware)]
    if manifest.git:
        facts += [(f"Git, {name}", value) for name, value in _pairs(manifest.git)]
    facts += [("Configuration", manifest.config_digest[:16]), ("Run", manifest.run_id)]
    return Provenance(
        label=entry.label,
        command=public_command(manifest.command),
        status=_status(manifest),
        complete=manifest.status == "complete",
        facts=facts,
        counts=[(name.replace("_", " "), count(number)) for name, number in manifest.counts.items()],
        versions=sorted(manifest.versions.items()),
        notes=[public_text(note) for note in manifest.notes],
        models=[
            ModelFacts(
                label=entry.models[model.name],
                spec=public_text(model.spec),
                engine=f"{model.engine} {model.engine_version}".strip(),
                identity=model.identity_digest,
                shared=model.shared_identity,
                details=_pairs({**model.details, **{f"profile {key}": value for key, value in model.profile.items()}}),
            )
            for model in manifest.models
            if model.name in entry.models
        ],
        judge=_judge(manifest),
        prompts=first_prompts(entry),
        tasks=[
            TaskFacts(
                label=task_label(task.name, task.protocol),
                title=task.title,
                protocol=task.protocol,
                samples=_samples(task.samples, task.available, task.limit, seed),
                limited=task.available is not None and task.samples < task.available,
                digests=[
                    ("items", task.items_digest or "not known: some samples were not read"),
                    ("ask", task.ask_digest),
                    ("score", task.score_digest),
                ],
                decoding=_decoding(task.sampling, manifest),
                dataset=_pairs(task.dataset),
                licence=task.licence,
                citation=task.citation,
                unverified=task.status != "verified",
                published=[{key: str(value) for key, value in number.items()} for number in task.published],
            )
            for task in manifest.tasks
        ],
    )


def _judge(manifest: Manifest) -> JudgeFacts | None:
    judge = manifest.judge
    if judge is None:
        return None
    return JudgeFacts(
        label=public_text(judge.name),
        spec=public_text(judge.spec),
        engine=f"{judge.engine} {judge.engine_version}".strip(),
        identity=judge.identity_digest,
        shared=judge.shared_identity,
        cards=sorted(judge.cards.items()),
        summary=_pairs(judge.summary),
    )


def _decoding(sampling: Mapping[str, Any], manifest: Manifest) -> Pairs:
    """Every value as asked for; of older runs only what the user gave."""
    if sampling:
        left = [name for name, value in sampling.items() if value is None]
        given = [
            (name.replace("_", " "), json_text(value))
            for name, value in sampling.items()
            if value not in (None, [], ())
        ]
        return [*given, *([("left to the engine", ", ".join(left).replace("_", " "))] if left else [])]
    given_by_user = manifest.config.get("sampling")
    return _pairs(given_by_user) if isinstance(given_by_user, dict) else []


def public_command(arguments: Sequence[str]) -> str:
    """Return a command line without the folders of absolute paths and without the names of private hosts."""
    shown = [_public_argument(argument) for argument in arguments]
    if shown and re.fullmatch(r"(…/)?(__main__\.py|mmeval)", shown[0]):
        shown[0] = "mmeval"
    return " ".join(map(_quoted, shown))


def _public_argument(argument: str) -> str:
    # An argument is known as a whole, so that a folder with a blank in its name ends where the path ends.
    found = _ARGUMENT.fullmatch(argument)
    if found is None or "," in found["path"]:
        return public_text(argument)
    return f"{found['lead']}…/{re.split(_SEPARATOR, found['path'].rstrip('/'))[-1]}"


def _quoted(argument: str) -> str:
    return argument if re.fullmatch(r"[\w@%+=:,./…‹›#-]+", argument) else shlex.quote(argument)


def _samples(samples: int, available: int | None, limit: float | int | None, seed: int | None) -> str:
    if available is None or samples >= available:
        return f"all {count(samples)}" if available is not None else count(samples)
    drawn = "" if limit is None else f", drawn with --limit {limit:g}" + ("" if seed is None else f" and seed {seed}")
    return f"{count(samples)} of {count(available)}{drawn}"


def _pairs(values: Mapping[str, Any]) -> Pairs:
    """Flatten one level of nesting; leave out what is empty."""
    found: Pairs = []
    for name, value in values.items():
        if value is None or value in ("", [], {}):
            continue
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
        found.append((name.replace("_", " "), public_text(text)))
    return found
