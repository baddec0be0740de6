"""`mmeval tasks`: list, show, check, new."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import orjson

from mmeval.cli.file_options import file_options
from mmeval.cli.place_options import task_path_option
from mmeval.cli.terminal import echo, echo_json
from mmeval.core.errors import MmevalError, UsageError

NEW_CARD = """\
# A task card. `mmeval tasks check {file}` explains every mistake; docs/cards.md describes every key.
name: {name}
family: custom
title: {title}
description: One sentence on what the task measures.
licence: unknown
status: unverified
dataset:
  local:
    files: ["{stem}.jsonl", "*.jsonl"]   # looked for in DIR/{name} and DIR of --data-dir DIR
fields:
  id: id
  question: question
  images: [image]        # paths relative to the file, base64, or parquet image cells
  choices: options       # leave out for open questions
  answer: answer
answer:
  kind: choice           # choice, number, yes-no, text, expression, list, box, boxes, point, rating
  target: letter         # how the answer column names the option: letter, text or index
metrics: [accuracy]
"""


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def tasks() -> None:
    """List, show, check and create task cards.

    \b
    Example:
      mmeval tasks show synthetic/count --sample 0
    """


@tasks.command("list")
@click.option("--family", help="Only this family.")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
@task_path_option
def list_(family: str | None, as_json: bool, task_paths: tuple[Path, ...]) -> None:
    """List all tasks and suites.

    \b
    Example:
      mmeval tasks list --family synthetic
    """
    from mmeval.tasks.registry import Registry

    registry = Registry(task_paths)
    rows = [_row(card.raw) for _, card in sorted(registry.cards.items())]
    if family is not None:
        families = sorted({row["family"] for row in rows})
        if family not in families:
            from mmeval.core.errors import unknown

            raise unknown("family", family, families)
        rows = [row for row in rows if row["family"] == family]
    if as_json:
        suites = {name: suite.selectors for name, suite in registry.suites.items()}
        listing = {"schema": 1, "tasks": rows, "suites": suites}
        echo_json(orjson.dumps(listing, option=orjson.OPT_INDENT_2))
    else:
        _print_table(rows)
        if family is None and registry.suites:
            echo("\nSuites")
            for name, suite in sorted(registry.suites.items()):
                echo(f"  {name:24} {', '.join(suite.selectors)}")
    echo(f"{len(rows)} tasks, {len(registry.suites)} suites", err=True)


def _row(raw: dict[str, Any]) -> dict[str, Any]:
    from mmeval.tasks.needs import needs_of

    dataset = raw.get("dataset") or {}
    synthetic = dataset.get("synthetic") or {}
    return {
        "name": str(raw["name"]),
        "family": str(raw.get("family", "")),
        "title": str(raw.get("title", "")),
        "samples": synthetic.get("size", 500) if synthetic else dataset.get("rows"),
        "licence": str(raw.get("licence", "unknown")),
        "status": str(raw.get("status", "verified")),
        "needs": needs_of(raw),
        "protocols": ["default", *(raw.get("protocols") or {})],
    }


def _print_table(rows: list[dict[str, Any]]) -> None:
    header = ("task", "family", "samples", "licence", "needs", "status", "protocols")
    table = [
        (
            row["name"], row["family"], str(row["samples"] or "?"), row["licence"], ", ".join(row["needs"]) or "-",
            row["status"], ", ".join(row["protocols"]),
        )
        for row in rows
    ]  # fmt: skip
    widths = [max(len(line[column]) for line in (header, *table)) for column in range(len(header))]
    for line in (header, *table):
        echo(
            "  ".join(
                cell.rjust(width) if column == 2 else cell.ljust(width)
                for column, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
        )


@tasks.command("show")
@click.argument("task")
@click.option(
    "--sample", "sample", type=click.IntRange(min=0), metavar="I", help="Also show sample I as it would be asked."
)
@click.option("--data-dir", type=click.Path(path_type=Path), help="Folder with data sets in their own layout.")
@file_options(source="file:PATH")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
@task_path_option
def show(
    task: str,
    sample: int | None,
    data_dir: Path | None,
    columns: tuple[str, ...],
    answer_kind: str | None,
    answer_form: str | None,
    as_json: bool,
    task_paths: tuple[Path, ...],
) -> None:
    """Show a card: data, prompt, answer, metrics, protocols, published numbers.

    \b
    Examples:
      mmeval tasks show mathvista@official
      mmeval tasks show file:data.tsv --sample 0
    """
    from mmeval.runs.file_tasks import read_options
    from mmeval.tasks.registry import Registry
    from mmeval.tasks.task import Task

    found = Registry(task_paths, files=read_options(columns, answer_kind, answer_form)).resolve([task])
    loaded = [Task.load(card, protocol) for card, protocol in found]
    shown: list[dict[str, Any]] = []
    for (card, _), entry in zip(found, loaded, strict=True):
        record: dict[str, Any] = {
            "file": card.path.name,
            "protocol": entry.protocol,
            **entry.card.model_dump(exclude_defaults=True),
            "chance": entry.chance,
        }
        if sample is not None:
            record["sample"] = _sample_json(entry, sample, data_dir)
        shown.append(record)
    if as_json:
        echo_json(orjson.dumps({"schema": 1, "tasks": shown}, option=orjson.OPT_INDENT_2))
    else:
        import yaml

        for record in shown:
            echo(yaml.safe_dump(record, sort_keys=False, allow_unicode=True, width=110))
    echo(f"{len(shown)} task{'s' if len(shown) != 1 else ''}", err=True)


def _sample_json(task: Any, index: int, data_dir: Path | None) -> dict[str, Any]:
    from mmeval.pipeline.identity import message_json
    from mmeval.tasks.options import AskStyle, DataOptions

    for number, (_, build) in enumerate(task.open(DataOptions(data_dir)).samples(AskStyle())):
        if number == index:
            sample = build()
            return {
                "id": sample.id,
                "messages": message_json(sample.messages),
                "media": [media.label for media in sample.media],
                "choices": list(sample.context.choices),
                "target": sample.target,
                "subsets": dict(sample.subsets),
                "cluster": sample.cluster,
            }
    raise UsageError(f"task {task.name} has no sample {index}", remedy="count from 0")


@tasks.command("check")
@click.argument("cards", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
def check(cards: tuple[Path, ...], as_json: bool) -> int:
    """Explain every mistake in card files (and suites, in a folder of that name); exit code 2 when there is one.

    \b
    Example:
      mmeval tasks check my-tasks/my-card.yaml
    """
    from mmeval.core.yaml_files import read_yaml
    from mmeval.tasks.check import explain
    from mmeval.tasks.registry import CardFile
    from mmeval.tasks.suite_check import explain_suite

    wrong = 0
    told = []
    for path in cards:
        problem: MmevalError | None
        try:
            if path.parent.name == "suites":
                problem = explain_suite(path)
            else:
                problem = explain(CardFile(path.stem, path, read_yaml(path)))
        except MmevalError as error:
            problem = error
        told.append({"card": str(path), "error": None if problem is None else str(problem)})
        if problem is not None:
            wrong += 1
            echo(f"error: {problem}", err=True)
        elif not as_json:
            echo(f"{path}: good")
    if as_json:
        echo_json(orjson.dumps({"schema": 1, "cards": told}))
    echo(f"{len(cards) - wrong} good, {wrong} with mistakes", err=True)
    return 2 if wrong else 0


@tasks.command("new")
@click.argument("name")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File to write.  [default: NAME.yaml]")
@click.option(
    "--from", "source", metavar="PATH", help="Data file (TSV, CSV, JSON lines, JSON, parquet) to make it for."
)
@file_options(source="--from PATH")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
def new(
    name: str,
    output: Path | None,
    source: str | None,
    columns: tuple[str, ...],
    answer_kind: str | None,
    answer_form: str | None,
    as_json: bool,
) -> None:
    """Write a commented card to start from, or the card of a data file.

    \b
    Examples:
      mmeval tasks new my-benchmark
      mmeval tasks new my-benchmark --from data.tsv
    """
    from mmeval.core.yaml_files import read_yaml
    from mmeval.runs.file_tasks import mapping_line, read_options
    from mmeval.tasks.card import parse_card
    from mmeval.tasks.card_text import card_text
    from mmeval.tasks.file_selector import FAMILY, PREFIX, file_path
    from mmeval.tasks.file_task import read_file_card

    stem = name.rsplit("/", 1)[-1]
    path = output or Path(f"{stem}.yaml")
    if path.exists():
        raise UsageError(f"{path} exists", remedy="give another file with -o")
    if name.startswith(f"{FAMILY}/"):
        raise UsageError(
            f"{name}: names that begin with {FAMILY}/ are those of `-t file:PATH`", remedy="take another name"
        )
    options = read_options(columns, answer_kind, answer_form)
    data_dir = ""
    if source is not None:
        data_file, protocol = file_path(PREFIX + source, f"--from {source}")
        if protocol != "default":
            raise UsageError(f"--from {source}: no such file", remedy="a file alone is named here, without @PROTOCOL")
        made = read_file_card(data_file, options)
        echo(mapping_line(made), err=True)
        text = card_text(name, made, path)
    elif options.given:
        raise UsageError(
            "--column, --answer-kind and --answer-form say how a data file is read", remedy="add --from PATH"
        )
    else:
        text = NEW_CARD.format(name=name, stem=stem, title=stem.replace("-", " ").title(), file=path)
        data_dir = " --data-dir DIR"
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"cannot write {path}: {error.strerror or error}", remedy="give another file with -o"
        ) from error
    try:
        parse_card(read_yaml(path), path)
    except UsageError:
        path.unlink()
        raise
    if as_json:
        echo_json(orjson.dumps({"schema": 1, "task": name, "card": str(path)}))
    echo(
        f"wrote {path}; edit it, then: mmeval tasks check {path} && mmeval run --task-path {path.parent} -t {name}{data_dir} -m tiny",
        err=True,
    )
