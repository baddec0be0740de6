"""What a run says at its end besides its numbers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from mmeval.cli.summary import _advice, answer_hints
from mmeval.runs.leaderboard import LeaderboardRow
from mmeval.runs.outcome import Outcome


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


def test_a_file_of_answers_is_not_asked_again() -> None:
    """Whoever runs the same command again with the same file gets the same."""
    manifest = SimpleNamespace(counts={"error": 3, "unscored": 0}, models=[SimpleNamespace(engine="replay")])
    said = _advice(cast(Outcome, SimpleNamespace(manifest=manifest, at_fault=0)))
    assert said.startswith("incomplete: the file has no answer to some samples, see above; add them to it")
    manifest.models.append(SimpleNamespace(engine="openai"))
    said = _advice(cast(Outcome, SimpleNamespace(manifest=manifest, at_fault=0)))
    assert said == "incomplete: run the same command again to ask what is missing"
