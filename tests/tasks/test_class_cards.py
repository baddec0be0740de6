"""Cards of fine-grained classification: pictures in folders of their classes, and lists of pictures."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmeval.core.errors import DataError
from mmeval.core.types import Response, TextPart
from mmeval.tasks.class_lists import class_rows
from mmeval.tasks.options import AskStyle
from mmeval.verifiers.base import verify
from tests.tasks.test_gui_cards import DATA, REGISTRY, settled

LABELS = {
    "flower102": ["bird of paradise", "rose"], "cars196": ["Audi TT RS Coupe 2012", "BMW M3 Coupe 2012"],
    "fgvc-aircraft": ["707-320", "Boeing 717"], "pets37": ["Abyssinian", "american bulldog"],
}  # fmt: skip


@pytest.mark.parametrize("name", LABELS)
def test_the_gold_said_back_is_right(name: str) -> None:
    for protocol in ("default", *REGISTRY.cards[name].raw["protocols"]):
        task, samples = settled(name, protocol, DATA / name, AskStyle())
        assert [sample.target for sample in samples] == LABELS[name]
        for sample in samples:
            assert len(sample.media) == 1
            text = "".join(part.text for part in sample.messages[-1].parts if isinstance(part, TextPart))
            assert all((label in text) is (protocol != "open") for label in LABELS[name])
            for answer, right in ((sample.target, True), ("something else", False)):
                verdict = verify(
                    task.verifier, Response("ok", f"<answer>{answer}</answer>"), sample.target, sample.context
                )
                assert verdict.correct is right


@pytest.mark.parametrize("line", ["1514522", "picture"])
def test_lines_without_a_class(line: str, tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text(f"# comment\n1 a\n{line}\n", encoding="utf-8")
    with pytest.raises(DataError, match="line 3"):
        list(class_rows(path))
