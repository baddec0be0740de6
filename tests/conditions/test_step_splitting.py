"""Steps of solutions: where a text is cut, and that nothing of it is lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmeval.conditions.step_splitting import aggregated, split_steps


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("Step 1: look.\nStep 2: add.\nStep 3: done.", ["Step 1: look.\n", "Step 2: add.\n", "Step 3: done."]),
        ("Let me see.\n\n### Step 1: look\nIt is red.\n\n### Step 2: say\nred", ["Let me see.\n\n### Step 1: look\nIt is red.\n\n", "### Step 2: say\nred"]),
        ("[Visual Elements]\n<step_1>a</step_1>\n<step_2>b</step_2>\n<correct_answer>\\boxed{5}</correct_answer>", ["[Visual Elements]\n<step_1>a</step_1>\n", "<step_2>b</step_2>\n", "<correct_answer>\\boxed{5}</correct_answer>"]),
        ("First I look.\n\nThen I add.\n\n\n\\boxed{5}", ["First I look.\n\n", "Then I add.\n\n\n", "\\boxed{5}"]),
        ("Only one line\nand another", ["Only one line\nand another"]),
        ("\n\nx\n\n", ["\n\nx\n\n"]),
        ("  \n ", []),
        ("", []),
    ],
)  # fmt: skip
def test_where_a_text_is_cut(text: str, steps: list[str]) -> None:
    assert split_steps(text) == steps


@given(text=st.text(max_size=80) | st.from_regex(r"((Step [0-9]: |</step_[0-9]>|\n\n| |x|\n){0,12})", fullmatch=True))
def test_nothing_is_lost_and_no_step_is_blank(text: str) -> None:
    steps = split_steps(text)
    assert all(step.strip() for step in steps)
    assert "".join(steps) == (text if text.strip() else "")


def test_aggregates() -> None:
    found = aggregated([0.5, 0.25, 1.0])
    assert found == {"min": 0.25, "last": 1.0, "mean": pytest.approx(1.75 / 3), "product": 0.125, "max": 1.0}
