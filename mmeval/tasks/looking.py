"""The section `strategy` of a card: an answer that takes several calls, and what is told of how it came about."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

VERSIONS = {
    "visual-cot": "1",
    "tool-loop": "1",
    "scalar-pair": "1",
    "scalar-steps": "1",
    "rated": "1",
    "guided-greedy": "1",
    "refined-best-of-n": "1",
}
"""Raised whenever what is asked changes; part of the ask digest."""
SCORES_VERSION = "1"
"""Raised whenever a score of the way to an answer changes; part of the score digest."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Resize(_Section):
    """The sizes in which pictures are shown: sides in multiples of `factor`, pixels within the limits (the rule of the Qwen-VL processors)."""

    factor: int = Field(default=28, ge=1)
    min_pixels: int = Field(default=3136, ge=1)
    max_pixels: int = Field(default=12_845_056, ge=1)

    @model_validator(mode="after")
    def _ordered(self) -> Resize:
        if self.min_pixels > self.max_pixels:
            raise ValueError("min_pixels is more than max_pixels")
        return self


class Retrieval(_Section):
    """A search for pages through the user's own retriever (`--retriever URL`)."""

    top: int = Field(default=10, ge=1, le=1000)
    """Pages that are asked for, best first."""
    show: int = Field(default=1, ge=1, le=32)
    """Pages that one search shows: the best ones that the conversation has not shown yet."""
    send: dict[str, str] = Field(default_factory=dict)
    """Name -> column or expression: what of the row the retriever is told beside the query (the document, say)."""
    at: list[int] = Field(default_factory=lambda: [1, 5, 10], max_length=8)
    """Ranks of recall@k and ndcg@k."""


class Reward(_Section):
    """How the verifier, the run's judge model, rates an answer."""

    method: Literal["score", "critique"] = "score"
    """`score`: a scalar reward model's number; `critique`: a model that writes a verdict on every step (1 right, 0 wrong)."""
    steps: bool = False
    """Rate every step, each with those before it; the answer's number is made of theirs. A critique always does."""
    by: Literal["min", "last", "mean", "product", "max"] = "mean"
    """Which aggregate of the steps' scores is the score `reward`; the others are kept beside it."""


RATING = frozenset({"rated", "guided-greedy", "refined-best-of-n"})
"""Strategies that need a verifier."""
SCALAR = frozenset({"scalar-pair", "scalar-steps"})
"""Strategies whose model scores what it is given, and writes nothing."""
INTERLEAVED = frozenset({"guided-greedy", "refined-best-of-n"})
"""Those whose model is asked again after the verifier."""


class StrategySection(_Section):
    """How one answer is obtained in several calls."""

    name: Literal[
        "visual-cot", "tool-loop", "scalar-pair", "scalar-steps", "rated", "guided-greedy", "refined-best-of-n"
    ]
    dialect: Literal["tags", "tool-call", "gaze"] = "tags"
    """How a tool is called: `tags` (<search>, <bbox>, <answer>), `tool-call` (JSON in <tool_call>), `gaze` (<gaze>, <answer>)."""
    turns: int = Field(default=6, ge=1, le=64)
    """Calls of the model at most; a conversation that does not end in them has no answer."""
    coordinates: Literal["model", "pixels", "unit", "percent", "thousand", "unit-square"] = "model"
    """Space of the boxes in calls: the model's own (its profile), or another, see `mmeval.core.views.Frame`."""
    refers: Literal["last", "first"] = "last"
    """The picture that a call without a number of its own means: the last one shown, or the first."""
    resize: Resize | None = None
    """Sizes in which pictures are shown; without it those of the model's processor grid, or their own."""
    padding: int = Field(default=0, ge=0, le=10_000)
    """Pixels of the original that a crop has more on each side."""
    min_side: int = Field(default=28, ge=1, le=10_000)
    """Least side of a crop, in pixels of the original; smaller ones grow around their middle."""
    square: bool = False
    """Whether crops grow to squares."""
    zoom: float = Field(default=4.0, gt=1, le=64)
    """Of a gaze that gives none: each side of the view is this part of the image's."""
    tool: str = "image_zoom_in_tool"
    """Name of the tool, for `tool-call`."""
    instruction: str | None = None
    """What the model is told of its tools, instead of our words."""
    candidates: int = Field(default=4, ge=1, le=64)
    """Candidates of each step, for `guided-greedy`."""
    reward: Reward | None = None
    """How a verifier rates answers, for `rated`, `guided-greedy` and `refined-best-of-n`."""
    retrieval: Retrieval | None = None
    gold_box: str | None = None
    """Column or expression: the box of what decides the answer, [x1, y1, x2, y2]; null where a row has none."""
    gold_coordinates: Literal["pixels", "unit", "percent", "thousand", "unit-square"] = "pixels"
    """Space of `gold_box`, relative to the original image."""
    gold_pages: str | None = None
    """Column or expression: ids of the pages that hold the answer, a list; empty where there is none."""

    @model_validator(mode="after")
    def _fits(self) -> StrategySection:
        if (self.reward is not None) != (self.name in RATING):
            raise ValueError(f"reward: {', '.join(sorted(RATING))} need it, other strategies have none")
        if self.name == "refined-best-of-n" and self.reward is not None and self.reward.method != "critique":
            raise ValueError("refined-best-of-n needs reward.method: critique, which corrects the first wrong step")
        if self.retrieval is not None and (self.name, self.dialect) != ("tool-loop", "tags"):
            raise ValueError("retrieval needs name: tool-loop with dialect: tags, which has <search>")
        if self.gold_pages is not None and self.retrieval is None:
            raise ValueError("gold_pages without retrieval: nothing is searched")
        if self.retrieval is not None and any(k < 1 for k in self.retrieval.at):
            raise ValueError("retrieval.at: ranks are at least 1")
        return self

    @property
    def version(self) -> str:
        """Of what is asked."""
        return VERSIONS[self.name]

    def asked(self) -> dict[str, Any]:
        """What decides how the model is asked, for the ask digest."""
        left_out = {"gold_box", "gold_coordinates", "gold_pages"}
        left_out |= set() if self.name in RATING else {"reward", "candidates"}
        return {**self.model_dump(exclude=left_out), "version": self.version}

    def scored(self) -> dict[str, Any]:
        """What decides the scores of the way, for the score digest."""
        at = [] if self.retrieval is None else self.retrieval.at
        gold = self.model_dump(include={"gold_box", "gold_coordinates", "gold_pages"})
        return {**gold, "at": at, "version": SCORES_VERSION}

    @property
    def columns(self) -> list[tuple[str, str]]:
        """Columns and expressions with their keys."""
        found = [
            (f"strategy.{key}", column)
            for key, column in (("gold_box", self.gold_box), ("gold_pages", self.gold_pages))
            if column is not None
        ]
        if self.retrieval is not None:
            found += [(f"strategy.retrieval.send.{name}", column) for name, column in self.retrieval.send.items()]
        return found

    @property
    def scores(self) -> frozenset[str]:
        """Names of the scores that every row with an answer, and every row without one, has beside its verifier's."""
        names = {"conversation", "turns", "tool_errors", "crops", "searches", "view_shift"}
        if self.reward is not None:
            names.add("reward")
            if self.reward.steps or self.reward.method == "critique":
                names |= {f"reward_{name}" for name in ("min", "last", "mean", "product", "max", "steps")}
            if self.name == "refined-best-of-n":
                names |= {"refined", "reward_first"}
        if self.gold_box is not None:
            names |= {"with_box", "box_given", "box_iou", "box_iou@0.5", "box_seen", "box_found_at"}
        if self.gold_pages is not None and self.retrieval is not None:
            ranks = self.retrieval.at
            names |= {
                "with_pages",
                "pages_seen",
                "mrr",
                "ndcg",
                *(f"{m}@{k}" for m in ("recall", "ndcg") for k in ranks),
            }
        return frozenset(names)
