"""Suites: named lists of tasks, which may ask and score all of them in one paper's way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from mmeval.core.errors import UsageError
from mmeval.core.yaml_files import read_yaml
from mmeval.tasks.card import merge


class Aggregate(BaseModel):
    """A number over several tasks of a suite."""

    model_config = ConfigDict(extra="forbid")

    name: str
    mean: list[str] = Field(min_length=2)
    """`TASK[@PROTOCOL][:METRIC]`; the unweighted mean of their metrics, by default of the primary ones."""
    clusters: Literal["independent", "shared"] = "independent"
    """`shared`: clusters of one name are the same in all tasks (the same questions in another form)."""


class SuiteFile(BaseModel):
    """One `suites/NAME.yaml`."""

    model_config = ConfigDict(extra="forbid")

    description: str = ""
    citation: str = ""
    tasks: list[str | dict[str, dict[str, Any]]] = Field(min_length=1)
    """What `-t` accepts; `TASK: {keys}` lays further keys of the card over one task."""
    overrides: dict[str, Any] = Field(default_factory=dict)
    """Keys of the card that every task of the suite gets: then `TASK@NAME` is the protocol of this suite."""
    aggregates: list[Aggregate] = Field(default_factory=list)

    @model_validator(mode="after")
    def _one_task_each(self) -> SuiteFile:
        for entry in self.tasks:
            if isinstance(entry, dict) and len(entry) != 1:
                raise ValueError(
                    f"an entry with keys of its own names one task, this one names {len(entry)}: {list(entry)}"
                )
            name = entry if isinstance(entry, str) else next(iter(entry))
            if (self.overrides or isinstance(entry, dict)) and any(character in name for character in "*?["):
                raise ValueError(f"{name!r}: a pattern cannot have keys laid over it; name the tasks one by one")
        return self


@dataclass(frozen=True, slots=True)
class Suite:
    """A suite and the name that it gives to its protocol."""

    name: str
    path: Path
    file: SuiteFile

    @property
    def selectors(self) -> list[str]:
        """What `-t` would be given: tasks of a suite with a way of its own carry its name as protocol."""
        return [
            f"{selector.partition('@')[0]}@{self.name}" if self._own(keys) else selector
            for selector, keys in self.entries()
        ]

    def entries(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Every entry with the keys that are laid over it alone."""
        for entry in self.file.tasks:
            if isinstance(entry, str):
                yield entry, {}
            else:
                yield from entry.items()

    def _own(self, keys: Mapping[str, Any]) -> bool:
        return bool(self.file.overrides or keys)

    def protocols(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """(task, protocol that it starts from, keys laid over that) of every task that is asked or scored in the suite's way."""
        for selector, keys in self.entries():
            if self._own(keys):
                name, _, base = selector.partition("@")
                yield name, base, merge(self.file.overrides, keys)


def read_suite(path: Path) -> Suite:
    """Read a suite file.

    Raises:
        UsageError: naming the file, the key and the remedy.
    """
    raw = read_yaml(path)
    if not isinstance(raw, dict):
        raise UsageError(
            f"{path}: key tasks: a suite is a mapping with a list of task names under 'tasks'",
            remedy="see docs/cards.md",
        )
    try:
        return Suite(path.stem, path, SuiteFile.model_validate(raw))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"][:2]) or "suite"
        reason = str(first["msg"]).removeprefix("Value error, ")
        raise UsageError(f"{path}: key {key}: {reason}", remedy="docs/cards.md describes suites") from error


def add_protocol(raw: dict[str, Any], suite: Suite, base: str, keys: Mapping[str, Any]) -> dict[str, Any]:
    """Return a card's mapping with the suite's protocol added.

    Raises:
        UsageError: when the card has a protocol of that name, or lacks the one that the suite starts from.
    """
    protocols = raw.get("protocols") or {}
    if not isinstance(protocols, dict):
        return raw  # the card itself is at fault, which its validation says better
    if suite.name in protocols:
        raise UsageError(
            f"{suite.path}: task {raw.get('name')} has a protocol {suite.name!r} of its own",
            remedy=f"name it there as {raw.get('name')}@{suite.name} and leave the suite's overrides out, or rename the suite",
        )
    if base and base != "default" and base not in protocols:
        raise UsageError(
            f"{suite.path}: task {raw.get('name')} has no protocol {base!r}",
            remedy=f"it has {', '.join(['default', *protocols])}",
        )
    start = protocols.get(base) or {}
    return {**raw, "protocols": {**protocols, suite.name: merge(start, dict(keys))}}
