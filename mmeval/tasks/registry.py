"""Finding cards and suites by name: shipped ones, `--task-path` folders, and installed packages."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmeval.core.errors import UsageError, unknown
from mmeval.core.resources import package_folders, resource_dir
from mmeval.core.yaml_files import read_yaml
from mmeval.tasks.file_selector import FAMILY, file_path, is_file_selector, split_selectors, task_name
from mmeval.tasks.file_task import FileCard, FileOptions, read_file_card
from mmeval.tasks.suites import Suite, add_protocol, read_suite

ENTRY_POINT_GROUP = "mmeval.tasks"


@dataclass(frozen=True, slots=True)
class CardFile:
    """A card as it lies on disk, not yet validated."""

    name: str
    path: Path
    raw: dict[str, Any]


class Registry:
    """All cards and suites that can be named with `-t`."""

    def __init__(
        self, extra_paths: Iterable[Path] = (), made: Iterable[FileCard] = (), files: FileOptions | None = None
    ) -> None:
        """Look in the shipped cards, installed packages and further folders.

        Args:
            extra_paths: folders with further cards.
            made: cards of data files that are known already; other files are looked at when they are named.
            files: what the user says of the data files that `-t file:PATH` names.
        """
        extra_paths = list(extra_paths)
        self._files = files or FileOptions()
        self._made = {card.name: made_card(card) for card in made}
        self._folders = [resource_dir("tasks"), *package_folders(ENTRY_POINT_GROUP, "cards"), *extra_paths]
        for folder in extra_paths:
            if not folder.is_dir():
                raise UsageError(
                    f"--task-path {folder}: no such folder", remedy="give a folder that holds card files (*.yaml)"
                )
        self._cards: dict[str, CardFile] | None = None
        self._suites: dict[str, Suite] | None = None

    @property
    def cards(self) -> dict[str, CardFile]:
        """Card files by task name; a later folder overrides an earlier one."""
        if self._cards is None:
            self._cards = {}
            for folder in self._folders:
                cards: dict[str, CardFile] = {}
                for card in _read_cards(folder):
                    if card.name in cards:
                        raise UsageError(
                            f"{card.path}: key name: {cards[card.name].path} has the name {card.name!r} already",
                            remedy="give one of the two another name",
                        )
                    cards[card.name] = card
                self._cards.update(cards)
            self._cards.update(self._made)
            for suite in self.suites.values():
                for name, base, keys in suite.protocols():
                    card_file = self._cards.get(name)
                    if card_file is None:
                        continue  # resolving the suite says so
                    raw = add_protocol(card_file.raw, suite, base, keys)
                    self._cards[name] = CardFile(name, card_file.path, raw)
        return self._cards

    @property
    def suites(self) -> dict[str, Suite]:
        """Suites by name; a later folder overrides an earlier one."""
        if self._suites is None:
            self._suites = {}
            for folder in self._folders:
                for path in sorted((folder / "suites").glob("*.yaml")):
                    self._suites[path.stem] = read_suite(path)
        return self._suites

    def resolve(self, selectors: Iterable[str]) -> list[tuple[CardFile, str]]:
        """Turn `-t` selectors (names, globs, suites, `@protocol`, commas) into (card, protocol) pairs, each once, in order.

        Raises:
            UsageError: for a name that matches nothing, with the nearest names.
        """
        found: dict[tuple[str, str], tuple[CardFile, str]] = {}
        for single in split_selectors(selectors):
            for card, protocol in self._resolve_one(single, set()):
                known, _ = found.setdefault((card.name, protocol), (card, protocol))
                if known.path != card.path:
                    raise UsageError(
                        f"{known.path} and {card.path} would both be called {card.name}",
                        remedy="give one of the files another name, or run them apart",
                    )
        return list(found.values())

    def _resolve_one(self, selector: str, inside: set[str]) -> Iterator[tuple[CardFile, str]]:
        if is_file_selector(selector):
            yield self._file(selector)
            return
        name, _, protocol = selector.partition("@")
        protocol = protocol or "default"
        if name in self.suites and name not in self.cards:
            if name in inside:
                raise UsageError(f"suite {name!r} contains itself", remedy=f"remove it from tasks/suites/{name}.yaml")
            for entry in self.suites[name].selectors:
                with_protocol = entry if "@" in entry or protocol == "default" else f"{entry}@{protocol}"
                try:
                    yield from self._resolve_one(with_protocol, inside | {name})
                except UsageError as error:
                    if error.message.startswith("suite "):
                        raise
                    raise UsageError(f"suite {name!r}: {error.message}", remedy=error.remedy) from error
        elif any(character in name for character in "*?["):
            matches = fnmatch.filter(sorted(self.cards), name)
            if not matches:
                raise unknown("task pattern", name, [*self.cards, *self.suites], listing="mmeval tasks list")
            yield from ((self.cards[match], protocol) for match in matches)
        elif name in self.cards:
            yield self.cards[name], protocol
        else:
            raise unknown("task", name, [*self.cards, *self.suites], listing="mmeval tasks list")

    def _file(self, selector: str) -> tuple[CardFile, str]:
        """Return the card of a data file, made now unless it is known."""
        path, protocol = file_path(selector)
        made = self._made.get(task_name(path))
        if made is None or made.path != path.absolute():
            made = made_card(read_file_card(path, self._files))
            self._made.setdefault(made.name, made)
        return made, protocol


def made_card(card: FileCard) -> CardFile:
    """The card of a data file as a card file."""
    return CardFile(card.name, Path(card.raw["dataset"]["local"]["files"][0]), card.raw)


def _read_cards(folder: Path) -> Iterator[CardFile]:
    for path in sorted(folder.rglob("*.yaml")):
        if path.parent.name in ("suites", "judges"):
            continue
        raw = read_yaml(path)
        if not isinstance(raw, dict) or not isinstance(raw.get("name"), str):
            raise UsageError(
                f"{path}: key name: a card is a mapping with a name",
                remedy="`mmeval tasks check` explains a card's mistakes; move a file that is no card (a policy, a configuration) elsewhere",
            )
        if raw["name"].startswith(f"{FAMILY}/"):
            raise UsageError(
                f"{path}: key name: names that begin with {FAMILY}/ are those of `-t file:PATH`",
                remedy="give the card another name",
            )
        yield CardFile(raw["name"], path, raw)
