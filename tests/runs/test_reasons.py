"""Reasons why rows were not scored, counted by kind."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mmeval.runs.reasons import FURTHER, MOST_KINDS, Reasons


def counted(*reasons: str) -> dict[str, int]:
    found = Reasons()
    for reason in reasons:
        found.add(reason)
    return found.counts()


def test_reasons_that_differ_in_a_name_are_one() -> None:
    lacking = [f"p.jsonl has no answer to sample 'q{n}' of quiz" for n in range(37)]
    assert counted(*lacking, "refused") == {
        "p.jsonl has no answer to sample 'q0' of quiz (the first; also 'q1', 'q2', 'q3' …)": 37,
        "refused": 1,
    }
    assert counted(lacking[0], lacking[0]) == {lacking[0]: 2}
    assert counted(lacking[0], lacking[1]) == {f"{lacking[0]} (the first; also 'q1')": 2}
    assert counted("images/a1.png is cut off", "images/b2.png is cut off\nmore") == {
        "images/a1.png is cut off (the first; also images/b2.png)": 2
    }


def test_codes_of_servers_stay_apart() -> None:
    assert counted("HTTP 503: busy", "HTTP 429: busy.", "HTTP 429: busy.") == {
        "HTTP 429: busy.": 2,
        "HTTP 503: busy": 1,
    }


def test_kinds_beyond_the_most_are_counted_together() -> None:
    found = counted(*("x" * n for n in range(150)), *(f"{'y' * n}z" for n in range(150)))
    assert sum(found.values()) == 300
    many = Reasons()
    for n in range(MOST_KINDS + 5):
        many.add(f"{n}", 2)
    assert many.counts()[FURTHER] == 10


@given(st.lists(st.text(), max_size=30))
def test_no_row_is_lost(reasons: list[str]) -> None:
    assert sum(counted(*reasons).values()) == len(reasons)
