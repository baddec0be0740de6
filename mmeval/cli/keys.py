"""Keys of endpoints, from the environment."""

from __future__ import annotations

import os


def model_key() -> str | None:
    """The key of the models' endpoints."""
    return os.environ.get("MMEVAL_API_KEY") or os.environ.get("OPENAI_API_KEY")


def judge_key() -> str | None:
    """The key of the judge's endpoint, for commands that ask no other model."""
    return os.environ.get("MMEVAL_JUDGE_API_KEY") or model_key()
