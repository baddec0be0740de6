"""The `mmeval` command: commands are imported only when they are used."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import click

from mmeval import __version__
from mmeval.cli.signals import end_as_by_ctrl_c, end_at_once, was_interrupt
from mmeval.cli.streams import Streams
from mmeval.cli.terminal import echo
from mmeval.core.errors import MmevalError, UsageError, nearest
from mmeval.core.shortage import refused_error, shortage_error
from mmeval.core.user_paths import home_folder

COMMANDS: dict[str, tuple[str, str]] = {
    "run": ("mmeval.cli.run:run", "Ask models, score the answers, write a run folder and a report."),
    "tasks": ("mmeval.cli.tasks:tasks", "List, show, check and create task cards."),
    "import": ("mmeval.cli.import_:import_", "Turn predictions from elsewhere into a run folder."),
    "score": ("mmeval.cli.score:score", "Score the stored responses of a run again, without its model."),
    "merge": ("mmeval.cli.merge:merge", "Join shards, or runs cut by models or tasks, into one run folder."),
    "compare": ("mmeval.cli.compare:compare", "Compare runs: is the candidate better, or is it noise?"),
    "diagnose": (
        "mmeval.cli.diagnose:diagnose",
        "Do failures lack perception or reasoning, and which of the two changed?",
    ),
    "gate": ("mmeval.cli.gate:gate", "Decide by a policy whether a candidate may replace the baseline."),
    "judge": ("mmeval.cli.judge:judge", "Judges: how far two agree, how often one errs against human labels."),
    "report": ("mmeval.cli.report:report", "Write the HTML report of one or more runs."),
    "view": ("mmeval.cli.view:view", "The same page in the browser over runs that go on, refreshed as they do."),
    "cache": ("mmeval.cli.cache:cache", "Inspect and prune the response cache, carry answers to other machines."),
    "doctor": ("mmeval.cli.doctor:doctor", "Say what works here, what does not, and what to do."),
}


class LazyGroup(click.Group):
    """A group that knows its commands by name and imports them on use, so that `--help` stays fast."""

    def list_commands(self, context: click.Context) -> list[str]:
        """Names in the order of the table above."""
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """Import the module of one command."""
        if name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Name the nearest commands when one is unknown."""
        if args and args[0] not in COMMANDS:
            close = nearest(args[0], COMMANDS)
            hint = f" Did you mean {' or '.join(close)}?" if close else ""
            context.fail(f"No such command {args[0]!r}.{hint}")
        return super().resolve_command(context, args)

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="mmeval")
def cli() -> None:
    """Evaluate vision-language models, and say honestly what the numbers show.

    \b
    Example:
      mmeval run -m tiny -t demo
    """


def main() -> NoReturn:
    """Run the command line; every failure ends in the exit code that docs/cli.md gives."""
    # Children that Python starts (`python -c …`) look for modules in the current folder first, which may be anybody's.
    os.environ.setdefault("PYTHONSAFEPATH", "1")
    streams = Streams()
    try:
        end_as_by_ctrl_c()
        code = _carry_out(sys.argv[1:])
        lost = streams.lost()
        if lost is not None:
            echo(f"error: {lost}", err=True)
            code = code or lost.exit_code
        end_at_once()
    except KeyboardInterrupt:  # before the command began, or when it was over
        code = 130
    sys.exit(code)


def _carry_out(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    try:
        _refuse_no_unicode(arguments)
        if home_folder() is None and not {"--help", "--version"} & set(arguments):
            raise UsageError(
                "no home folder is known: HOME is not set, and this user has no entry",
                remedy="export HOME=FOLDER; caches of hashes and models are kept there",
            )
        code = cli.main(list(arguments), standalone_mode=False)
        return code if isinstance(code, int) else 0
    except MmevalError as error:
        echo(f"error: {error}", err=True)
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.exceptions.Abort, KeyboardInterrupt):
        echo("interrupted", err=True)
        return 130
    except Exception as error:  # a bug: the traceback goes to the log, the user gets one line
        if was_interrupt(error):
            echo("interrupted", err=True)
            return 130
        if (short := shortage_error(error) or refused_error(error)) is not None:
            echo(f"error: {short}", err=True)
            return short.exit_code
        echo(
            f"internal error: {type(error).__name__}: {error}\n  -> the traceback is in {_log()}; please report it",
            err=True,
        )
        return 1


def _refuse_no_unicode(arguments: Sequence[str]) -> None:
    """Refuse arguments whose bytes are no UTF-8: run folders keep names and the command as text, so they could not be written."""
    for argument in arguments:
        try:
            argument.encode()
        except UnicodeEncodeError as error:
            raise UsageError(
                f"{argument!a} is not valid UTF-8",
                remedy="rename the file or folder (`convmv`, `mv`), or change into the folder and give a path from there",
            ) from error


def _log() -> str:
    try:
        base = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
        path = base / "mmeval" / "error.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as handle:
            traceback.print_exc(file=handle)
    except (OSError, RuntimeError):  # RuntimeError: nobody knows the home folder
        traceback.print_exc()
        return "the text above"
    return str(path)


if __name__ == "__main__":
    main()
