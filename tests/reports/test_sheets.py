"""Cells and columns of tables."""

from __future__ import annotations

from mmeval.reports.comparison import HEADING, _heading
from mmeval.reports.sheets import NOTHING, Entry, Sheet, change, words


def test_a_rounded_zero_has_no_minus() -> None:
    assert change(-0.0, (-0.0002, 0.5)).text == "+0.0 [+0.0, +50.0]"
    assert change(-0.0, share=False).text == "+0"


def test_columns_of_words_are_told_from_columns_of_numbers() -> None:
    rows = (
        (words("a"), Entry("1", 1), NOTHING, words("1 / 0"), NOTHING),
        (words("b"), NOTHING, words("0 / 1"), NOTHING, NOTHING),
    )
    sheet = Sheet("wins", "Wins", ("Model", "n", "a", "b", "empty"), rows)
    assert sheet.worded == (True, False, True, True, False)


def test_headings_keep_both_names_within_the_chart() -> None:
    assert _heading("candidate", "base") == "candidate – base"
    for candidate, base in (("c" * 80, "b" * 80), ("c" * 80, "b"), ("c", "b" * 80), ("c" * 20, "b" * 20)):
        text = _heading(candidate, base)
        assert len(text) <= HEADING
        assert text.split(" – ")[0][0] == "c"
        assert text.split(" – ")[1][0] == "b"
