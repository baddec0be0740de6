"""Gold answers of rows with options."""

from __future__ import annotations

from typing import Any

from mmeval.core.errors import DataError
from mmeval.verifiers.letters import LETTERS


def gold_letter(letter: str, target: Any, count: int) -> str:
    """Return `letter`, one of the first `count` letters.

    Args:
        letter: what the rule takes for the letter of `target`.
        target: the row's gold answer, for the message.
        count: options of the row; 0 where they are not known, for which every letter stands.

    Raises:
        DataError: when it is not the letter of an option.
    """
    count = count or len(LETTERS)
    if len(letter) != 1 or letter not in LETTERS[:count]:
        raise DataError(
            f"target {target!r} is not the letter of one of {count} options",
            remedy="give the gold answer as a letter, A for the first option",
        )
    return letter


def accepted_texts(letter: str, target: str, choices: tuple[str, ...]) -> list[str]:
    """Return the gold answers of an official rule that takes a letter or the text of its option.

    Args:
        letter: what the rule takes for the letter of `target`.
        target: the row's gold answer.
        choices: texts of the options; without any, the target alone is right.

    Raises:
        DataError: when there are options, and the letter is of none of them.
    """
    return [target, choices[LETTERS.index(gold_letter(letter, target, len(choices)))]] if choices else [target]
