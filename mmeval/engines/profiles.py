"""Model profiles: in which coordinates a family of models answers, and how it marks its reasoning.

A profile is declared, never fitted to answers. It is chosen by the user, else by the checkpoint's configuration, else
(for an endpoint) by the name that it serves; what was chosen, and why, goes into the manifest.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mmeval.core.errors import EngineError, UsageError, unknown

PROFILE_DIR = Path(__file__).resolve().parent.parent / "profiles"


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Match(_Section):
    """When a profile applies: the configuration's `model_type` or architecture; for endpoints the served name."""

    model_types: tuple[str, ...] = ()
    architectures: tuple[str, ...] = ()
    vocabulary_at_most: int | None = None
    """Further condition on a configuration: its vocabulary is no larger."""
    names: tuple[str, ...] = ()
    """Regular expressions, searched in the last part of the served name without regard to case."""
    priority: int = 0
    """Of several that match the highest wins."""


class Profile(_Section):
    """One family of models."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")
    about: str = ""
    match: Match = Match()
    coordinates: Literal["pixels", "unit", "thousand"] = "pixels"
    coordinate_order: Literal["xy", "yx"] = "xy"
    reasoning_tags: tuple[str, ...] = ()
    """Names of the tags around reasoning; empty leaves the verifiers' defaults."""
    system: str | None = None
    """A system prompt that the model requires."""
    grid: int | None = None
    """Both sides of an image are to be multiples of this, so that pixels as sent are the processor's pixels."""

    def facts(self, chosen_by: str) -> dict[str, Any]:
        """What `EngineInfo.profile` holds."""
        found: dict[str, Any] = {
            "name": self.name,
            "coordinates": self.coordinates,
            "coordinate_order": self.coordinate_order,
            "reasoning_tags": list(self.reasoning_tags),
            "chosen_by": chosen_by,
        }
        if self.system is not None:
            found["system"] = self.system
        if self.grid is not None:
            found["grid"] = self.grid
        return found


def read_profile(path: Path) -> Profile:
    """Read one profile file.

    Raises:
        UsageError: naming file, key and reason.
    """
    try:
        return Profile.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"{path}: cannot be read: {error}", remedy="see docs/engines.md, Profiles") from error
    except ValidationError as error:
        lines = [f"  {'.'.join(str(part) for part in entry['loc'])}: {entry['msg']}" for entry in error.errors()]
        message = f"{path}: the profile is not valid:\n" + "\n".join(lines)
        raise UsageError(message, remedy="see docs/engines.md, Profiles") from error


@lru_cache(maxsize=1)
def shipped_profiles() -> Mapping[str, Profile]:
    """All profiles of the package by name."""
    profiles = [read_profile(path) for path in sorted(PROFILE_DIR.glob("*.yaml"))]
    return {profile.name: profile for profile in profiles}


def named_profile(name: str) -> Profile:
    """Return a profile by its name, or read the YAML file that the name is the path of.

    Raises:
        UsageError: for an unknown name (with the nearest ones) or a broken file.
    """
    if name.endswith((".yaml", ".yml")):
        return read_profile(Path(name))
    if name not in shipped_profiles():
        raise unknown("profile", name, shipped_profiles())
    return shipped_profiles()[name]


def _vocabulary(config: Mapping[str, Any]) -> int | None:
    for section in (config, config.get("text_config"), config.get("llm_config")):
        if isinstance(section, Mapping) and isinstance(section.get("vocab_size"), int):
            return int(section["vocab_size"])
    return None


def _fits_config(match: Match, config: Mapping[str, Any]) -> bool:
    architectures = config.get("architectures") or ()
    named = config.get("model_type") in match.model_types or any(a in match.architectures for a in architectures)
    if not named or match.vocabulary_at_most is None:
        return named
    vocabulary = _vocabulary(config)
    return vocabulary is not None and vocabulary <= match.vocabulary_at_most


def choose_profile(
    name: str | None, config: Mapping[str, Any] | None = None, served_name: str | None = None
) -> dict[str, Any]:
    """Return the facts of the profile that applies, `generic` where none does.

    Args:
        name: the user's `--profile`.
        config: the checkpoint's config.json, where it can be read.
        served_name: what an endpoint calls the model.

    Raises:
        EngineError: when the user's profile does not exist or is broken.
    """
    if name is not None:
        try:
            return named_profile(name).facts("--profile")
        except UsageError as error:
            raise EngineError(error.message, remedy=error.remedy) from error
    ranked = sorted(shipped_profiles().values(), key=lambda profile: -profile.match.priority)
    if config is not None:
        for profile in ranked:
            if _fits_config(profile.match, config):
                return profile.facts("config.json")
    elif served_name is not None:
        last = served_name.rstrip("/").rpartition("/")[2]
        for profile in ranked:
            if any(re.search(pattern, last, re.IGNORECASE) for pattern in profile.match.names):
                return profile.facts("served name")
    return shipped_profiles()["generic"].facts("default")
