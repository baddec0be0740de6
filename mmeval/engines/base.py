"""The one Protocol behind which every backend stands, and what an engine says about itself."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from mmeval.core.types import Request, Response, TokenContrast, TokenLogprobs


@dataclass(frozen=True, slots=True)
class RaySettings:
    """Where the replicas of a model run on a Ray cluster, and how many."""

    address: str | None = None
    """`auto`, HOST:PORT or ray://HOST:PORT; None takes RAY_ADDRESS, and without it a cluster of its own on this machine."""
    replicas: int | None = None
    """Copies of the model; None fills the cluster, and what joins it later."""
    cpus: int | None = None
    """Cores per replica; None takes one per GPU, and without GPUs as many as the smallest node has."""
    patience_s: float = 60.0
    """How long to wait while there is no replica and no node has room for one."""


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """What the user asked for with `-m` and the engine options; the input of every engine factory.

    Each field belongs either to the identity of the model (it can change an answer) or to transport;
    `IDENTITY_FIELDS` and `TRANSPORT_FIELDS` class every one, and a structural test keeps that complete.
    """

    backend: str
    """`hf`, `openai`, `replay`, `chance`, `tiny` …"""
    target: str
    """What follows the colon: a path, a hub id, a served model name, a predictions file."""
    revision: str | None = None
    """Hub revision."""
    profile: str | None = None
    """Name of a model profile; None chooses by the checkpoint's configuration."""
    engine_args: Mapping[str, Any] = field(default_factory=dict)
    """Engine arguments under the engine's own names (dtype, max_pixels …)."""
    trust_remote_code: bool = False
    model_id: str | None = None
    """The user's word for which weights an endpoint serves; lets its answers be shared between runs."""
    base_urls: tuple[str, ...] = ()
    """Endpoints, e.g. http://127.0.0.1:8000/v1."""
    api_key: str | None = field(default=None, repr=False)
    timeout_s: float = 600.0
    """Limit of one request in seconds."""
    concurrency: int | None = None
    """Requests in flight at most; None lets the engine choose."""
    engine_python: str | None = None
    """Python interpreter of the environment in which the engine's package lives."""
    tensor_parallel: int | None = None
    """GPUs that one copy of the model is spread over."""
    data_parallel: int | None = None
    """Copies of the model that share the requests."""
    ray: RaySettings | None = None
    """The Ray cluster on which managed workers run; None: on this machine."""


IDENTITY_FIELDS = frozenset(
    {"backend", "target", "revision", "profile", "engine_args", "trust_remote_code", "model_id"}
)
TRANSPORT_FIELDS = frozenset(
    {"base_urls", "api_key", "timeout_s", "concurrency", "engine_python", "tensor_parallel", "data_parallel", "ray"}
)


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What a started engine says of itself; goes into the manifest.

    `identity` decides cache hits: for files content hashes of weights, config, tokenizer, chat template and processor
    files (never paths or times); for an endpoint the served name and what `/v1/models` says, or `--model-id`.
    """

    engine: str
    """`hf`, `openai` …"""
    version: str
    """Version of the engine's package, or of the serving engine where it tells."""
    identity: Mapping[str, Any]
    """JSON; equal identities mean equal answers to equal requests."""
    shared_identity: bool = True
    """False when answers may be reused inside one run folder only (an endpoint without `--model-id`)."""
    reads_sample: bool = False
    """The engine answers from the sample (`chance`, `replay`), so what it may read of it is part of the request's identity."""
    slots: int = 8
    """How many requests the engine works on at once."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """Further facts for the manifest: arguments, device, dtype, profile. No secrets."""
    profile: Mapping[str, Any] = field(default_factory=dict)
    """`coordinates`, `coordinate_order`, `reasoning_tags` … of the model profile in use."""
    cache_tokens: int | None = None
    """Tokens of prompts and answers that it can hold at once, where it says so (a started engine)."""


SAMPLING_FIELDS = frozenset(
    {"temperature", "top_p", "top_k", "min_p", "repetition_penalty", "max_tokens", "stop", "seed"}
)


class Engine(Protocol):
    """A backend. `describe` first, `start` before the first `generate`, `close` at the end whatever happened.

    A run whose answers are all in the cache never calls `start`, so `describe` must not load a model.

    Attributes:
        supported_sampling: names of the `Sampling` fields that it can honour; the pipeline refuses a run that sets another.
        modalities: what it can be shown: `text`, `image`, `images` (several), `video`; right after `describe`.
        exclusive: it fills the card (or all cores) by itself, so such engines run one after another.
    """

    supported_sampling: frozenset[str]
    modalities: frozenset[str]
    exclusive: bool

    async def describe(self) -> EngineInfo:
        """Say which engine, version and weights these are, and which profile fits, without loading the model.

        An endpoint is asked for `/v1/models` here.

        Raises:
            EngineError: with a remedy, when it cannot work at all (missing package or file, wrong key, unknown model, endpoint down).
        """
        ...

    async def start(self) -> EngineInfo:
        """Load the model or reach the endpoint; the same info as `describe`, perhaps with more details.

        Raises:
            EngineError: with a remedy, when it cannot work at all (missing package, wrong key, unknown model, endpoint down).
        """
        ...

    async def generate(self, request: Request) -> Response:
        """Answer one request. Never raises for a failure of the request: that is a `Response` with another status.

        Cancelling the call stops the work where the backend can.
        """
        ...

    async def close(self) -> None:
        """Release everything; safe to call twice."""
        ...


@runtime_checkable
class ScoresTokens(Protocol):
    """An engine that can score given tokens instead of generating some."""

    async def logprobs(self, request: Request, continuation: str) -> TokenLogprobs:
        """Score a continuation of the request's prompt, teacher-forced; the sampling fields do not matter.

        The continuation is tokenised by itself and follows the generation prompt. Never raises for a failure of the
        request: that is a result with another status than `ok`.
        """
        ...


@runtime_checkable
class ScoresAnswers(Protocol):
    """A scalar reward model: an engine that says with a number how good an answer is."""

    async def score(self, request: Request) -> Response:
        """Score the last message of a request, the assistant's; the sampling fields do not matter.

        The text of the response is the number as `score_text` writes it, larger for better. Never raises for a failure of the
        request; a model that cannot score answers `unsupported`.
        """
        ...


NO_SCORES = (
    "this model gives no scores: name a scalar reward model (openai: at a server of one, such as vllm serve --runner pooling, "
    "or hf: with a checkpoint of an architecture …ForSequenceClassification)"
)
SCORE_INDEX = "score_index"
"""Engine argument: which of several values of a classification head is the score, counted from 0."""


def score_text(values: Sequence[float], index: int | None) -> str:
    """Return the one score of a head as text.

    Args:
        values: what the head gives, one number or one per label.
        index: which is the score; needed where there are several.

    Raises:
        ValueError: several values and no index, an index beyond them, or a value that is no finite number.
    """
    if index is None and len(values) != 1:
        raise ValueError(
            f"the head gives {len(values)} values: say which is the score with --engine-arg {SCORE_INDEX}=N"
        )
    if index is not None and not 0 <= index < len(values):
        raise ValueError(f"{SCORE_INDEX}={index}: the head gives {len(values)} values")
    value = float(values[index or 0])
    if not math.isfinite(value):
        raise ValueError(f"the score is {value}")
    return repr(value)


@dataclass(frozen=True, slots=True)
class Load:
    """What a server says of its own work, for all who ask it together."""

    running: int
    """Requests that it works on."""
    waiting: int
    """Requests that it has accepted and not begun."""
    cache_usage: float | None = None
    """Share of its cache of keys and values that is taken, 0 to 1."""
    cache_tokens: int | None = None
    """Tokens that the cache holds."""
    preemptions: int = 0
    """Requests that it began and put back since it started, because the cache was full."""


@runtime_checkable
class Remote(Protocol):
    """An engine that others may use too, and of which nobody says how much it takes: it is found out while asking."""

    @property
    def servers(self) -> frozenset[str]:
        """Addresses; engines that have the same share what these take."""
        ...

    async def load(self) -> Load | None:
        """What the servers say of themselves together; None where one does not. Never raises."""
        ...

    def resize(self, slots: int) -> None:
        """Take so many requests at once from now on."""
        ...


@runtime_checkable
class CachesPrefixes(Protocol):
    """An engine that says how much of the prompts it had computed before."""

    @property
    def prefix_hits(self) -> float | None:
        """Share of the prompts' tokens that came from its prefix cache; None while it has said nothing."""
        ...


def slots_for(sequences: int) -> int:
    """Requests that keep an engine busy which works on so many at once: a quarter more wait in it, prepared."""
    return sequences + max(LEAST_AHEAD, sequences // 4)


LEAST_AHEAD = 8
"""Requests that wait in an engine at least, so that a place that becomes free is taken at once."""


@runtime_checkable
class Elastic(Protocol):
    """An engine that may come to work on more or fewer requests at once while it runs."""

    def watch(self, changed: Callable[[int], None], tell: Callable[[str], None]) -> None:
        """Name who is told the number of slots when it changes, and in words what happened; called in the event loop."""
        ...


@runtime_checkable
class ContrastsTokens(Protocol):
    """An engine that has the whole distribution of every token, and so the exact divergence between two prompts."""

    async def contrast(self, request: Request, other: Request, continuation: str) -> TokenContrast:
        """Score a continuation after two prompts; see `ScoresTokens.logprobs`."""
        ...


@runtime_checkable
class NeedsTargets(Protocol):
    """A baseline that is computed from the gold answers of the tasks (the most frequent answer), never a model."""

    @property
    def needs_targets(self) -> bool:
        """Whether `prime` must be called before `describe`."""
        ...

    def prime(self, targets: Mapping[str, Iterable[Any]]) -> None:
        """Hand over the gold answers: task name -> targets."""
        ...
