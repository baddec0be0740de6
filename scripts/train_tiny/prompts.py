"""How a question is put to the model during training: the harness's default prompts and many variations of them.

The default prompts are what `mmeval run` sends. The variations (other wordings, other option styles, instruction
first, no instruction) keep the model from depending on one exact wording.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

LETTERS = "ABCDEFGH"

DEFAULT_INSTRUCTIONS = {
    "choice": "Answer with the correct option.",
    "number": "Answer with a number.",
    "yes-no": "Answer yes or no.",
    "text": "Answer with a single word or phrase.",
    "box": "Answer with one box as [x1, y1, x2, y2] in coordinates from 0 to 1000.",
    "boxes": "Answer with a JSON list of boxes, each [x1, y1, x2, y2], in coordinates from 0 to 1000.",
    "point": "Answer with one point as [x, y] in coordinates from 0 to 1000.",
    "rating": "Answer with a number from 1 to 5.",
}

OTHER_INSTRUCTIONS = {
    "choice": (
        "Choose the correct option.",
        "Which option is correct?",
        "Pick one of the options.",
        "Select the right answer from the options.",
        "Answer with one of the options.",
        "Please answer with the correct option.",
        "Reply with the correct option only.",
        "Which of these is right?",
        "The correct option is:",
    ),
    "number": (
        "Answer with a single number.",
        "Give only the number.",
        "Reply with one number.",
        "Please answer with a whole number.",
        "Respond with a number and nothing else.",
        "Answer the question using a single number.",
        "Write the number only.",
        "Short answer:",
    ),
    "yes-no": (
        "Answer with yes or no.",
        "Please answer yes or no.",
        "Reply with yes or no only.",
        "Respond with a single word: yes or no.",
        "Is that right? Say yes or no.",
        "Give a yes or no answer.",
        "Only yes or no, please.",
    ),
    "text": (
        "Answer with one word.",
        "Answer the question using a single word or phrase.",
        "Give a short answer.",
        "Reply with the word only.",
        "Please keep the answer short.",
        "Respond with a few words at most.",
        "Write only the answer.",
        "Short answer:",
    ),
    "box": (
        "Give the bounding box as [x1, y1, x2, y2], from 0 to 1000.",
        "Reply with [x1, y1, x2, y2] on a scale of 0 to 1000.",
        "Output one bounding box [x1, y1, x2, y2] with values between 0 and 1000.",
        "Return the coordinates of the box as [left, top, right, bottom] in 0-1000.",
        "Bounding box:",
    ),
    "boxes": (
        "Give all bounding boxes as a JSON list of [x1, y1, x2, y2], from 0 to 1000.",
        "Reply with a list of boxes [x1, y1, x2, y2] on a scale of 0 to 1000.",
        "Output every box as [x1, y1, x2, y2] with values between 0 and 1000, in one list.",
        "List of boxes:",
    ),
    "point": (
        "Give the point as [x, y], from 0 to 1000.",
        "Reply with [x, y] on a scale of 0 to 1000.",
        "Output one point [x, y] with values between 0 and 1000.",
        "Return the coordinates to click as [x, y] in 0-1000.",
        "Click position:",
    ),
    "rating": (
        "Answer with a rating from 1 to 5.",
        "Give a score between 1 and 5.",
        "Reply with a number from 1 (worst) to 5 (best).",
        "Rate it from 1 to 5, number only.",
        "Score:",
    ),
}

OPENINGS = ("Question: ", "Please look at the image. ", "Look closely. ", "Q: ", "Based on the image: ")
OPTION_STYLES = ("({letter}) {text}", "{letter}. {text}", "{letter}) {text}", "{letter}: {text}")
OPTION_TITLES = ("", "Options:\n", "Choices:\n")

SYSTEM_PROMPTS = (
    "You are a helpful assistant.",
    "You are a careful visual assistant. Answer briefly.",
    "Answer questions about images.",
    "You look at pictures and answer exactly what is asked.",
    "You are an expert in reading images. Reply with the answer only.",
    "Be concise.",
    "You are an assistant that can see. Be accurate and short.",
    "Follow the instructions of the user.",
)

DEFAULT_SHARE = 0.5  # of the questions keep exactly the harness's wording
PLAIN_SHARE = 0.15  # of the others carry no instruction at all
PREFIX_SHARE = 0.3  # of the varied instructions come before the question
OPENING_SHARE = 0.2
OPEN_CHOICE_SHARE = 0.5  # of the choice questions without instruction are asked without options


@dataclass(frozen=True, slots=True)
class Question:
    """One question about a picture, before it is worded."""

    task: str  # the synthetic task it belongs to, or a derived family such as "derived-spatial"
    kind: str  # key of DEFAULT_INSTRUCTIONS, or "free": no instruction at all
    text: str
    answer: str  # for choices: the text of the right option
    choices: tuple[str, ...] | None = None
    letter: str = ""  # of the right option, "" when it is no choice


@dataclass(frozen=True, slots=True)
class Turn:
    """What the user writes and what the model should reply."""

    user: str
    reply: str


def options_block(choices: tuple[str, ...], style: str = OPTION_STYLES[0]) -> str:
    return "\n".join(style.format(letter=letter, text=text) for letter, text in zip(LETTERS, choices, strict=False))


def default_turn(question: Question) -> Turn:
    """The harness's default prompt."""
    if question.kind == "free":
        return Turn(question.text, question.answer)
    instruction = DEFAULT_INSTRUCTIONS[question.kind]
    if question.choices is not None:
        return Turn(f"{question.text}\n{options_block(question.choices)}\n{instruction}", question.answer)
    return Turn(f"{question.text}\n{instruction}", question.answer)


def varied_turn(question: Question, rng: random.Random, default_share: float = DEFAULT_SHARE) -> Turn:
    """The default prompt with probability `default_share`, otherwise a variation of it."""
    if question.kind == "free" or rng.random() < default_share:
        return default_turn(question)
    text = question.text
    if rng.random() < OPENING_SHARE:
        text = rng.choice(OPENINGS) + text
    plain = rng.random() < PLAIN_SHARE
    if plain and question.kind in ("box", "boxes", "point", "rating"):
        plain = False  # the format cannot be told from the question alone
    if question.choices is not None:
        if plain and rng.random() < OPEN_CHOICE_SHARE:
            return Turn(text, question.answer)
        block = options_block(question.choices, rng.choice(OPTION_STYLES))
        text = f"{text}\n{rng.choice(OPTION_TITLES)}{block}"
    reply = question.answer
    if plain:
        return Turn(text, reply)
    instruction = rng.choice((*OTHER_INSTRUCTIONS[question.kind], DEFAULT_INSTRUCTIONS[question.kind]))
    separator = rng.choice(("\n", " "))
    if rng.random() < PREFIX_SHARE and not instruction.endswith(":"):
        return Turn(instruction + separator + text, reply)
    return Turn(text + separator + instruction, reply)
