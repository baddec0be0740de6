"""What commands print: names and messages of strangers never reach the terminal as control characters."""

from __future__ import annotations

import json

import click

from mmeval.core.errors import UsageError
from mmeval.reports.format import INVISIBLE, visible_text


def echo(message: object = "", *, err: bool = False, nl: bool = True) -> None:
    """Print text. Escape sequences, and characters that hide or reorder text, are shown by their code point."""
    click.echo(visible_text(str(message)), err=err, nl=nl)


def echo_json(data: bytes, *, nl: bool = True) -> None:
    r"""Print JSON that is the same for a program: the characters that `echo` shows are written as `\uXXXX`."""
    text = INVISIBLE.sub(lambda match: json.dumps(match.group())[1:-1], data.decode())
    click.echo(text.encode(), nl=nl)  # JSON is UTF-8, whatever the terminal's encoding


def one_form(**wanted: bool) -> str | None:
    """Return the form of output that was asked for, None for none.

    Raises:
        UsageError: several were asked for.
    """
    forms = [name for name, asked in wanted.items() if asked]
    if len(forms) > 1:
        raise UsageError(
            f"--{' and --'.join(forms)}: one form at a time goes to stdout", remedy="run the command once for each"
        )
    return forms[0] if forms else None
