"""The YAML of a card that was made from a data file, with comments, for its owner to go on with."""

from __future__ import annotations

import glob
import os
from pathlib import Path
from typing import Any

import yaml

from mmeval.tasks.card import LocalSource
from mmeval.tasks.file_task import FileCard
from mmeval.tasks.local_files import file_sha256, local_source

_ANSWER = {
    "letter": "the gold is the letter of an option",
    "text": "the gold is the text of an option",
    "index": "the gold is the index of an option, from 0",
    "position": "the gold is the position of an option, from 1",
}


def card_text(name: str, made: FileCard, card_path: Path) -> str:
    """Return the YAML of a card that asks the same as `-t file:PATH`.

    Args:
        name: the task's name.
        made: the card of the file.
        card_path: where the YAML will lie; the file's folder is written relative to it.

    Raises:
        DataError: when the file cannot be read to its end, to count its rows.
    """
    raw = made.raw
    path = Path(raw["dataset"]["local"]["files"][0])
    rows = sum(1 for _ in local_source([path], LocalSource(files=[path.name])).rows())
    title = name.rsplit("/", 1)[-1].replace("-", " ").replace("_", " ").title()
    lines = [
        f"# Made from {path.name} by `mmeval tasks new`. docs/cards.md describes every key; `mmeval tasks check` explains mistakes.",
        f"name: {_inline(name)}",
        "family: custom",
        f"title: {_inline(title)}",
        "description: One sentence on what the task measures.",
        "licence: unknown          # of the data",
        "dataset:",
        "  local:",
        f"    files: {_inline([glob.escape(path.name)])}   # in --data-dir, else in `folder`",
        f"    folder: {_inline(os.path.relpath(path.parent, card_path.absolute().parent))}   # relative to this card",
        f"    sha256: {file_sha256(path)}   # another content is refused; leave the line out to allow it",
        f"  rows: {rows}",
        "fields:",
        *_fields(raw["fields"]),
        *([f"# without a role: {', '.join(made.unused)}"] if made.unused else []),
    ]
    if raw.get("prompt"):
        lines += ["prompt:", *_prompt(raw["prompt"])]
    target = raw["answer"].get("target")
    comment = f"   # {_ANSWER[target]}" if target in _ANSWER else ""
    lines += [f"answer: {_inline(raw['answer'])}{comment}", f"metrics: {_inline(raw['metrics'])}"]
    if raw.get("subsets"):
        lines.append(f"subsets: {_inline(raw['subsets'])}   # name in the tables: column")
    return "\n".join(line.replace("\r", " ") for line in lines) + "\n"


def _fields(fields: dict[str, Any]) -> list[str]:
    lines = [f"  {name}: {_inline(value)}" for name, value in fields.items()]
    if "id" not in fields:
        lines.insert(0, "  # id: NAME            # without it a sample's id is the number of its row, from 0")
    return lines


def _prompt(prompt: dict[str, Any]) -> list[str]:
    lines = []
    for name, value in prompt.items():
        if name == "template":
            lines += ["  template: |-", *(f"    {line}" for line in value.split("\n"))]
        else:
            lines.append(f"  {name}: {_inline(value)}")
    return lines


def _inline(value: Any) -> str:
    """A value as YAML on one line."""
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=float("inf"), sort_keys=False)
    return str(text).removesuffix("\n").removesuffix("\n...")
