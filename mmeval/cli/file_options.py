"""The options that say how a data file (`-t file:PATH`) is read, shared by the commands that take one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click


def file_options(more: str = "") -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator that adds `--column`, `--answer-kind` and `--answer-form` to a command.

    Args:
        more: what else `--column` is for, as the beginning of its help.
    """
    options = (
        click.option(
            "--column",
            "columns",
            multiple=True,
            metavar="ROLE=COLUMN",
            help=f"{more}{'with' if more else 'With'} -t file:PATH: the column of question, image, choices, answer, category, id, hint or cluster.",
        ),
        click.option(
            "--answer-kind",
            metavar="KIND",
            help="With -t file:PATH: choice, number, yes-no, text … instead of what the answers look like.",
        ),
        click.option(
            "--answer-form",
            metavar="FORM",
            help="With -t file:PATH: how answers name an option: letter, text, index (from 0) or position (from 1).",
        ),
    )

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return command

    return add
