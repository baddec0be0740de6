"""The nouns: media, samples, requests, responses and verdicts as frozen dataclasses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from mmeval.core.errors import MediaError
from mmeval.core.files import read_regular

MediaKind: TypeAlias = Literal["image", "video"]
Role: TypeAlias = Literal["system", "user", "assistant"]
Status: TypeAlias = Literal["ok", "refused", "too_long", "unsupported", "timeout", "error"]
Outcome: TypeAlias = Literal["scored", "no_answer", "unsupported", "unscored", "error"]
OUTCOMES: tuple[Outcome, ...] = ("scored", "no_answer", "unsupported", "unscored", "error")


@dataclass(frozen=True, slots=True)
class FrameSampling:
    """Which frames of a video a protocol shows."""

    method: Literal["uniform", "fps", "all"] = "uniform"
    frames: int = 8
    """Frames for `uniform`; the most for `fps` and `all`."""
    fps: float = 1.0
    """Frames per second, for `fps`."""
    max_side: int | None = None
    """Longest side in pixels; larger frames are scaled down (bicubic)."""
    crop: tuple[int, int, int, int] | None = None
    """(x1, y1, x2, y2) in pixels of the frame as decoded, half-open: the part that is shown; before `max_side`."""

    @property
    def key(self) -> list[Any]:
        """As JSON, for hashes."""
        cut = [list(self.crop)] if self.crop is not None else []
        return [self.method, self.frames, self.fps if self.method == "fps" else None, self.max_side, *cut]


@dataclass(frozen=True, slots=True)
class Media:
    """An image or a video, whose bytes are read only when they are needed.

    Exactly one of `data`, `path`, `loader` is set for an image. A video has its `frames`, or `data` or `path` of a file and `sampling`.
    """

    kind: MediaKind = "image"
    data: bytes | None = field(default=None, repr=False)
    path: Path | None = None
    loader: Callable[[], bytes] | None = field(default=None, repr=False, compare=False)
    """Reads the encoded bytes of a dataset cell."""
    name: str = ""
    """What messages call it: a file name, or row and column."""
    frames: tuple[Media, ...] = ()
    """Frames in playing order, for a video."""
    frame_indices: tuple[int, ...] = ()
    """Indices of the frames in the source video."""
    sampling: FrameSampling | None = None
    """Which frames of a video file are decoded, and which part of every frame is shown."""

    def read(self) -> bytes:
        """Return the encoded bytes of an image as they are stored.

        Raises:
            MediaError: when the file or cell cannot be read, or the media is a video.
        """
        if self.data is not None:
            return self.data
        try:
            if self.path is not None:
                return read_regular(self.path)
            if self.loader is not None:
                return self.loader()
        except OSError as error:
            raise MediaError(f"cannot read {self.label}: {error.strerror or error}") from error
        raise MediaError(f"{self.label} has no bytes of its own")

    @property
    def label(self) -> str:
        """A short name for messages."""
        return self.name or (str(self.path) if self.path else self.kind)


@dataclass(frozen=True, slots=True)
class PreparedImage:
    """An image as an engine gets it: validated, and the original bytes wherever they can be sent unchanged."""

    data: bytes = field(repr=False)
    format: Literal["jpeg", "png", "webp"]
    width: int
    """Pixels, as sent."""
    height: int
    """Pixels, as sent."""
    sha256: str
    """Of `data`, as sent."""
    source_sha256: str
    """Of the stored bytes before rotation, flattening, resizing or ablation."""
    source_width: int
    """Pixels of the source after its EXIF orientation is applied."""
    source_height: int
    """Pixels of the source after its EXIF orientation is applied."""

    @property
    def mime(self) -> str:
        """The media type, e.g. `image/jpeg`."""
        return f"image/{self.format}"


@dataclass(frozen=True, slots=True)
class TextPart:
    """Text inside a message."""

    text: str


@dataclass(frozen=True, slots=True)
class MediaPart:
    """A reference to `Sample.media[index]` (or to `Request.media[index]`, in the same order) inside a message."""

    index: int


Part: TypeAlias = TextPart | MediaPart


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation; `parts` keep the order of text and media."""

    role: Role
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class PreparedMedia:
    """One media of a request: a single image, or the frames of a video in playing order."""

    kind: MediaKind
    images: tuple[PreparedImage, ...]
    """One image, or all frames."""
    frame_indices: tuple[int, ...] = ()
    """Index of each frame in the source video; empty for an image."""

    @property
    def sha256(self) -> str:
        """Of what is sent: the image's hash, or all frame hashes joined by '+'."""
        return "+".join(image.sha256 for image in self.images)


@dataclass(frozen=True, slots=True)
class AnswerContext:
    """All that a parser may know about a question. It never holds the target."""

    choices: tuple[str, ...] = ()
    """Texts of the options in order (A, B, C …); empty for open questions."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """The card's answer options and per-row fields that a rule needs (tolerance, precision, answer_type …)."""
    image_size: tuple[int, int] | None = None
    """(width, height) in pixels of the first source image, EXIF orientation applied."""
    sent_size: tuple[int, int] | None = None
    """(width, height) in pixels of the first image as sent."""
    coordinates: str = "pixels"
    """The space in which the model answers: `pixels` (of the image as sent), `unit` (0–1), `percent` (0–100), `thousand` (0–1000)."""
    coordinate_order: Literal["xy", "yx"] = "xy"


@dataclass(frozen=True, slots=True)
class Sample:
    """One item of a task before it is asked."""

    id: str
    task: str
    messages: tuple[Message, ...]
    target: Any
    """The gold answer as a JSON value in the form that the task's verifier documents; None when withheld."""
    media: tuple[Media, ...] = ()
    context: AnswerContext = field(default_factory=AnswerContext)
    subsets: Mapping[str, str] = field(default_factory=dict)
    """Column -> value; several labels of one column are joined by ' | '."""
    cluster: str = ""
    """Samples with the same value are dependent (image, problem, video)."""
    item: Mapping[str, Any] = field(default_factory=dict)
    """What identifies the source item: question, choices, row id and further JSON fields (`facts`, `caption`)."""
    extras: Mapping[str, Any] = field(default_factory=dict)
    """Further JSON fields that are stored but are no part of the item's identity (visual facts, caption)."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """Decoding, every field explicit. A field that is None is left to the engine and recorded as such."""

    temperature: float | None = 0.0
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    repetition_penalty: float | None = None
    max_tokens: int = 1024
    stop: tuple[str, ...] = ()
    seed: int | None = None
    """Seed of this very request, derived from (run seed, sample, repeat)."""


@dataclass(frozen=True, slots=True)
class Request:
    """What an engine is asked."""

    id: str
    """Unique within a run; for messages and tracing, no part of the identity."""
    messages: tuple[Message, ...]
    media: tuple[PreparedMedia, ...]
    sampling: Sampling
    repeat: int = 0
    schema: Mapping[str, Any] | None = None
    """JSON schema that the reply must follow (judges)."""
    scored: bool = False
    """The last message is an answer of the assistant that is to be scored (`Engine.score`), not a turn to be continued."""
    sample: Sample | None = field(default=None, repr=False, compare=False)
    """The sample behind the request, for engines that answer from data (`replay`, `chance`) and never for a model."""


@dataclass(frozen=True, slots=True)
class Response:
    """What an engine answered. A failure has no text."""

    status: Status
    text: str | None = None
    reasoning: str | None = None
    finish_reason: str | None = None
    """`stop`, `length`, or what the engine reports."""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    reasoning_tokens: int | None = None
    latency_s: float | None = None
    error: str | None = None
    """Why the status is not `ok`; never shown as an answer."""
    retryable: bool = False
    """Whether asking again may help (429, 5xx, reset, timeout)."""
    fatal: bool = False
    """Whether every other request would fail alike (a revoked key, a model that is no longer served)."""
    denied: bool = False
    """The endpoint turned the request away for reasons that are not its own (a refused key, no quota, no such model or route)."""
    unreachable: bool = False
    """There was no connection, so the request was never sent."""
    retry_after_s: float | None = None
    """The server's own request to wait, in seconds."""
    busy: bool = False
    """The server had more requests than it takes (429, 503): it should get fewer at once."""
    model: str | None = None
    """The model name that the endpoint returned."""

    def __post_init__(self) -> None:
        if self.status != "ok" and self.text is not None:
            raise ValueError(f"a response with status {self.status!r} must not carry text")
        if self.status == "ok" and self.text is None:
            raise ValueError("a response with status 'ok' must carry text (possibly empty)")


@dataclass(frozen=True, slots=True)
class TokenLogprobs:
    """Teacher-forced scores of a continuation: how likely the model finds its tokens after a request's prompt."""

    status: Status
    tokens: tuple[int, ...] = ()
    """Token ids of the continuation, no special tokens added."""
    logprobs: tuple[float, ...] = ()
    """Natural logarithm of each token's probability given the prompt and the tokens before it."""
    error: str | None = None
    """Why the status is not `ok`."""
    texts: tuple[str, ...] = ()
    """Text of each token by itself; empty where the engine does not say."""


@dataclass(frozen=True, slots=True)
class TokenContrast:
    """Teacher-forced scores of one continuation after two prompts, over the whole vocabulary."""

    status: Status
    first: TokenLogprobs | None = None
    second: TokenLogprobs | None = None
    divergence: tuple[float, ...] = ()
    """Kullback-Leibler divergence of the second's distribution from the first's, KL(first || second), in nats, per token."""
    error: str | None = None
    """Why the status is not `ok`."""


@dataclass(frozen=True, slots=True)
class Extraction:
    """What a parser found in an answer, or why it found nothing. Ambiguity is no answer, never a choice."""

    value: Any = None
    """The typed answer as a JSON value; None when there is none."""
    span: tuple[int, int] | None = None
    """Start and end in the response text of what was read, where it is one place."""
    reason: str = ""
    """Why there is no value: `empty`, `refusal`, `ambiguous`, `not found`, `truncated` …"""
    scores: Mapping[str, float] = field(default_factory=dict)
    """What the rule did beside reading, as named scores of the verdict, answered or not (`guessed`, `fallback`)."""

    @property
    def found(self) -> bool:
        """Whether there is a value."""
        return self.value is not None


@dataclass(frozen=True, slots=True)
class Match:
    """How an extracted answer compares with the target."""

    score: float
    """The primary score, usually in [0, 1]."""
    correct: bool | None
    """None where right or wrong has no meaning (a rating, an IoU without threshold)."""
    scores: Mapping[str, float] = field(default_factory=dict)
    """Further named scores (`iou`, `mra`, `strict` …)."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of verifying one response."""

    outcome: Outcome
    score: float | None = None
    correct: bool | None = None
    scores: Mapping[str, float] = field(default_factory=dict)
    extracted: Any = None
    span: tuple[int, int] | None = None
    reason: str = ""
    verifier: str = ""
    """`name/version` of the verifier that decided."""
    judge_model: str | None = None
    judge_verdict: str | None = None
    judge_reason: str | None = None
