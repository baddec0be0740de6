"""From the user's word for a model (`backend:target`) to a specification and an engine."""

from __future__ import annotations

import importlib
import importlib.util
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from mmeval.core.errors import EngineError, UsageError, nearest, unknown
from mmeval.core.secrets import secret_names
from mmeval.engines.base import Engine, ModelSpec

ENTRY_POINT_GROUP = "mmeval.engines"
CHECKPOINT_DIR = Path(__file__).resolve().parent.parent / "checkpoints"
SHIPPED_CHECKPOINTS = ("tiny", "tiny-early", "tiny-qwen2")

BUILT_IN: Mapping[str, str] = {
    "hf": "mmeval.engines.hf:HfEngine",
    "vllm": "mmeval.engines.vllm:vllm_engine",
    "lmdeploy": "mmeval.engines.lmdeploy:lmdeploy_engine",
    "openai": "mmeval.engines.openai:OpenAIEngine",
    "replay": "mmeval.engines.replay:ReplayEngine",
    "chance": "mmeval.engines.chance:ChanceEngine",
    "fake": "mmeval.engines.fake:FakeEngine",
}
UNADVERTISED = frozenset({"fake"})
CHECKPOINT_BACKENDS = frozenset({"hf", "vllm", "lmdeploy"})
"""Backends whose target is a folder or a hub id with an optional `@revision`."""

_BACKEND_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]+")
_WINDOWS_DRIVE = re.compile(r"[A-Za-z]:[\\/]")


@dataclass(frozen=True, slots=True)
class Backend:
    """A backend that `-m backend:target` can name."""

    name: str
    provider: str
    """`module:attribute` of the factory, which takes a `ModelSpec`."""
    entry_point: EntryPoint | None = None
    """Set for backends of third-party packages."""


def backends() -> dict[str, Backend]:
    """Return every backend by name: built in, then those of installed packages, which cannot replace a built-in."""
    found = {name: Backend(name, place) for name, place in BUILT_IN.items()}
    for point in entry_points(group=ENTRY_POINT_GROUP):
        found.setdefault(point.name, Backend(point.name, point.value, point))
    return found


def advertised() -> list[str]:
    """Names of the backends for lists and messages."""
    return sorted(name for name in backends() if name not in UNADVERTISED)


def parse_model(text: str, **options: Any) -> ModelSpec:
    """Read `backend:target`, `backend:name@revision`, a shipped checkpoint's name, a path or a hub id.

    Args:
        text: the value of `-m`.
        options: further fields of `ModelSpec` (base_urls, engine_args, timeout_s …).

    Raises:
        UsageError: for an unknown backend (with the nearest names) or a missing target.
    """
    word = text.strip()
    if not word:
        raise UsageError("the model's name is empty", remedy="write e.g. -m tiny or -m hf:./checkpoint")
    if word in SHIPPED_CHECKPOINTS:
        return ModelSpec("hf", str(CHECKPOINT_DIR / word), **options)
    backend, target = _split(word)
    spec = ModelSpec(backend, target, **options)
    if backend == "chance":
        return _chance(spec)
    if backend == "fake":
        return spec
    if not target:
        raise UsageError(f"{word!r} names no target", remedy=f"write {backend}:{_example(backend)}")
    if backend in CHECKPOINT_BACKENDS:
        return _with_revision(spec)
    return spec


def _split(word: str) -> tuple[str, str]:
    if word in ("chance", "fake"):
        return word, ""
    if re.match(r"https?://", word):
        raise UsageError(
            f"{word!r} is an address, not a model", remedy=f"write -m openai:SERVED_NAME --base-url {word}"
        )
    prefix, colon, target = word.partition(":")
    if not colon or _WINDOWS_DRIVE.match(word) or not _BACKEND_NAME.fullmatch(prefix):
        return default_backend()[0], word
    known = backends()
    if prefix in known:
        return prefix, target
    if Path(word).exists():
        return default_backend()[0], word
    raise unknown("backend", prefix, [*advertised(), *SHIPPED_CHECKPOINTS], listing="mmeval doctor")


def _chance(spec: ModelSpec) -> ModelSpec:
    from mmeval.engines.chance import STRATEGIES

    if spec.target and spec.target not in STRATEGIES:
        raise unknown("chance strategy", spec.target, STRATEGIES)
    return replace(spec, target=spec.target or "uniform")


def _with_revision(spec: ModelSpec) -> ModelSpec:
    if Path(spec.target).exists() or "@" not in spec.target:
        return spec
    name, _, revision = spec.target.rpartition("@")
    if not name or not revision:
        message = f"{spec.target!r}: a revision is written NAME@REVISION"
        raise UsageError(message, remedy="e.g. hf:org/name@main")
    if spec.revision not in (None, revision):
        message = f"{spec.target!r} and --revision {spec.revision} name two revisions"
        raise UsageError(message, remedy="give the revision once")
    return replace(spec, target=name, revision=revision)


def _example(backend: str) -> str:
    return {"openai": "SERVED_NAME --base-url http://127.0.0.1:8000/v1", "replay": "predictions.jsonl"}.get(
        backend, "./checkpoint"
    )


def label(spec: ModelSpec) -> str:
    """What tables call the model: `tiny` for a shipped checkpoint, otherwise `backend:target`."""
    path = Path(spec.target)
    if spec.backend == "hf" and path.parent == CHECKPOINT_DIR:
        return path.name
    if spec.backend == "chance":
        return "chance" if spec.target == "uniform" else f"chance:{spec.target}"
    if spec.backend == "fake":
        return "fake"
    revision = f"@{spec.revision}" if spec.revision else ""
    return f"{spec.backend}:{spec.target}{revision}"


def has_gpu() -> bool:
    """Whether the machine shows a GPU device, without importing torch."""
    return any(Path(device).exists() for device in ("/dev/nvidia0", "/dev/nvidiactl", "/dev/kfd", "/dev/dxg"))


def sees_gpu(spec: ModelSpec) -> bool:
    """Whether the model's workers can be on a GPU: of this machine, or of the Ray cluster.

    Raises:
        EngineError: the cluster cannot be reached.
    """
    if spec.ray is None:
        return has_gpu()
    from mmeval.engines.ray_cluster import RayCluster

    return RayCluster.connect(spec.ray.address).has_gpu()


def default_backend() -> tuple[str, str]:
    """Return the backend of a model without a prefix, and the reason for the note to the user."""
    if not has_gpu():
        return "hf", "no GPU here"
    if importlib.util.find_spec("vllm") is None:
        return "hf", "vLLM is not installed"
    return "vllm", "a GPU and vLLM are here"


def choice_note(text: str, spec: ModelSpec) -> str | None:
    """The note to print when the backend was chosen for the user, or None when the user's word names it."""
    if text.strip() in SHIPPED_CHECKPOINTS or text.strip().partition(":")[0] == spec.backend:
        return None
    backend, reason = default_backend()
    return f"{text}: using {backend} ({reason}); write {backend}:{text} to silence this note"


def create_engine(spec: ModelSpec) -> Engine:
    """Build the engine of a specification. Nothing is loaded before `start`.

    Raises:
        EngineError: for a backend that cannot be used, with the remedy.
    """
    secret = secret_names(spec.engine_args)
    if secret:
        raise EngineError(
            f"engine argument {secret[0]!r} looks like a secret, and arguments are kept in the run",
            remedy="set the environment variable MMEVAL_API_KEY (MMEVAL_JUDGE_API_KEY for a judge)",
        )
    known = backends()
    backend = known.get(spec.backend)
    if backend is None:
        close = nearest(spec.backend, advertised())
        remedy = f"did you mean {' or '.join(close)}?" if close else "mmeval doctor lists the backends"
        raise EngineError(f"unknown backend {spec.backend!r}", remedy=remedy)
    engine: Engine = _factory(backend)(spec)
    return engine


def _factory(backend: Backend) -> Any:
    try:
        if backend.entry_point is not None:
            return backend.entry_point.load()
        module, _, attribute = backend.provider.partition(":")
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise EngineError(
            f"backend {backend.name} ({backend.provider}) cannot be loaded: {error}",
            remedy="reinstall or update the package that provides it",
        ) from error
