"""MathVista: rules on the raw response against the official verdict, on the rows where the two can be compared.

`python -m tests.conformance.test_mathvista_agreement` prints the table of docs/conformance.md.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from mmeval.core.types import Response
from mmeval.verifiers.base import verify
from mmeval.verifiers.mathvista import MathVistaRulesVerifier, row_context
from tests.conformance.mathvista_classes import (
    CLASSES,
    ELSEWHERE,
    LIST,
    NEAREST,
    NO_EXTRACTION,
    NO_RESPONSE,
    NO_VALUE,
    STANDS,
    classify,
    named_option,
)
from tests.conformance.support import expectations
from tests.conformance.test_mathvista import casts, read, text_of, unpack

DOCUMENT = Path(__file__).resolve().parents[2] / "docs/conformance.md"
LEAST_AGREEMENT = 0.97
PROGRAMS = "gpt4/output_gpt4_2shot_code.json"
"""Responses are programs; the extraction was made from what they print (column `execution`)."""

DISAGREEMENTS: dict[str, dict[str, list[str]]] = {
    "letter and text differ": {"chatgpt": ["272", "291", "513"], "gpt4": ["229"]},
    "two answers": {"bard": ["549", "897"], "llavar": ["771"], "idefics_9b_instruct": ["123"]},
    "a later question": {
        "idefics_9b_instruct": ["54", "155", "172", "257", "260", "396", "450", "469", "476", "582", "756"],
    },
    "another option than stated": {
        "idefics_9b_instruct": ["355", "364", "635", "697", "713", "768", "903"], "llava_llama_2_13b": ["150"],
    },
    "options listed, none chosen": {
        "llava_llama_2_13b": ["752"], "llavar": ["26", "66", "423", "597", "610", "627", "843"],
    },
    "implied, not stated": {
        "bard": ["77"], "llava_llama_2_13b": ["829"], "llavar": ["449", "615", "754", "890", "930", "932"],
    },
    "truncated": {"llavar": ["917"]},
}  # fmt: skip
"""Every row of the class on which the verdicts differ, by its reason; docs/conformance.md explains them."""


def compare(rows: Mapping[str, Mapping[str, Any]], name: str, cast: str) -> list[dict[str, Any]]:
    """Return one entry per row: its class, the official verdict and what the rules made of the response."""
    verifier = MathVistaRulesVerifier()
    found = []
    for pid, row in rows.items():
        response = text_of(row, "execution" if name == PROGRAMS else "response")
        verdict = verify(verifier, Response("ok", response), row["answer"], row_context(row))
        rules = "none" if verdict.outcome == "no_answer" else ("right" if verdict.correct else "wrong")
        found.append(
            {
                "pid": pid, "class": classify(row, response, cast), "official": bool(row.get("true_false")), "rules": rules,
                "same": verdict.extracted is not None and verdict.extracted == row.get("prediction"),
            }
        )  # fmt: skip
    return found


def table_line(name: str, entries: list[dict[str, Any]]) -> str:
    """Return the line of one file in docs/conformance.md."""
    classes = Counter(entry["class"] for entry in entries)
    chosen = [entry for entry in entries if entry["class"] == STANDS]
    counts = Counter((entry["official"], entry["rules"]) for entry in chosen)
    found = [entry for entry in chosen if entry["rules"] != "none"]
    agree = sum(entry["official"] == (entry["rules"] == "right") for entry in chosen)
    same = sum(entry["same"] for entry in chosen)
    cells = [
        name, len(chosen), f"{100 * agree / len(chosen):.1f}", counts[True, "none"], counts[True, "wrong"],
        counts[False, "right"], f"{100 * same / len(found):.1f}", f"{100 * same / len(chosen):.1f}",
        classes[NEAREST], classes[NO_RESPONSE] + classes[NO_EXTRACTION], classes[ELSEWHERE], classes[NO_VALUE], classes[LIST],
    ]  # fmt: skip
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def entries_by_file(folder: Path) -> dict[str, list[dict[str, Any]]]:
    found = {}
    for path, entry in expectations(folder).items():
        name = path.removeprefix("results/")
        found[name] = compare(read(folder, path), name, casts(entry["reproduced_by"])[0])
    return found


@pytest.mark.realdata
def test_rules_agree_with_the_official_verdict(published: Callable[[str], Path]) -> None:
    document = DOCUMENT.read_text(encoding="utf-8")
    differing: dict[str, set[str]] = {}
    for name, entries in entries_by_file(published("mathvista")).items():
        assert {entry["class"] for entry in entries} <= set(CLASSES)
        chosen = [entry for entry in entries if entry["class"] == STANDS]
        differs = [entry["pid"] for entry in chosen if entry["official"] != (entry["rules"] == "right")]
        assert len(differs) <= (1 - LEAST_AGREEMENT) * len(chosen), name
        differing[Path(name).stem.removeprefix("output_")] = set(differs)
        line = table_line(name, entries)
        assert line in document, f"docs/conformance.md lacks\n{line}\n(python -m {__spec__.name})"
    explained: dict[str, set[str]] = {name: set() for name in differing}
    for files in DISAGREEMENTS.values():
        for name, pids in files.items():
            assert not explained[name] & set(pids)
            explained[name] |= set(pids)
    assert explained == differing
    for reason, files in DISAGREEMENTS.items():
        count = sum(map(len, files.values()))
        assert f"**{reason[0].upper()}{reason[1:]}** ({count} row" in document, (reason, count)


CHOICE = {"question_type": "multi_choice", "answer_type": "text", "choices": ["3", "1,200 cm", "No", "B"]}
INTEGER = {"question_type": "free_form", "answer_type": "integer", "choices": None}


@pytest.mark.parametrize(
    ("row", "extraction", "response", "kind"),
    [
        (CHOICE, "B", "So it is B.", STANDS),
        (CHOICE, "(b)", "So it is (b)", STANDS),
        (CHOICE, "B.", "It is 1200 cm long", STANDS),
        (CHOICE, "no", "No, it is not.", STANDS),
        (CHOICE, "Option C", "none of it", ELSEWHERE),
        (CHOICE, "(A) 30", "30 of them", ELSEWHERE),
        (CHOICE, "(A) 3", "There are 3.", STANDS),
        (CHOICE, "D", "a big bee", ELSEWHERE),
        (CHOICE, "E", "E", NEAREST),
        (CHOICE, "the question is unclear", "the question is unclear", NEAREST),
        (CHOICE, "", "B", NO_EXTRACTION),
        (CHOICE, "B", " ", NO_RESPONSE),
        (INTEGER, "5", "It is five, or 5.0 of them", STANDS),
        (INTEGER, "5", "15 or 5.5 or x5", ELSEWHERE),
        (INTEGER, "1200", "about 1,200", STANDS),
        (INTEGER, "5 apples", "5 apples", NO_VALUE),
        (INTEGER | {"answer_type": "list"}, "[1]", "[1]", LIST),
    ],
)
def test_classes(row: dict[str, Any], extraction: str, response: str, kind: str) -> None:
    assert classify(row | {"extraction": extraction}, response, "current") == kind


def test_the_cast_decides_what_a_number_is() -> None:
    row = INTEGER | {"extraction": "2.0"}
    assert classify(row, "2.0", "current") == STANDS
    assert classify(row, "2.0", "2023") == NO_VALUE
    assert named_option("(c)", ["x", "y"]) is None


def print_table() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, entries in entries_by_file(unpack(Path(folder))).items():
            print(table_line(name, entries))
            print(
                json.dumps(
                    [e["pid"] for e in entries if e["class"] == STANDS and e["official"] != (e["rules"] == "right")]
                )
            )


if __name__ == "__main__":
    print_table()
