"""Measure a checkpoint on the evaluation items (seed 0) with transformers alone: real processor, real greedy decoding.

`python -m scripts.train_tiny.evaluate FOLDER --items 500` prints one line of JSON per condition.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmeval.core.types import AnswerContext
from mmeval.tasks.synthetic import TASKS, SyntheticItem, chance, generate
from mmeval.verifiers.registry import get_verifier

from .prompts import DEFAULT_INSTRUCTIONS, Question, options_block
from .questions import ANSWER_KINDS, own_question
from .validate import intersection_over_union

EVALUATION_SEED = 0
BATCH = 25  # items
LONGEST_REPLY = {"boxes": 140, "box": 24, "point": 14, "text": 10}  # tokens, by kind of answer
DEFAULT_LONGEST = 6

# Wordings that training never uses.
UNSEEN_INSTRUCTIONS = {
    "choice": "Tell me which option is right.",
    "number": "Just state the number, please.",
    "yes-no": "Yes or no?",
    "text": "Please reply as briefly as possible.",
    "box": "Please state the box as [x1, y1, x2, y2], scaled from 0 to 1000.",
    "boxes": "Please state the boxes as a list of [x1, y1, x2, y2], scaled from 0 to 1000.",
    "point": "Please state the point as [x, y], scaled from 0 to 1000.",
    "rating": "Please grade from 1 to 5.",
}
UNSEEN_SYSTEM_PROMPT = "You are a model that inspects pictures. Give short and correct answers."


@dataclass(frozen=True, slots=True)
class Condition:
    """One way to ask."""

    name: str
    text_first: bool = False
    system: str | None = None
    instructions: str = "default"  # or "unseen"
    blind: bool = False


CONDITIONS = (
    Condition("default"),
    Condition("text-first", text_first=True),
    Condition("system", system=UNSEEN_SYSTEM_PROMPT),
    Condition("helpful-assistant", system="You are a helpful assistant."),
    Condition("paraphrase", instructions="unseen"),
    Condition("blind", blind=True),
)


def user_text(question: Question, instructions: str) -> str:
    table = DEFAULT_INSTRUCTIONS if instructions == "default" else UNSEEN_INSTRUCTIONS
    options = "" if question.choices is None else "\n" + options_block(question.choices)
    return f"{question.text}{options}\n{table[question.kind]}"


def numbers_in(text: str) -> list[float]:
    return [float(n) for n in re.findall(r"\d+(?:\.\d+)?", text)]


def boxes_in(text: str) -> list[list[float]]:
    values = numbers_in(text)
    return [values[i : i + 4] for i in range(0, len(values) - 3, 4)]


def scaled(box: Sequence[float], item: SyntheticItem) -> list[float]:
    """A box in original pixels on the 0–1000 scale."""
    height, width = item.images[0].shape[:2]
    return [v * 1000 / (height if i % 2 else width) for i, v in enumerate(box)]


def detection_f1(found: list[list[float]], right: list[list[float]]) -> float:
    """F1 at an overlap of 0.5, boxes matched greedily."""
    left = list(right)
    hits = 0
    for box in found:
        best = max(left, key=lambda r: intersection_over_union(box, r), default=None)
        if best is not None and intersection_over_union(box, best) >= 0.5:
            hits += 1
            left.remove(best)
    return 2 * hits / (len(found) + len(right)) if found or right else 1.0


def score(task: str, item: SyntheticItem, reply: str) -> float:
    """1 or 0 (detection: F1) for a reply."""
    kind = ANSWER_KINDS[task]
    reply = reply.strip()
    if kind == "choice":
        choice = get_verifier("choice", {})
        found = choice.parse(reply, AnswerContext(choices=tuple(item.choices or ())))
        return float(found.value == item.answer)
    if kind in ("number", "rating"):
        values = numbers_in(reply)
        return float(len(values) == 1 and values[0] == float(item.answer))
    if kind == "yes-no":
        return float(reply.lower().rstrip(".") == item.answer)
    if kind == "point":
        values, box = numbers_in(reply), scaled(item.answer["box"], item)
        return float(len(values) == 2 and box[0] <= values[0] <= box[2] and box[1] <= values[1] <= box[3])
    if kind == "box":
        found = boxes_in(reply)
        return float(len(found) == 1 and intersection_over_union(found[0], scaled(item.answer, item)) >= 0.5)
    if kind == "boxes":
        return detection_f1(boxes_in(reply), [scaled(b, item) for b in item.answer])
    return float(reply.lower() == str(item.answer).lower())


class Answerer:
    """Greedy answers of a checkpoint folder, in float32, batches padded on the left."""

    def __init__(self, folder: str) -> None:
        import torch
        from transformers import AutoModelForImageTextToText, AutoTokenizer

        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32).eval()
        self.images = load_image_processor(folder)

    def prompt(self, item: SyntheticItem, task: str, condition: Condition) -> str:
        parts: list[dict[str, str]] = [{"type": "image"} for _ in item.images if not condition.blind]
        text = {"type": "text", "text": user_text(own_question(task, item), condition.instructions)}
        content = [text, *parts] if condition.text_first else [*parts, text]
        messages: list[dict[str, Any]] = [{"role": "user", "content": content}]
        if condition.system is not None:
            messages.insert(0, {"role": "system", "content": condition.system})
        written: str = self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        return written

    def answer(self, items: Sequence[SyntheticItem], task: str, condition: Condition) -> list[str]:
        import torch
        from PIL import Image

        texts = [self.prompt(item, task, condition) for item in items]
        extra: dict[str, Any] = {}
        if not condition.blind:
            pixels = self.images(images=[Image.fromarray(i) for item in items for i in item.images],
                                 return_tensors="pt")  # fmt: skip
            tokens = (pixels["image_grid_thw"].prod(-1) // self.images.merge_size**2).tolist()
            pad = "<|image_pad|>"
            for at, item in enumerate(items):
                pieces = texts[at].split(pad)
                counts, tokens = tokens[: len(item.images)], tokens[len(item.images) :]
                texts[at] = "".join(p + pad * c for p, c in zip(pieces, [*counts, 0], strict=True))
            extra = dict(pixels)
        encoded = self.tokenizer(texts, return_tensors="pt", padding=True, padding_side="left")
        ids = encoded["input_ids"]
        if extra:
            extra["mm_token_type_ids"] = (ids == self.model.config.image_token_id).int()
        longest = LONGEST_REPLY.get(ANSWER_KINDS[task], DEFAULT_LONGEST)
        with torch.no_grad():
            output = self.model.generate(input_ids=ids, attention_mask=encoded["attention_mask"],
                                         max_new_tokens=longest, do_sample=False, **extra)  # fmt: skip
        replies: list[str] = self.tokenizer.batch_decode(output[:, ids.shape[1] :], skip_special_tokens=True)
        return replies


def load_image_processor(folder: str) -> Any:
    """The folder's image processor, also where torchvision is missing."""
    import transformers

    settings = json.loads(Path(folder, "preprocessor_config.json").read_text(encoding="utf-8"))
    plain = getattr(transformers, "Qwen2VLImageProcessorPil", transformers.Qwen2VLImageProcessor)
    names = ("size", "patch_size", "temporal_patch_size", "merge_size", "image_mean", "image_std", "resample")
    return plain(**{name: settings[name] for name in names})


def evaluate(
    answerer: Answerer, task: str, condition: Condition, items: int, say: Callable[[str], None] = lambda _: None
) -> float:
    """Mean score on items 0… of the evaluation seed at the default difficulty."""
    total = 0.0
    for start in range(0, items, BATCH):
        part = [generate(task, seed=EVALUATION_SEED, index=i) for i in range(start, min(start + BATCH, items))]
        for item, reply in zip(part, answerer.answer(part, task, condition), strict=True):
            say(f"{item.id}\t{item.answer}\t{reply}")
            total += score(task, item, reply)
    return total / items


def main() -> None:
    names = [c.name for c in CONDITIONS]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--items", type=int, default=500, help="per task")
    parser.add_argument("--tasks", nargs="+", default=list(TASKS), choices=TASKS)
    parser.add_argument("--conditions", nargs="+", default=["default"], choices=names)
    parser.add_argument("--show", action="store_true", help="print every answer")
    options = parser.parse_args()
    answerer = Answerer(options.folder)
    print(json.dumps({"condition": "chance", **{t: chance(t) for t in options.tasks}}))
    for condition in CONDITIONS:
        if condition.name not in options.conditions:
            continue
        say = print if options.show else lambda _: None
        scores = {t: round(evaluate(answerer, t, condition, options.items, say), 4) for t in options.tasks}
        print(json.dumps({"condition": condition.name, "items": options.items, **scores}), flush=True)


if __name__ == "__main__":
    main()
