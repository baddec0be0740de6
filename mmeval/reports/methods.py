"""A methods paragraph for a paper: what was done in these very runs, with the works that it rests on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from mmeval import __version__
from mmeval.reports.bibliography import card_works
from mmeval.reports.comparison import ComparisonSection
from mmeval.reports.format import count, percent, plural, public_text
from mmeval.reports.gate_section import GateSection
from mmeval.reports.methods_tests import comparisons, estimates, gated
from mmeval.reports.methods_text import Cite, Methods, Piece, Text, listed, words_of
from mmeval.reports.names import RunNames, task_label
from mmeval.reports.perception import Perception
from mmeval.reports.tables import Cell, Tables
from mmeval.runs.manifest import Manifest, TaskRecord

STANDARD = "standard"
_ENGINES = {
    "hf": ("Hugging Face transformers", "wolf2020transformers"),
    "vllm": ("vLLM", "kwon2023vllm"),
    "lmdeploy": ("LMDeploy", "lmdeploy"),
}
_SAMPLING = {
    "temperature": "temperature", "top_p": "top-p", "top_k": "top-k", "min_p": "min-p",
    "repetition_penalty": "repetition penalty",
}  # fmt: skip


def build_methods(
    names: Sequence[RunNames], tables: Tables, comparison: ComparisonSection, perception: Perception, gate: GateSection
) -> Methods:
    """Say what was done, from the manifests and from what the report computed.

    Args:
        names: the runs of the report.
        tables: its leaderboard.
        comparison: its comparison of models.
        perception: its diagnoses.
        gate: its gate.
    """
    text = Text()
    for part in (
        _models(text, names),
        _decoding(names),
        _tasks(text, names, tables),
        _conditions(names, perception),
        _judges(text, names),
        _coverage(names, tables),
    ):
        text.say(part)
    text.end()
    for part in (estimates(text, tables), comparisons(text, comparison), gated(text, gate)):
        text.say(part)
    text.end()
    text.say(_record(names))
    text.end()
    return Methods(tuple(text.paragraphs), tuple(text.books.works))


def _models(text: Text, names: Sequence[RunNames]) -> Iterator[list[Piece]]:
    groups: dict[tuple[str, str], list[str]] = {}
    for entry in names:
        for record in entry.run.manifest.models:
            if record.name in entry.models:
                groups.setdefault((record.engine, record.engine_version), []).append(entry.models[record.name])
    imported = [label for (engine, _), labels in groups.items() if engine == "imported" for label in labels]
    guessers = [label for (engine, _), labels in groups.items() if engine == "chance" for label in labels]
    asked = {place: labels for place, labels in groups.items() if place[0] not in ("imported", "chance")}
    if asked:
        everyone = [label for labels in asked.values() for label in labels]
        yield [f"We evaluated {words_of(everyone)} with mmeval {__version__}", *text.cite("mmeval"), "."]
    for (engine, version), labels in asked.items():
        who = words_of(labels) if len(asked) > 1 else "It" if len(labels) == 1 else "They"
        verb = "was" if len(labels) == 1 else "were"
        yield [f"{who} {verb} ", *_served(text, engine, version), "."]
    if imported:
        verb = "were" if asked else "were scored with mmeval " + __version__
        cite = [] if asked else text.cite("mmeval")
        one = "Predictions of " + words_of(imported)
        if asked:
            yield [f"{one} were imported; how they were generated is not part of this record."]
        else:
            yield [
                f"{one} {verb}",
                *cite,
                "; they were imported, and how they were generated is not part of this record.",
            ]
    if guessers:
        lead = "" if asked or imported else f"with mmeval {__version__} "
        cite = [] if asked or imported else text.cite("mmeval")
        yield (
            [f"{words_of(guessers)} guesses without looking {lead}", *cite, "and serves as a reference."]
            if lead
            else [f"{words_of(guessers)} guesses without looking and serves as a reference."]
        )


def _served(text: Text, engine: str, version: str) -> list[Piece]:
    if engine in _ENGINES:
        name, key = _ENGINES[engine]
        return [f"run with {name} {version}".rstrip(), *text.cite(key)]
    if engine == "openai":
        return ["asked at an OpenAI-compatible endpoint" + (f" ({version})" if version else "")]
    if engine == "replay":
        return ["given by recorded answers that were replayed"]
    return [f"run with the engine {engine} {version}".rstrip()]


def _asked_runs(names: Sequence[RunNames]) -> list[Manifest]:
    """Runs in which a model generated text."""
    silent = {"imported", "chance", "replay"}
    found = []
    for entry in names:
        engines = {record.engine for record in entry.run.manifest.models if record.name in entry.models}
        if engines - silent:
            found.append(entry.run.manifest)
    return found


def _decoding(names: Sequence[RunNames]) -> Iterator[list[Piece]]:
    runs = _asked_runs(names)
    if not runs:
        return
    ways: dict[str, list[str]] = {}
    for manifest in runs:
        for task in manifest.tasks:
            if task.sampling:
                labels = ways.setdefault(_sampling(task.sampling), [])
                labels += [label for label in [task_label(task.name, task.protocol)] if label not in labels]
    if not ways:
        given = {key: value for manifest in runs for key, value in (manifest.config.get("sampling") or {}).items()}
        told = f", with {words_of(f'{key} {value}' for key, value in sorted(given.items()))}" if given else ""
        yield [f"Decoding followed the protocols of the tasks{told}."]
    elif len(ways) == 1:
        yield [f"Decoding: {next(iter(ways))}."]
    else:
        yield ["Decoding: " + "; ".join(f"{way} ({words_of(labels)})" for way, labels in ways.items()) + "."]
    repeats = sorted({manifest.repeats for manifest in runs})
    seeds = sorted({manifest.seeds["run"] for manifest in runs if "run" in manifest.seeds})
    if repeats[-1] > 1:
        fixed = all(manifest.config.get("repeats") for manifest in runs)
        times = words_of(map(str, repeats), "or")
        seeded = f", with seeds derived from {words_of(map(str, seeds))}, the sample and the repeat" if seeds else ""
        yield [
            f"Every sample was asked {'' if fixed else 'up to '}{times} times{seeded}; its answers were averaged or combined as the metric says."
        ]


def _sampling(values: dict[str, Any]) -> str:
    temperature = values.get("temperature")
    parts = ["greedy (temperature 0)"] if temperature == 0 else []
    for name, word in _SAMPLING.items():
        value = values.get(name)
        if value is not None and not (name == "temperature" and value == 0):
            parts.append(f"{word} {value:g}")
    if temperature is None:
        parts.append("temperature as the engine chooses")
    if values.get("max_tokens") is not None:
        parts.append(f"at most {count(values['max_tokens'])} new tokens")
    if values.get("stop"):
        parts.append(f"{plural(len(values['stop']), 'stop string')}")
    return ", ".join(parts)


def _tasks(text: Text, names: Sequence[RunNames], tables: Tables) -> Iterator[list[Piece]]:
    records: dict[tuple[str, str], list[TaskRecord]] = {}
    for entry in names:
        for task in entry.run.manifest.tasks:
            records.setdefault((task.name, task.protocol), []).append(task)
    cells = _cells_by_task(tables)
    parts = []
    for (name, protocol), found in records.items():
        task = found[0]
        pieces: list[Piece] = [public_text(task.title or name)]
        pieces += _sources(text, task)
        label = task_label(name, protocol)
        pieces.append(f" ({public_text(label)}; {'; '.join(_facts(found, cells.get(label, [])))})")
        parts.append(pieces)
    if parts:
        noun = "task was" if len(parts) == 1 else f"{count(len(parts))} tasks were"
        yield [f"The {noun} ", *listed(parts), "."]
    unverified = [public_text(found[0].title) for found in records.values() if found[0].status != "verified"]
    if unverified:
        yield [
            f"The task {'card' if len(unverified) == 1 else 'cards'} of {words_of(unverified)} {'was' if len(unverified) == 1 else 'were'} not checked against real data."
        ]


def _sources(text: Text, task: TaskRecord) -> list[Piece]:
    kind = task.dataset.get("kind")
    if not task.citation and (kind == "synthetic" or task.name.startswith("synthetic/")):
        return [", generated by mmeval", *text.cite("mmeval")]
    if not task.citation and kind != "hub":
        return []
    keys = tuple(text.books.add(work) for work in card_works(task.citation, task.title, task.dataset))
    return [Cite(tuple(dict.fromkeys(keys)))] if keys else []


def _facts(found: Sequence[TaskRecord], cells: Sequence[Cell]) -> Iterator[str]:
    sizes = dict.fromkeys(_size(task) for task in found)
    yield words_of(sizes, "or")
    estimates = [cell.row.estimate for cell in cells]
    clusters = sorted({one.clusters for one in estimates if one.clusters < one.n})
    if clusters:
        span = count(clusters[0]) if len(clusters) == 1 else f"{count(clusters[0])} to {count(clusters[-1])}"
        yield f"{span} {'cluster' if clusters == [1] else 'clusters'}"
    yield f"metric {' and '.join(dict.fromkeys(task.metrics[0] for task in found if task.metrics))}"


def _size(task: TaskRecord) -> str:
    if task.available is not None and task.samples < task.available:
        return f"{count(task.samples)} of {count(task.available)} samples"
    return plural(task.samples, "sample")


def _cells_by_task(tables: Tables) -> dict[str, list[Cell]]:
    return {
        row.label: [cell for cell in row.present if cell.column.condition in ("", STANDARD)]
        for family in tables.families
        for row in family.rows
    }


def _conditions(names: Sequence[RunNames], perception: Perception) -> Iterator[list[Piece]]:
    limited = [
        task
        for entry in names
        for task in entry.run.manifest.tasks
        if task.available and task.samples < task.available and task.limit is not None
    ]
    if limited:
        seeds = sorted({entry.run.manifest.seeds["limit"] for entry in names if "limit" in entry.run.manifest.seeds})
        seeded = f" with seed {words_of(map(str, seeds))}" if seeds else ""
        yield [f"Where samples were limited, whole clusters were drawn{seeded}."]
    conditions = dict.fromkeys(name for entry in names for name in entry.run.manifest.conditions if name != STANDARD)
    if conditions:
        noun = "condition" if len(conditions) == 1 else "conditions"
        yield [f"Samples were also asked under the {noun} {words_of(map(public_text, conditions))}."]
    analyses = dict.fromkeys(block.title for task in perception.tasks for block in task.blocks)
    if analyses:
        yield ["Perception was diagnosed; the analyses are called: " + "; ".join(analyses) + "."]


def _judges(text: Text, names: Sequence[RunNames]) -> Iterator[list[Piece]]:
    seen = set()
    for entry in names:
        judge = entry.run.manifest.judge
        if judge is None:
            continue
        cards = words_of(f"{public_text(card)} (digest {digest[:12]})" for card, digest in sorted(judge.cards.items()))
        who = (judge.name, judge.identity_digest, cards)
        if who in seen:
            continue
        seen.add(who)
        tasks = [task_label(task.name, task.protocol) for task in entry.run.manifest.tasks if task.judge]
        where = f" on {words_of(tasks)}" if tasks and len(tasks) < len(entry.run.manifest.tasks) else ""
        pieces: list[Piece] = [
            f"{public_text(judge.name)}, ",
            *_served(text, judge.engine, judge.engine_version),
            f", judged{where}",
        ]
        if cards:
            pieces.append(f" with the judge {'card' if len(judge.cards) == 1 else 'cards'} {cards}")
        repeats = entry.run.manifest.config.get("judge_repeats") or 1
        if repeats > 1:
            pieces.append(f", {repeats} verdicts per answer")
        yield [*pieces, "."]


def _coverage(names: Sequence[RunNames], tables: Tables) -> Iterator[list[Piece]]:
    shares = [cell.row.estimate.coverage for cells in _cells_by_task(tables).values() for cell in cells]
    if shares and min(shares) < 1:
        yield [
            f"At least {percent(min(shares))} of the rows of every task counted; the others ended in an error, were not supported by the model or were not scored."
        ]
    unfinished = [entry.label for entry in names if entry.run.manifest.status != "complete"]
    if unfinished:
        yield [
            f"{'Run' if len(unfinished) == 1 else 'Runs'} {words_of(unfinished)} {'was' if len(unfinished) == 1 else 'were'} not complete."
        ]


def _record(names: Sequence[RunNames]) -> Iterator[list[Piece]]:
    parts = []
    for entry in names:
        manifest = entry.run.manifest
        facts = [f"configuration {manifest.config_digest[:12]}"]
        if "run" in manifest.seeds:
            facts.append(f"seed {manifest.seeds['run']}")
        commit = (manifest.git or {}).get("commit")
        if isinstance(commit, str) and re.fullmatch(r"[0-9a-f]{7,64}", commit):
            facts.append(
                f"git {commit[:12]}" + (" with uncommitted changes" if (manifest.git or {}).get("dirty") else "")
            )
        made = manifest.versions.get("mmeval", "")
        if made and made != __version__:
            facts.append(f"run with mmeval {made}")
        parts.append(f"{entry.label} ({', '.join(facts)})")
    yield [
        "The runs are " if len(parts) > 1 else "The run is ",
        words_of(parts),
        f"; prompts, answers, digests of items, prompts and scoring, and all versions are part of {'its folder' if len(parts) == 1 else 'their folders'}.",
    ]
