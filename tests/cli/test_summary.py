"""What a run says at its end besides its numbers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from mmeval.cli.summary import answer_hints
from mmeval.runs.leaderboard import LeaderboardRow


def row(silent: int, read: int, **more: Any) -> LeaderboardRow:
    given = {
        "model": "m", "task": "t", "protocol": "default", "condition": "standard", "subset": None,
        "outcomes": {"scored": read, "no_answer": silent, "error": 5}, "unread": {"truncated": 0, "unreadable": silent},
    }  # fmt: skip
    return cast(LeaderboardRow, SimpleNamespace(**{**given, **more}))


def test_rows_that_are_mostly_without_an_answer_give_a_hint() -> None:
    (found,) = answer_hints([row(8, 2), row(8, 2), row(8, 2, condition="blind"), row(8, 2, subset=("kind", "odd"))])
    assert "t, m: 8 of 10 rows have no answer (unreadable 8) and count as wrong" in found


@pytest.mark.parametrize(("silent", "read"), [(5, 5), (9, 0), (0, 20), (1, 19)])
def test_other_rows_give_none(silent: int, read: int) -> None:
    assert answer_hints([row(silent, read)]) == []
