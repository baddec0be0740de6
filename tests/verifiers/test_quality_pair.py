"""Which of two pictures is better, as models say it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext
from mmeval.verifiers.quality_pair import QualityPairVerifier

NONE = AnswerContext()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Image A", "A"), ("image b", "B"), ("A", "A"), ("(B)", "B"), ("**Image B**", "B"), ("Image 1", "A"), ("The first image", "A"), ("second", "B"),
        ("<think>Image A is better at first sight.</think><answer>Image B</answer>", "B"), ("<answer>Similar</answer>", "similar"), ("similar.", "similar"),
        ("equal", "similar"), ("Answer: Similar", "similar"), ("\\boxed{Image A}", "A"), ('{"answer": "Image A"}', "A"), ('{"better": "Image A"}', "A"),
        ('<answer>{"better": "Image B"}</answer>', "B"), ("The answer is Image A", "A"), ("Image A is better.", "A"), ("Image A looks better than Image B", "A"),
        ("The quality of Image B is better than Image A.", "B"), ("Image B has better quality than Image A", "B"), ("I prefer Image A", "A"),
        ("Image A is worse than Image B.", "B"), ("The second picture appears to have lower quality.", "A"), ("Image B has a higher overall quality.", "B"),
        ("Image A has noise while Image B is sharper, so Image B.", "B"), ("Both images are similar in quality.", "similar"),
        ("They are of similar quality.", "similar"), ("Image A and Image B are similar", "similar"), ("There is no noticeable difference.", "similar"),
        ("They look the same", "similar"), ("Both are similar, but Image A is slightly better.", "A"), ("Neither image is better.", "similar"),
        ("B is better than A", "B"), ("A has better quality", "A"), ("A is worse.", "B"), ("a better picture than the other", None),
        ("The first image is of better quality", "A"), ("Image A is of higher quality", "A"), ("Image A outperforms Image B", "A"),
        ("The quality of Image B is higher than that of Image A", "B"), ("The quality of Image B is lower", "A"), ("The better image is A.", "A"),
        ('{"better_image": "Image B"}', "B"), ('<answer>{"comparison_result": "Image B"}</answer>', "B"), ("The better image is A or B", None),
        ("Image A is sharper but B is better. A is better in colour.", None),
        ("Image A is better in colour. Image B is better in sharpness.", None), ("Image A is slightly better. Wait, on closer look they are similar.", None),
        ("Image A has more noise than Image B.", None), ("Image A is not better.", None), ("They are not the same.", None),
        ("I cannot tell whether Image A is better.", None), ("Neither", None), ("Image C", None), ("<think>Image A is", None), ("", None),
    ],
)  # fmt: skip
def test_verdicts(text: str, value: str | None) -> None:
    assert QualityPairVerifier().parse(text, NONE).value == value


def test_targets() -> None:
    assert QualityPairVerifier().match("similar", "Similar", NONE).correct
    assert not QualityPairVerifier().match("A", "B", NONE).correct
    with pytest.raises(DataError, match="not A, B or similar"):
        QualityPairVerifier().match("A", "C", NONE)


@given(text=st.text(max_size=200) | st.from_regex(r"(Image [AB]|They|similar|better| is | not ){1,12}"))
@settings(max_examples=200, deadline=None)
def test_never_raises_and_keeps_to_the_text(text: str) -> None:
    found = QualityPairVerifier().parse(text, NONE)
    if found.found and found.span is not None:
        assert 0 <= found.span[0] <= found.span[1] <= len(text)
