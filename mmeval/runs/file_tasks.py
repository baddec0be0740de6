"""The data files of a run (`-t file:PATH`): looked at once, and kept in the configuration so that it repeats the run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from mmeval.core.errors import UsageError
from mmeval.runs.config import RunConfig
from mmeval.runs.manifest import TaskRecord
from mmeval.tasks.answers import Wanted
from mmeval.tasks.card import Card, parse_card
from mmeval.tasks.columns import parse_columns
from mmeval.tasks.file_selector import FAMILY, file_path, is_file_selector, split_selectors
from mmeval.tasks.file_task import FileCard, FileOptions, portable, read_file_card, stored_card


def read_options(columns: Iterable[str], answer_kind: str | None, answer_form: str | None) -> FileOptions:
    """Read what the user says of data files: `--column`, `--answer-kind`, `--answer-form`.

    Raises:
        UsageError: for an unknown role, kind or form.
    """
    return FileOptions(parse_columns(columns), Wanted.read(answer_kind, answer_form))


def with_file_tasks(config: RunConfig, *, anew: bool = False) -> tuple[RunConfig, list[FileCard]]:
    """Return the configuration with the card of every data file that it names, and these cards.

    Args:
        config: the merged options.
        anew: look at the files although the configuration holds their cards, because the user says something new.

    Raises:
        UsageError: no such file, options without a data file, or a file that does not tell how to read it.
    """
    options = read_options(config.columns, config.answer_kind, config.answer_form)
    tasks = split_selectors(config.tasks)
    selectors = [selector for selector in tasks if is_file_selector(selector)]
    if options.given and not selectors:
        raise UsageError(
            "--column, --answer-kind and --answer-form say how a data file is read, and no task names one",
            remedy="add -t file:PATH, or leave them out (a card says itself how its data are read)",
        )
    known = {} if anew else config.file_tasks
    cards: list[FileCard] = []
    kept: dict[str, dict[str, Any]] = {}
    for selector in dict.fromkeys(selectors):
        path, _ = file_path(selector)
        card = stored_card(selector, known[selector]) if selector in known else read_file_card(path, options)
        cards.append(card)
        kept[selector] = portable(card)
    update = {"tasks": tasks, "file_tasks": kept, "columns": [], "answer_kind": None, "answer_form": None}
    return config.model_copy(update=update), cards


def configured_cards(config: RunConfig) -> list[FileCard]:
    """The cards of the data files that a configuration holds."""
    return [stored_card(selector, sections) for selector, sections in config.file_tasks.items()]


def recorded_cards(records: Sequence[TaskRecord]) -> list[FileCard]:
    """The cards of data files that a run's records hold, so that its answers are scored again without the file.

    Raises:
        UsageError: when one is no such card, for somebody may have edited `run.json`.
    """
    found = []
    for number, record in enumerate(records):
        if record.card is None:
            continue
        local = parse_card(record.card, f"run.json, tasks.{number}.card").dataset.local
        if local is None or not local.files:
            raise UsageError(
                f"run.json: tasks.{number}.card names no data file (dataset.local.files)",
                remedy="repeat the run with the same command",
            )
        found.append(FileCard(record.card))
    return found


def record_of_card(card: Card) -> dict[str, Any] | None:
    """What a task's record keeps of its card: all of it where it was made from a data file, else nothing."""
    return card.model_dump(mode="json", exclude_defaults=True) if card.name.startswith(f"{FAMILY}/") else None


def mapping_line(made: FileCard) -> str:
    """Say in one line how a data file is read."""
    card = parse_card(made.raw, made.name)
    fields, answer, prompt = card.fields, card.answer, card.prompt
    template = prompt.template or ""
    parts = [f"question={fields.question}", f"id={fields.id or 'row number'}"]
    parts.append(f"images={', '.join(fields.images)}" if fields.images else "no images")
    if fields.choices:
        parts.append(f"choices={fields.choices if isinstance(fields.choices, str) else ', '.join(fields.choices)}")
    form = f" ({answer.target})" if answer.target != "value" else ""
    parts.append(f"answer={fields.answer}{form}" if fields.answer else "no answers: nothing is scored")
    parts += ["with the hint"] if "Hint:" in template else []
    parts += ["options stand in the question"] if fields.choices and template and "choices" not in template else []
    if prompt.placeholder:
        loose = " (marks of images that a row does not have stay text)" if prompt.unmatched == "text" else ""
        parts.append(f"images at {prompt.placeholder}{loose}")
    parts += [f"subsets {', '.join(card.subsets)}"] if card.subsets else []
    if made.unused:
        parts.append(f"unused {', '.join(made.unused[:12])}{' …' if len(made.unused) > 12 else ''}")
    file = Path(made.raw["dataset"]["local"]["files"][0]).name
    return f"{made.name} ({file}): kind {answer.kind}; {'; '.join(parts)}"
