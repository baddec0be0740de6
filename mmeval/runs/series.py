"""A series of checkpoints: `-m 'vllm:./ckpt/step-*'` names one run per folder, in the order of their steps."""

from __future__ import annotations

import glob
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mmeval.core.errors import UsageError
from mmeval.core.user_paths import user_path
from mmeval.engines.registry import CHECKPOINT_BACKENDS

_PATTERN = re.compile(r"[*?\[]")


@dataclass(frozen=True, slots=True)
class Member:
    """One model of a series."""

    model: str
    """As `-m` takes it."""
    folder: str
    """Name of its run folder inside the series' folder."""


def expand_series(models: Sequence[str]) -> list[Member] | None:
    """One member per model where a word is a pattern of checkpoint folders; None where no word is one.

    A pattern's folders come in the order of the last number in their names (`step-2` before `step-10`), then by name.

    Raises:
        UsageError: a pattern that no folder matches.
    """
    if not any(_is_pattern(word) for word in models):
        return None
    words = [found for word in models for found in (_matches(word) if _is_pattern(word) else [word])]
    names = [_folder_name(word) for word in words]
    return [
        Member(word, name if names.count(name) == 1 else f"{name}-{number}")
        for number, (word, name) in enumerate(zip(words, names, strict=True), 1)
    ]


def _split(word: str) -> tuple[str, str]:
    prefix, colon, target = word.partition(":")
    return (prefix + colon, target) if prefix in CHECKPOINT_BACKENDS and colon else ("", word)


def _is_pattern(word: str) -> bool:
    backend, target = _split(word)
    if not backend and ":" in target:
        return False
    return bool(_PATTERN.search(target)) and not Path(target).exists()


def _matches(word: str) -> list[str]:
    backend, target = _split(word)
    folders = [path for path in glob.glob(str(user_path(target))) if Path(path).is_dir()]
    if not folders:
        raise UsageError(
            f"no checkpoint folder matches {target!r}",
            remedy="check the pattern, and quote it so that the shell leaves it alone",
        )
    return [backend + path for path in sorted(folders, key=step_key)]


def step_key(path: str) -> tuple[int, str]:
    """Sorts checkpoint folders: by the last number in the name, then by the name; those without a number first."""
    name = Path(path.rstrip("/")).name
    numbers = re.findall(r"\d+", name)
    return (int(numbers[-1]) if numbers else -1, name)


def _folder_name(word: str) -> str:
    _, target = _split(word)
    name = Path(target.rstrip("/")).name if "/" in target else target
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "model"
