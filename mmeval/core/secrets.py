"""Secrets: what looks like the name of one, and taking known ones out of what servers say and of what is recorded."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Sequence
from urllib.parse import parse_qsl, urlsplit

VARIABLES = ("MMEVAL_API_KEY", "OPENAI_API_KEY", "MMEVAL_JUDGE_API_KEY", "MMEVAL_RETRIEVER_API_KEY")
"""Variables of the environment that hold the keys of mmeval's own requests."""
LONG_ENOUGH = 16
"""Characters from which a key is taken out of answers too: "EMPTY" or "none" stand for no key, and are words."""
_NAME = re.compile(
    r"(?:^|[_-])(?:api[_-]?key|apikey|secret|password|passwd|authorization|bearer|signature|sig"
    r"|(?:access|auth|api|hf|session)[_-]?token|credentials?)$|^(?:key|token|auth)$",
    re.IGNORECASE,
)


def childs_environment() -> dict[str, str]:
    """The environment for a process that makes no request of mmeval's own: a model's code has no use for the keys."""
    return {name: value for name, value in os.environ.items() if name not in VARIABLES}


def secret_names(names: Iterable[str]) -> list[str]:
    """Those of the names that a secret would have (`api_key`, `access-token`, …; not `max_tokens`)."""
    return [name for name in names if _NAME.search(name)]


def secret_in_query(url: str) -> str | None:
    """The parameter of an address that looks like a secret, or None."""
    found = secret_names(name for name, _ in parse_qsl(urlsplit(url).query, keep_blank_values=True))
    return found[0] if found else None


def without_key(body: bytes, key: str | None) -> bytes:
    """What a server said, without the key that it was sent. Short keys are left: they may be words of an answer."""
    if key is None or len(key) < LONG_ENOUGH:
        return body
    return body.replace(key.encode(), b"***")


def command_line(arguments: Sequence[str] | None = None) -> list[str]:
    """The argument vector with the values of secret options replaced."""
    hidden, result = False, []
    for argument in sys.argv if arguments is None else arguments:
        if hidden:
            result.append("***")
            hidden = False
        elif argument == "--api-key":
            result.append(argument)
            hidden = True
        elif argument.startswith("--api-key="):
            result.append("--api-key=***")
        else:
            result.append(argument)
    return result
