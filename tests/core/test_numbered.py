"""Numbers for texts are those of a dictionary."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mmeval.core.numbered import NumberedTexts


@given(st.lists(st.one_of(st.text(max_size=3), st.integers(0, 300).map(str), st.text(st.characters(codec=None)))))
def test_numbers_are_those_of_a_dictionary(texts: list[str]) -> None:
    known: dict[str, int] = {}
    numbered = NumberedTexts()
    assert [numbered.number(text) for text in texts] == [known.setdefault(text, len(known)) for text in texts]
    assert len(numbered) == len(known)


def test_many_texts_in_few_bytes() -> None:
    numbered = NumberedTexts()
    texts = [f"sample-{number * 7919 % 10_007}" for number in range(20_014)]
    assert [numbered.number(text) for text in texts[:10_007]] == list(range(10_007))
    assert [numbered.number(text) for text in texts[10_007:]] == list(range(10_007))
    held = len(numbered._digests) + numbered._slots.itemsize * len(numbered._slots)
    assert held <= 26 * len(numbered)
