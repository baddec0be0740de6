"""Model profiles: in which coordinates a family of models answers, and how it marks its reasoning and its answer.

A profile is declared, never fitted to answers. It is chosen by the user, else by the checkpoint's configuration and
name, else (for an endpoint) by the name that it serves; what was chosen, and why, goes into the manifest. A profile
may inherit from another (`base`): a checkpoint trained from a family shares its configuration and differs in what it
was trained to write.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from mmeval.core.errors import EngineError, UsageError, unknown
from mmeval.core.yaml_files import read_yaml

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
    """Regular expressions, searched in the last part of the model's name without regard to case."""
    priority: int = 0
    """Of several that match the highest wins."""

    @field_validator("names")
    @classmethod
    def _compiles(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            try:
                re.compile(name)
            except re.error as error:
                raise ValueError(f"{name!r} is no regular expression: {error}") from error
        return names


class Resize(_Section):
    """To which size the processor, or the protocol that the checkpoint was trained with, brings an image."""

    factor: int | None = Field(default=None, ge=1)
    """Both sides become multiples of it."""
    min_pixels: int | None = Field(default=None, ge=1)
    max_pixels: int | None = Field(default=None, ge=1)
    """Limits of width × height."""
    size: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]] | None = None
    """A fixed (width, height), whatever the shape of the image."""

    @model_validator(mode="after")
    def _ordered(self) -> Resize:
        if self.min_pixels is not None and self.max_pixels is not None and self.min_pixels > self.max_pixels:
            raise ValueError(f"min_pixels {self.min_pixels} is greater than max_pixels {self.max_pixels}")
        return self


class Answer(_Section):
    """How the final answer is marked; several marks enclose one another."""

    tag: str | None = Field(default=None, pattern=r"^[A-Za-z][A-Za-z_]*$")
    """`answer` for `<answer>…</answer>`."""
    boxed: bool = False
    r"""Inside `\boxed{…}`."""
    marks: tuple[str, str] | None = None
    """Other strings before and after it."""

    @model_validator(mode="after")
    def _marked(self) -> Answer:
        if self.tag is None and not self.boxed and self.marks is None:
            raise ValueError("give one of tag, boxed and marks, or leave `answer` out")
        return self


class Recommended(_Section):
    """Decoding that the authors recommend or evaluate with. Information only: a run decodes as its task and user say."""

    temperature: float | None = Field(default=None, ge=0)
    top_p: float | None = Field(default=None, gt=0, le=1)
    top_k: int | None = None
    repetition_penalty: float | None = Field(default=None, gt=0)
    max_tokens: int | None = Field(default=None, ge=1)


class Profile(_Section):
    """One family of models, or a checkpoint trained from one."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")
    base: str | None = None
    """Shipped profile, or YAML file beside this one, whose keys apply where this one has none."""
    about: str = ""
    source: str | None = Field(default=None, pattern=r"^https?://")
    """Where the facts, and the system prompt that the model needs, are to be found."""
    match: Match = Match()
    coordinates: Literal["pixels", "unit", "percent", "thousand"] = "pixels"
    coordinate_order: Literal["xy", "yx"] = "xy"
    reasoning_tags: tuple[str, ...] = ()
    """Names of the tags around reasoning; empty leaves the verifiers' defaults."""
    system: str | None = None
    """A system prompt that the model requires, in the user's own file."""
    needs_system: bool = False
    """The model was trained with a system prompt that the user has to give; `source` says where it stands."""
    grid: int | None = Field(default=None, ge=1)
    """Both sides of an image are to be multiples of this, so that pixels as sent are the processor's pixels."""
    resize: Resize | None = None
    answer: Answer | None = None
    format: str | None = Field(default=None, pattern=r"^[a-z0-9][a-z0-9-]*$")
    """Short name of the response format that the checkpoint was trained to keep."""
    sampling: Recommended | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Profile:
        factor = self.resize.factor if self.resize is not None else None
        if self.grid is not None and factor is not None and self.grid != factor:
            raise ValueError(f"grid {self.grid} and resize.factor {factor} differ")
        if self.needs_system and self.system is None and self.source is None:
            raise ValueError("needs_system: give `source`, the address where the system prompt is to be found")
        return self

    def facts(self, chosen_by: str) -> dict[str, Any]:
        """What `EngineInfo.profile` holds: JSON, and only keys that the profile has something to say about."""
        found: dict[str, Any] = {
            "name": self.name,
            "coordinates": self.coordinates,
            "coordinate_order": self.coordinate_order,
            "reasoning_tags": list(self.reasoning_tags),
            "chosen_by": chosen_by,
        }
        if "coordinates" not in self.model_fields_set:
            found["coordinates_assumed"] = True
        for key in ("base", "system", "grid", "format"):
            if getattr(self, key) is not None:
                found[key] = getattr(self, key)
        for key in ("resize", "answer", "sampling"):
            section = getattr(self, key)
            if section is not None:
                found[key] = section.model_dump(mode="json", exclude_defaults=True)
        if self.needs_system and self.system is None:
            found["needs_system"] = True
            found["source"] = self.source
        return found


REMEDY = "see docs/profiles.md"
_OWN = frozenset({"name", "base", "about", "source", "match"})
"""Keys that a profile does not inherit."""
_FAMILY = frozenset({"model_types", "architectures"})
"""Keys of `match` that it inherits: a trained checkpoint has its family's configuration, its names are its own."""


def _read(path: Path) -> Any:
    return read_yaml(path)


def _validated(path: Path, values: Any) -> Profile:
    try:
        return Profile.model_validate(values)
    except ValidationError as error:
        lines = [f"  {'.'.join(str(part) for part in entry['loc'])}: {entry['msg']}" for entry in error.errors()]
        raise UsageError(f"{path}: the profile is not valid:\n" + "\n".join(lines), remedy=REMEDY) from error


def _base_path(path: Path, base: str) -> Path:
    """Return the file of a base: beside the profile where the base is a file name, else among the shipped ones."""
    if base.endswith((".yaml", ".yml")):
        return path.parent / base
    shipped = {file.stem: file for file in PROFILE_DIR.glob("*.yaml")}
    if base not in shipped:
        error = unknown("profile", base, shipped)
        raise UsageError(f"{path}: base: {error.message}", remedy=error.remedy)
    return shipped[base]


def _with_base(path: Path, seen: tuple[Path, ...] = ()) -> Any:
    """Return the file's content laid over that of its base."""
    here = path.resolve()
    if here in seen:
        chain = " → ".join(file.name for file in (*seen[seen.index(here) :], here))
        raise UsageError(f"{path}: base: the profile inherits from itself: {chain}", remedy="remove one `base`")
    values = _read(path)
    base = values.get("base") if isinstance(values, dict) else None
    if not isinstance(base, str):
        return values
    parent = _base_path(path, base)
    inherited = _with_base(parent, (*seen, here))
    _validated(parent, inherited)
    merged = {key: value for key, value in inherited.items() if key not in _OWN} | values
    own, family = values.get("match") or {}, inherited.get("match") or {}
    if isinstance(own, dict) and isinstance(family, dict) and not own.keys() & _FAMILY:
        merged["match"] = {key: value for key, value in family.items() if key in _FAMILY} | own
    return merged


def read_profile(path: Path) -> Profile:
    """Read one profile file, laid over its base.

    Raises:
        UsageError: naming file, key and reason; for an unknown base or one that leads back to the profile.
    """
    return _validated(path, _with_base(path))


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


def last_part(target: str) -> str:
    """Return the part of a hub id, folder or served name that names the model.

    A snapshot in the hub's cache (`models--owner--name/snapshots/…`) is named by its repository.
    """
    cached = re.search(r"models--[^/\\]+?--([^/\\]+)[/\\]+snapshots(?:[/\\]|$)", target)
    return cached[1] if cached else re.split(r"[/\\]", target.rstrip("/\\"))[-1]


def _fits_name(match: Match, target: str) -> bool:
    last = last_part(target)
    return any(re.search(pattern, last, re.IGNORECASE) for pattern in match.names)


def choose_profile(
    name: str | None,
    config: Mapping[str, Any] | None = None,
    served_name: str | None = None,
    target_name: str | None = None,
) -> dict[str, Any]:
    """Return the facts of the profile that applies, `generic` where none does.

    With a configuration, a profile with a `base` applies where both its family and the model's name fit, and precedes
    the family's own; a name alone never overrules a configuration. Without one the name decides.

    Args:
        name: the user's `--profile`.
        config: the checkpoint's config.json, where it can be read.
        served_name: what an endpoint calls the model.
        target_name: hub id or folder of the checkpoint; the served name where not given.

    Raises:
        EngineError: when the user's profile does not exist or is broken.
    """
    if name is not None:
        try:
            return named_profile(name).facts("--profile")
        except UsageError as error:
            raise EngineError(error.message, remedy=error.remedy) from error
    ranked = sorted(shipped_profiles().values(), key=lambda profile: (-profile.match.priority, profile.base is None))
    target = target_name or served_name
    if config is not None:
        for profile in ranked:
            if not _fits_config(profile.match, config):
                continue
            if profile.base is None:
                return profile.facts("config.json")
            if target is not None and _fits_name(profile.match, target):
                return profile.facts("config.json and name")
    elif target is not None:
        for profile in ranked:
            if _fits_name(profile.match, target):
                return profile.facts("served name" if target_name is None else "name")
    return shipped_profiles()["generic"].facts("default")
