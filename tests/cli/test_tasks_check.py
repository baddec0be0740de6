"""`mmeval tasks check` names every mistake with file, key and remedy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

CARD = """\
name: own
family: custom
title: Own
dataset: {local: {files: ["own.jsonl"]}}
fields: {id: id, choices: options, answer: answer}
answer: {kind: choice, target: letter}
"""


def test_all_mistakes_at_once_and_the_other_cards_too(mmeval: Callable, tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(CARD)
    (tmp_path / "bad.yaml").write_text(
        CARD.replace("kind: choice", "kind: number, options: {tolerance: 1}")
        + "metrics: [iou@0.5, acuracy]\n"
        + "prompt: {template: '{{ qestion }}'}\n"
        + "protocols: {hot: {decoding: {temperature: -1}}}\n"
    )
    (tmp_path / "broken.yaml").write_text("name: [\n")
    found = mmeval("tasks", "check", "bad.yaml", "broken.yaml", "good.yaml")
    assert found.code == 2
    assert "good.yaml: good" in found.out
    assert "1 good, 2 with mistakes" in found.err
    assert "broken.yaml" in found.err
    for line in (
        "error: bad.yaml: the card is not valid:",
        "  answer.options.tolerance: verifier 'number' has no such option (did you mean tolerance_",
        "  metrics: 'iou@0.5' cannot be computed: verifier 'number' gives no score 'iou'",
        "  metrics: unknown metric 'acuracy' (did you mean accuracy",
        "  prompt.template: the template names 'qestion', which is not defined (did you mean question",
        "  protocol hot: decoding.temperature: Input should be greater than or equal to 0",
        "  -> docs/cards.md describes every key",
    ):
        assert line in found.err


def test_the_card_that_new_writes_is_good(mmeval: Callable, tmp_path: Path) -> None:
    assert mmeval("tasks", "new", "own/first", "-o", "own.yaml", "--json").json["card"] == "own.yaml"
    found = mmeval("tasks", "check", "own.yaml", "none.yaml", "--json")
    assert found.code == 2
    assert [one["error"] is None for one in found.json["cards"]] == [True, False]
