"""The options that say how a data file (`-t file:PATH`) is read, shared by the commands that take one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click


def file_options(more: str = "", source: str = "-t file:PATH") -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator that adds `--column`, `--answer-kind` and `--answer-form` to a command.

    Args:
        more: what else `--column` is for, as the beginning of its help.
        source: how the command is told the data file.
    """
    options = (
        click.option(
            "--column",
            "columns",
            multiple=True,
            metavar="ROLE=COLUMN",
            help=f"{more}{'with' if more else 'With'} {source}: the column of question, image, choices, answer, category, id, hint or cluster.",
        ),
        click.option(
            "--answer-kind",
            metavar="KIND",
            help=f"With {source}: choice, number, yes-no, text … instead of what the answers look like.",
        ),
        click.option(
            "--answer-form",
            metavar="FORM",
            help=f"With {source}: how answers name an option: letter, text, index (from 0) or position (from 1).",
        ),
    )

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return command

    return add
