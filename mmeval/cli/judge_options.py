"""The `--judge…` options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click
import orjson

from mmeval.core.errors import UsageError

JUDGE_KEYS = (
    "judge", "judge_base_urls", "judge_model_id", "judge_engine_args", "judge_engine_python", "judge_concurrency",
    "judge_repeats", "judge_swap",
)  # fmt: skip


def judge_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options; their names are keys of a run's configuration."""
    options = [
        click.option(
            "--judge",
            metavar="MODEL",
            help="Model that judges what the rules leave open, e.g. openai:NAME, vllm:ORG/NAME, tiny.",
        ),
        click.option(
            "--judge-base-url", "judge_base_urls", multiple=True, metavar="URL", help="Endpoint(s) of the judge."
        ),
        click.option("--judge-model-id", metavar="ID", help="Your word for which weights the judge's endpoint serves."),
        click.option(
            "--judge-engine-arg",
            "judge_engine_args",
            multiple=True,
            metavar="KEY=VALUE",
            help="Argument of the judge's engine.",
        ),
        click.option("--judge-engine-python", metavar="PATH", help="Python of the environment of the judge's engine."),
        click.option("--judge-concurrency", type=click.IntRange(min=1), help="Judge requests in flight."),
        click.option(
            "--judge-repeats", type=click.IntRange(min=1), help="Verdicts per row; the majority counts.  [default: 1]"
        ),
        click.option(
            "--judge-swap",
            is_flag=True,
            help="Judge once more with the two answers in the other order, where a judge card shows two.",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def engine_args(pairs: tuple[str, ...], option: str) -> dict[str, Any]:
    """Read `key=value` pairs; a value that is JSON is taken as such.

    Raises:
        UsageError: for a pair without key or equals sign.
    """
    found: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals or not key:
            flag = "--" + option.replace("_", "-").removesuffix("s")
            raise UsageError(f"{flag} {pair!r}: key=value is expected", remedy=f"e.g. {flag} dtype=float32")
        try:
            found[key] = orjson.loads(text)
        except orjson.JSONDecodeError:
            found[key] = text
    return found


def judge_values(options: dict[str, Any]) -> dict[str, Any]:
    """Take the judge's options out of a command's, as keys of a run's configuration; those not given are left out."""
    given = {name: options.pop(name) for name in JUDGE_KEYS}
    given["judge_engine_args"] = engine_args(given["judge_engine_args"], "judge_engine_args")
    given["judge_base_urls"] = list(given["judge_base_urls"])
    return {name: value for name, value in given.items() if value}
