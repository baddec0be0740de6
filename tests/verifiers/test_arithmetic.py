from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmeval.verifiers.arithmetic import MOST_CHARACTERS, evaluate

VALUES: list[tuple[str, float | complex | None]] = [
    ("12", 12),
    (" 12\n", 12),
    ("-12", -12),
    ("+12", 12),
    ("--12", 12),
    ("1.5", 1.5),
    (".5", 0.5),
    ("5.", 5.0),
    ("1e3", 1000.0),
    ("1_000", 1000),
    ("0x10", 16),
    ("1+2*3", 7),
    ("(1+2)*3", 9),
    ("1/3", 1 / 3),
    ("7//2", 3),
    ("7%4", 3),
    ("2**10", 1024),
    ("2**-1", 0.5),
    ("2**0.5", math.sqrt(2)),
    ("2^3", 1),
    ("6|1", 7),
    ("6&3", 2),
    ("1j*1j", -1),
    ("(12)", 12),
    ("[12]", None),
    ("1,000", None),
    ("50%", None),
    ("3 cm", None),
    ("x=3", None),
    ("x", None),
    ("pi", None),
    ("0012", None),
    ("1 < 2", None),
    ("True", None),
    ("'12'", None),
    ("1/0", None),
    ("1.5^2", None),
    ("2^1.5", None),
    ("1.5//1j", None),
    ("9**9**9", None),
    ("(-9)**9**9", None),
    ("9.0**9**9", None),
    ("10**4000*10**4000", None),
    ("1**9999", 1),
    ("0**9999", 0),
    ("", None),
    ("   ", None),
    ("12\x00", None),
    ("1if 1else 2", None),
    ("(" * 300 + "1" + ")" * 300, None),
    ("-" * 990 + "1", None),
    ("1" * (MOST_CHARACTERS + 1), None),
]


@pytest.mark.parametrize(("text", "value"), VALUES)
def test_values(text: str, value: float | complex | None) -> None:
    found = evaluate(text)
    assert (found is None) == (value is None)
    if value is not None:
        assert found == pytest.approx(value)


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('touch escaped')",
        "open('escaped', 'w')",
        "().__class__.__bases__",
        "exit()",
        "[1 for _ in iter(int, 1)]",
        "(lambda: 1)()",
        "f'{open}'",
        "(x := 1)",
        "abs(-1)",
    ],
)
def test_nothing_runs(text: str, tmp_path: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(str(tmp_path))
    assert evaluate(text) is None
    assert not list(tmp_path.iterdir())  # type: ignore[attr-defined]


@given(st.text(max_size=60))
def test_any_text_is_read_without_an_error(text: str) -> None:
    evaluate(text)


@given(st.text(alphabet="0123456789.+-*/%()^|&e j", max_size=24))
def test_any_sum_is_read_without_an_error(text: str) -> None:
    found = evaluate(text)
    assert found is None or isinstance(found, (int, float, complex))


@given(st.integers(-(10**12), 10**12), st.integers(1, 10**6))
def test_whole_numbers_and_fractions_keep_their_value(upper: int, lower: int) -> None:
    assert evaluate(str(upper)) == upper
    assert evaluate(f"{upper}/{lower}") == pytest.approx(upper / lower)
