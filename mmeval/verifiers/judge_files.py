"""Judge cards as files: one YAML file each, in `judges/`, in installed packages, or in folders beside a task card."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pydantic import ValidationError

from mmeval.core.errors import DataError, UsageError, nearest, unknown
from mmeval.core.resources import package_folders, resource_dir
from mmeval.core.yaml_files import read_yaml
from mmeval.verifiers.judge_card import JudgeCard
from mmeval.verifiers.judge_prompt import example_input, example_reply, render
from mmeval.verifiers.judge_reply import JudgeFault, parse_reply

ENTRY_POINT_GROUP = "mmeval.judges"


def judge_folders(extra: Iterable[Path] = ()) -> list[Path]:
    """Return the folders that hold judge cards: ours, those of installed packages, `extra`; later ones override.

    Raises:
        UsageError: when one of `extra` is no folder, or an entry point names no package.
    """
    extra = list(extra)
    for folder in extra:
        if not folder.is_dir():
            raise UsageError(
                f"judge folder {folder}: no such folder", remedy="give a folder that holds judge cards (*.yaml)"
            )
    return [resource_dir("judges"), *package_folders(ENTRY_POINT_GROUP, "judge cards"), *extra]


def judges_beside(card: Path) -> tuple[Path, ...]:
    """Return the folders `judges` that a task card brings along: beside it, and one and two folders above, nearest last."""
    folders = [parent / "judges" for parent in list(card.absolute().parents)[:3]]
    return tuple(folder for folder in reversed(folders) if folder.is_dir())


def load_judge(name: str, extra_paths: Iterable[Path] = ()) -> JudgeCard:
    """Return the judge card `name`.

    Raises:
        UsageError: when there is none (with the nearest names), or it is not valid (with every mistake).
    """
    files = _files(extra_paths)
    if name not in files:
        raise unknown("judge", name, files, listing="mmeval judge list")
    return read_judge(files[name])


def known_judges(extra_paths: Iterable[Path] = ()) -> frozenset[str]:
    """Return the names of all judge cards, valid or not.

    Raises:
        UsageError: as `judge_folders`.
    """
    return frozenset(_files(extra_paths))


def list_judges(extra_paths: Iterable[Path] = ()) -> list[JudgeCard]:
    """Return all judge cards, sorted by name.

    Raises:
        UsageError: when one of them is not valid.
    """
    return [read_judge(path) for _, path in sorted(_files(extra_paths).items())]


def read_judge(path: Path) -> JudgeCard:
    """Read one card.

    Raises:
        UsageError: naming the file, the key and the remedy; lists every mistake.
    """
    raw = read_yaml(path)
    if not isinstance(raw, dict):
        raise UsageError(f"{path}: a judge card is a YAML mapping", remedy="see docs/judge.md")
    try:
        card = JudgeCard.model_validate(raw)
    except ValidationError as error:
        lines = [line for entry in error.errors() for line in _lines(entry["loc"], entry["type"], entry["msg"])]
        raise UsageError(
            f"{path}: the judge card is not valid:\n" + "\n".join(f"  {line}" for line in lines),
            remedy="docs/judge.md describes every key",
        ) from error
    if card.name != path.stem:
        raise UsageError(f"{path}: key name: {card.name!r} is not the name of the file", remedy="make them the same")
    if card.calibration is not None and not (path.parent / card.calibration).is_file():
        raise UsageError(
            f"{path}: key calibration: no file {card.calibration} beside the card",
            remedy="`mmeval judge calibrate` writes it",
        )
    _check_examples(card, path)
    return card


def _check_examples(card: JudgeCard, path: Path) -> None:
    for number, example in enumerate(card.examples):
        shown = example_input(example)
        try:
            render(card, shown)
            outcome = parse_reply(card, example_reply(card, shown, example.reply), shown)
        except DataError as error:
            raise UsageError(f"{path}: key examples.{number}.given: {error.message}", remedy=error.remedy) from error
        if isinstance(outcome, JudgeFault):
            raise UsageError(
                f"{path}: key examples.{number}.reply: {outcome.reason}", remedy="write it as the judge should reply"
            )


def _lines(location: tuple[int | str, ...], kind: str, message: str) -> list[str]:
    key = ".".join(str(part) for part in location)
    if kind == "extra_forbidden":
        close = nearest(key, ["schema" if name == "schema_" else name for name in JudgeCard.model_fields])
        return [f"{key}: unknown key" + (f" (did you mean {' or '.join(close)}?)" if close else "")]
    message = message.removeprefix("Value error, ")
    return [f"{key}: {message}"] if key else message.split("\n")


def _files(extra_paths: Iterable[Path]) -> dict[str, Path]:
    return {path.stem: path for folder in judge_folders(extra_paths) for path in sorted(folder.glob("*.yaml"))}
