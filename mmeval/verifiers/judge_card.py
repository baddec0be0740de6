"""Judge cards: a judge's prompt, the JSON schema of its reply, and its calibration, in one YAML file of `judges/`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

JudgeKind = Literal["extraction", "equivalence", "grade", "steps", "label", "preference"]


class JudgeDecoding(BaseModel):
    """Decoding of the judge."""

    model_config = ConfigDict(extra="forbid")

    temperature: float = Field(default=0.0, ge=0, le=100)
    max_tokens: int = Field(default=512, ge=16, le=1_000_000)


class JudgeCard(BaseModel):
    """One judge."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    title: str
    version: str
    kind: JudgeKind
    system: str
    prompt: str
    shows_image: bool = False
    fields: list[str] = Field(default_factory=list)
    """Further row columns that the prompt needs, each under its own name (`JudgeInput.fields`)."""
    optional_fields: list[str] = Field(default_factory=list)
    schema_: dict[str, Any] = Field(alias="schema")
    labels: list[str] = Field(default_factory=list)
    scale: tuple[float, float] | None = None
    decoding: JudgeDecoding = Field(default_factory=JudgeDecoding)
    calibration: str | None = None

    @property
    def digest(self) -> str:
        """Hash of everything that can change a verdict."""
        raise NotImplementedError


def judge_folders(extra: Iterable[Path] = ()) -> list[Path]:
    """Return the folders that hold judge cards; a later one overrides an earlier one."""
    raise NotImplementedError


def load_judge(name: str, extra_paths: Iterable[Path] = ()) -> JudgeCard:
    """Return the judge card `name`.

    Raises:
        UsageError: when there is none (with the nearest names), or it is not valid.
    """
    raise NotImplementedError


def list_judges(extra_paths: Iterable[Path] = ()) -> list[JudgeCard]:
    """Return all judge cards, sorted by name."""
    raise NotImplementedError
