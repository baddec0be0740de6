"""Options in responses that stop in the middle of a list or a sentence, and options that are named only to be rejected."""

from __future__ import annotations

import pytest

from mmeval.core.types import AnswerContext
from mmeval.verifiers.choice import ChoiceVerifier

COLOURS = ("red", "blue", "green", "dark red")
BIRDS = ("grey heron", "barn owl", "white stork", "crane")
FRACTIONS = ("4/4", "2/4", "3/4", "1/4")


def read(text: str, choices: tuple[str, ...] = COLOURS) -> str | None:
    found: str | None = ChoiceVerifier().parse(text, AnswerContext(choices=choices)).value
    return found


@pytest.mark.parametrize(
    ("text", "choices"),
    [
        # a list of the options stops at an item
        ("Let us look at them:\n\nA. red: the sign has no red at all.\nB", COLOURS),
        ("A. red – no, the door is not.\n\nB. blue – the door could be.\n\nC", COLOURS),
        ("Their heights:\n- grey heron: 95 cm\n- barn owl: 35 cm\n- white stork: 110 cm\n- crane:", BIRDS),
        ("* **Grey heron**: it hunts fish.\n* **Barn owl**: it hunts mice.\n* **White stork", BIRDS),
        ("Red is the door, and green the grass.\nThe sign is new.\nOption B (blue", COLOURS),
        # every option is gone through, none is chosen
        ("We analyse each option:\n\nA. red\n\nThe passage says nothing of it.\n\nB. blue\n\nThis could", COLOURS),
        ("Considering every option: A is too bright and B is too dark for the scene", COLOURS),
        # the only option that is mentioned stands in a sentence that stops
        (
            "To find the bird we look at legs, neck and beak, because those tell the families apart even where the light is"
            " poor. All four live near water, at least for a part of the year. In this picture the barn owl shows a face that",
            BIRDS,
        ),
        # an option is named only to be rejected
        ("The bird stands in water all day, so option B is not relevant to the question.", BIRDS),
        ("The legs are long, so B cannot be it.", BIRDS),
        ("The legs are long, hence option B would be wrong.", BIRDS),
        ("Without a scale it cannot be told which choice from A-D is correct.", BIRDS),
        # letters that are no labels
        ("N/A", COLOURS),
        ("A > B", COLOURS),
        ("The alleles are (B) for green and (b) for blue, and both parents carry one of each.", FRACTIONS),
    ],
)
def test_nothing_is_chosen(text: str, choices: tuple[str, ...]) -> None:
    assert read(text, choices) is None


@pytest.mark.parametrize(
    ("text", "choices", "letter"),
    [
        ("A. red: no.\nB. blue: no.\nC. green: no.\nD. dark red: yes.\n\nD", COLOURS, "D"),
        ("A. red\nB. blue\nC. green\nD. dark red\n\nB", COLOURS, "B"),
        ("- red: the door\n- green: the grass\n- blue: the sign, which was asked for\n\nblue", COLOURS, "B"),
        ("B is not relevant, so I choose C.", COLOURS, "C"),
        ("So B, because the sign is not red.", COLOURS, "B"),
        ("Each option: all but C are ruled out. The answer is C", COLOURS, "C"),
        ("The best option: B", COLOURS, "B"),
        ("The text (B) names the bird", BIRDS, "B"),
        # taken back, and settled in other words than "the answer is"
        ("So the answer is A. Hmm, wait. The arrow points to the right, so it's C.", COLOURS, "C"),
        ("So the answer is A. Wait, is it? The sign is red, so it's A.", COLOURS, "A"),
        # degrees as LaTeX writes them
        (r"The angle is 60^\circ.", ("30°", "60°"), "B"),
        (r"Therefore, \( x = 60^{\circ} \).", ("30°", "60°"), "B"),
        (r"\angle ABC = 60^\circ", ("30°", "60°"), "B"),
        ("The angle is 60°.", (r"30^\circ", r"60^\circ"), "B"),
        (r"x^\circ = 60", ("30°", "60°"), "B"),
    ],
)
def test_what_is_chosen_still_counts(text: str, choices: tuple[str, ...], letter: str) -> None:
    assert read(text, choices) == letter


def test_runs_of_spaces_end() -> None:
    """Once cubic in the number of spaces: a minute of work for 3,000 of them."""
    assert read("so B" + " " * 3000 + "x") in (None, "B")
