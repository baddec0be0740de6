"""The schema of a task card and how a protocol overrides it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from mmeval.core.errors import UsageError, nearest, unknown
from mmeval.core.user_paths import user_path
from mmeval.tasks.corpora import Layout
from mmeval.tasks.detection_files import DetectionLayout
from mmeval.tasks.looking import StrategySection

AnswerKind = Literal[
    "choice", "number", "yes-no", "text", "expression", "list", "box", "boxes", "point", "mask", "heatmap", "box3d",
    "rating", "mixed",
]  # fmt: skip


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SyntheticSource(_Section):
    """A procedural generator of `mmeval.tasks.synthetic`."""

    generator: str
    seed: int = 0
    """Data seed; training seeds of the embedded model start at 1,000,000."""
    size: int = Field(default=500, ge=1)
    """Samples in the card's default run; the generator itself has no end."""
    difficulty: int = Field(default=2, ge=1, le=3)


class HubSource(_Section):
    """A data set of the Hugging Face hub, pinned to a revision."""

    id: str
    config: str | None = None
    split: str
    revision: str | None = None


class LocalSource(_Section):
    """Files in the benchmark's own layout below `--data-dir` (tried in DIR/<task>, in DIR/<hub data set>, and in DIR).

    A TSV that is named in full is looked for in the LMUData folder too.
    """

    files: list[str] = Field(min_length=1)
    """Glob patterns relative to the data folder; the first pattern that matches is used. An absolute path is one file."""
    folder: str | None = None
    """Where the files lie when `--data-dir` does not have them; relative to the card's own folder."""
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    """Content of the file, where it is one and the card is made for it; another content is refused."""
    sampled_sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    """The same for a large file, from its size and blocks of it (`mmeval.core.file_hashes.sample_hash`)."""
    layout: Layout | DetectionLayout | None = None
    """The files are those of a corpus without a table; `mmeval.tasks.corpora` and, for annotations of boxes,
    `mmeval.tasks.detection_files` say which columns each layout gives."""
    image_root: str = "."
    """Folder of relative image paths, relative to the folder of the file that holds the row."""
    rows: str | None = None
    """Key of the list of rows in a JSON file that is an object with other keys too."""


class BesideSource(_Section):
    """A JSON file that belongs to the rows, with its path relative to the folder of their image paths."""

    file: str
    """A path, or a Jinja template of the row's columns: then a file that is not there gives that row null."""
    rows: str | None = None
    """Key of the list in the file; None: the whole content."""
    key: str | None = None
    """Key of the list's objects by which they are looked up; the column is then an object by that key, as text."""


class Pairs(_Section):
    """Rows are compared two by two; `mmeval.tasks.pairs` says how they are drawn and which columns a pair has."""

    within: str | None = None
    """Column or expression: only rows with the same value are compared (the reference picture)."""
    seed: int = 0


class Dataset(_Section):
    """Where the rows come from: a generator, or files and the hub (files first when `--data-dir` has them)."""

    synthetic: SyntheticSource | None = None
    local: LocalSource | None = None
    hub: HubSource | None = None
    rows: int | None = None
    """Rows that the complete data set has; another number found is reported."""
    each: dict[str, list[Any]] = Field(default_factory=dict, max_length=1)
    """Column -> values: every row becomes a row per value, with that column (data sets that hold several questions in a row)."""
    where: dict[str, list[Any]] = Field(default_factory=dict)
    """Column or expression -> values to keep."""
    pairs: Pairs | None = None
    """The items are pairs of rows, with the columns `first`, `second` and `pair`; `where` is about the rows."""
    beside: dict[str, BesideSource] = Field(default_factory=dict)
    """Column -> JSON file beside the data set whose content every row gets under that name."""

    @model_validator(mode="after")
    def _one_source(self) -> Dataset:
        if self.synthetic is None and self.local is None and self.hub is None:
            raise ValueError("give one of synthetic, local, hub")
        if self.synthetic is not None and (self.local or self.hub):
            raise ValueError("synthetic excludes local and hub")
        return self


class Fields(_Section):
    """Which column holds what. A value that starts with '=' is a Jinja expression over the row's columns."""

    id: str | None = None
    question: str = "question"
    images: list[str] = Field(default_factory=list)
    videos: list[str] = Field(default_factory=list)
    """Paths of video files or of folders of frames, bytes, or lists of frames; see the section `video`."""
    choices: str | list[str] | None = None
    """The column that holds the options, or a column for each option in turn (A, B, C …)."""
    answer: str | None = "answer"
    cluster: str | None = None
    answer_type: str | None = None
    """For `kind: mixed`: choice, number, text, yes-no, expression or list, per row."""


class Video(_Section):
    """Which frames of a video are shown. Sound never is."""

    method: Literal["uniform", "fps", "all"] = "uniform"
    """`uniform`: evenly spaced from first to last; `fps`: so many per second, thinned beyond `frames`; `all`: thinned alike."""
    frames: int = Field(default=8, ge=1, le=4096)
    """Frames for `uniform`; the most for `fps` and `all`."""
    fps: float = Field(default=1.0, gt=0, le=240)
    max_side: int | None = Field(default=None, ge=16)
    """Longest side in pixels; larger frames are scaled down."""
    crop: tuple[int, int, int, int] | None = None
    """[x1, y1, x2, y2] in pixels of every frame as decoded, half-open: the part that is shown (a corpus's mouth crop)."""

    @property
    def settings(self) -> dict[str, Any]:
        """What decides the frames, for digests; keys added later stand there only where they are set."""
        return self.model_dump(exclude=None if self.crop else {"crop"})

    @model_validator(mode="after")
    def _crop_has_pixels(self) -> Video:
        if self.crop is not None and not (0 <= self.crop[0] < self.crop[2] and 0 <= self.crop[1] < self.crop[3]):
            raise ValueError("crop is [x1, y1, x2, y2] with 0 <= x1 < x2 and 0 <= y1 < y2")
        return self


class Prompt(_Section):
    """What the model is asked: the dataset's own prompt column, or a Jinja2 template, or the answer kind's default."""

    column: str | None = None
    template: str | None = None
    instruction: str | None = None
    """Replaces the default format instruction of the answer kind."""
    system: str | None = None
    placeholder: str | None = None
    """Marks where image i goes, e.g. '<image{i}>'; without it images come first."""
    unmatched: Literal["error", "text"] = "error"
    """What a mark of an image is that the row does not have: the row's fault, or mere text."""


class Answer(_Section):
    """The kind of answer, the form of the gold, and the options of the verifier."""

    kind: AnswerKind
    target: Literal["letter", "text", "index", "position", "value"] = "value"
    """For choices: whether the gold is a letter, the text of an option, its index from 0, or its position from 1."""
    withheld: bool = False
    """The gold answers are not published: rows without one are asked (for export), and stay unscored."""
    verifier: str | None = None
    """Another verifier than the kind's own."""
    reads: Literal["response", "extraction"] = "response"
    """What the verifier is given: the answer text, or the short answer that a judge extracted from it."""
    options: dict[str, Any] = Field(default_factory=dict)
    row_options: list[str] | dict[str, str] = Field(default_factory=list)
    """What the rule needs of the row beside the choices (precision, unit …): columns, or option -> column or expression."""
    coordinates: Literal["pixels", "unit", "percent", "thousand"] | Annotated[str, Field(pattern=r"^=")] = "pixels"
    """Space of the gold boxes and points, relative to the original image; an '=' expression where copies of a data set differ."""

    def of_row(self) -> dict[str, str]:
        """Return option -> column or expression, of what each row brings."""
        if isinstance(self.row_options, dict):
            return dict(self.row_options)
        return {column.split(".")[-1]: column for column in self.row_options}


class Visual(_Section):
    """What is known for certain about the picture, for diagnoses. Models and parsers never see it unless a condition says it."""

    facts: str | None = None
    """Column or expression: list of {question, answer} with yes-or-no questions, in both polarities."""
    annotations: str | None = None
    """Column or expression: list of sentences, each a visual fact (what `perception-consistency` looks for in a response)."""
    caption: str | None = None
    """Column or expression: a text that says all that the question needs."""
    regions: str | None = None
    """Column or expression: list of boxes [x1, y1, x2, y2] (or one box) that the question is about. A gold box or point in a
    box is taken where this is not given."""
    coordinates: Literal["pixels", "unit", "percent", "thousand"] = "pixels"
    """Space of `regions`, relative to the original image."""


class JudgeStep(_Section):
    """One judge of the chain. Rules come first; a judge is asked for what they, and the judges before it, leave open.

    A step with `when: always` cannot be left out: its protocol needs `--judge`. Other steps are taken when there is one.
    """

    card: str
    """Name of a judge card (`mmeval judge list`)."""
    when: Literal["no_answer", "not_right", "always"] = "no_answer"
    """Which rows: without an answer, without a right answer, or all that have a response."""
    verifier: str | None = None
    """For extraction cards: what reads the extracted answer; the card's own verifier by default."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Options of that verifier, laid over `answer.options`."""
    last_words: int | None = Field(default=None, ge=1)
    """Show the judge the last words of the response only, as some official scripts do."""


class Decoding(_Section):
    """Default decoding of the protocol; `--sampling` overrides."""

    temperature: float | None = Field(default=0.0, ge=0, le=100)
    top_p: float | None = Field(default=None, gt=0, le=1)
    top_k: int | None = Field(default=None, ge=-1)
    """0 and -1: no limit, as engines have it."""
    min_p: float | None = Field(default=None, ge=0, le=1)
    repetition_penalty: float | None = Field(default=None, gt=0, le=100)
    max_tokens: int = Field(default=1024, ge=1, le=10_000_000)
    stop: list[Annotated[str, Field(min_length=1)]] = Field(default_factory=list)
    repeats: int = Field(default=1, ge=1)


class Published(_Section):
    """A published number with the protocol under which it was measured."""

    model: str
    value: float
    metric: str = "accuracy"
    protocol: str
    source: str


class Card(_Section):
    """One task: data, prompt, answer, metrics, protocols."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*(/[a-z0-9][a-z0-9._-]*)*$")
    family: str
    title: str
    description: str = ""
    licence: str = "unknown"
    citation: str = ""
    homepage: str = ""
    status: Literal["verified", "unverified"] = "verified"
    """`unverified`: no row of the real data set was at hand when the card was written."""
    provenance: str = ""
    """Where the fixture rows come from: repository and commit."""
    needs: list[Literal["judge", "video", "local data", "retriever"]] = Field(default_factory=list)
    dataset: Dataset
    fields: Fields = Field(default_factory=Fields)
    video: Video = Field(default_factory=Video)
    prompt: Prompt = Field(default_factory=Prompt)
    answer: Answer
    strategy: StrategySection | None = None
    """An answer that takes several calls (docs/looking.md); None: one."""
    judges: list[JudgeStep] = Field(default_factory=list)
    judge_fields: dict[str, str] = Field(default_factory=dict)
    """Name -> column or expression that judges see beside question, choices, response and gold (`fields.NAME`); parsers never do."""
    visual: Visual = Field(default_factory=Visual)
    metrics: list[str] = Field(default_factory=lambda: ["accuracy"], min_length=1)
    chance: float | None = None
    """Accuracy of the best blind guess, where it is known exactly and the generator does not say."""
    subsets: dict[str, str] = Field(default_factory=dict)
    """Name -> column or expression; a list becomes several labels of one row."""
    groups: dict[str, str] = Field(default_factory=dict)
    """The same for columns that metrics group rows by and nothing is broken down by; an empty label: in no group."""
    decoding: Decoding = Field(default_factory=Decoding)
    protocols: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Name -> keys of the card that it overrides."""
    published: list[Published] = Field(default_factory=list)


def merge(base: dict[str, Any], override: dict[str, Any]) -> dict[str, Any]:
    """Return `base` with `override` laid over it, section by section; lists and scalars are replaced.

    A null takes an option of the verifier away, since another verifier may not know it.
    """
    merged = dict(base)
    for key, value in override.items():
        if isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = merge(merged[key], value)
            if key == "options":
                merged[key] = {name: option for name, option in merged[key].items() if option is not None}
        else:
            merged[key] = value
    return merged


def parse_card(raw: Any, source: Path | str, protocol: str = "default") -> Card:
    """Validate a card and lay the named protocol over it.

    Raises:
        UsageError: naming the file, the key and the remedy; lists every mistake, not only the first.
    """
    if not isinstance(raw, dict):
        raise UsageError(
            f"{source}: a card is a YAML mapping, this is {type(raw).__name__}", remedy="see docs/cards.md"
        )
    card = _valid(raw, source)
    if protocol == "default":
        return card
    if protocol not in card.protocols:
        raise unknown(
            f"protocol of {card.name}", protocol, ["default", *card.protocols], listing=f"mmeval tasks show {card.name}"
        )
    return _valid(merge(raw, card.protocols[protocol]), f"{source} (protocol {protocol})")


def beside(card: Card, path: Path) -> Card:
    """Return the card with the folder of its files, which is relative to the card's own file, made absolute."""
    local = card.dataset.local
    if local is None or local.folder is None:
        return card
    folder = (path.parent / user_path(local.folder)).resolve()
    placed = card.dataset.model_copy(update={"local": local.model_copy(update={"folder": str(folder)})})
    return card.model_copy(update={"dataset": placed})


def mistakes(source: Path | str, lines: Sequence[str]) -> UsageError:
    """The error that lists the mistakes of a card, each a line that begins with its key."""
    return UsageError(
        f"{source}: the card is not valid:\n" + "\n".join(f"  {line}" for line in lines),
        remedy="docs/cards.md describes every key",
    )


def _valid(raw: dict[str, Any], source: Path | str) -> Card:
    card, lines = validate(raw)
    if card is None or lines:
        raise mistakes(source, lines)
    return card


def validate(raw: dict[str, Any]) -> tuple[Card | None, list[str]]:
    """Return the card, where the schema takes it, and what is wrong with it, a line per mistake."""
    lines: list[str] = []
    try:
        card = Card.model_validate(raw)
    except ValidationError as error:
        for entry in error.errors():
            key = ".".join(str(part) for part in entry["loc"]) or "card"
            if entry["type"] == "extra_forbidden":
                lines.append(f"{key}: unknown key{_meant(str(entry['loc'][-1]), _known_keys(entry['loc']))}")
            else:
                lines.append(f"{key}: {entry['msg'].removeprefix('Value error, ')}")
        return None, lines
    for name, override in card.protocols.items():
        lines += [
            f"protocols.{name}: unknown key {key!r}{_meant(key, Card.model_fields)}"
            for key in sorted(set(override) - set(Card.model_fields))
        ]
    return card, lines


def _meant(name: str, known: Iterable[str]) -> str:
    close = nearest(name, known)
    return f" (did you mean {' or '.join(close)}?)" if close else ""


def _known_keys(location: tuple[int | str, ...]) -> list[str]:
    model: Any = Card
    for part in location[:-1]:
        field = getattr(model, "model_fields", {}).get(part)
        if field is None:
            break
        candidates = [field.annotation, *getattr(field.annotation, "__args__", ())]
        model = next((c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)), model)
    return list(getattr(model, "model_fields", {}))
