"""Every place that reads bytes from outside takes any bytes; `python -m tests.fuzz.run` does the same millions of times with coverage feedback."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.run import SHARES, seeds
from tests.fuzz.targets import ALL, PIECES

LISTED = 200


def test_every_target_has_its_share() -> None:
    assert SHARES.keys() == ALL.keys()
    assert sum(SHARES.values()) == 100


@pytest.mark.parametrize("name", ALL)
def test_sound_and_cut_inputs(name: str, tmp_path: Path) -> None:
    seeds(tmp_path / "seeds", name)
    files = sorted((tmp_path / "seeds").iterdir())
    assert files
    for path in files[:: len(files) // LISTED + 1]:
        data = path.read_bytes()
        ALL[name](data, tmp_path)
        ALL[name](data[: 2 * len(data) // 3], tmp_path)


MODEL_OUTPUT = st.lists(st.sampled_from(PIECES) | st.text(max_size=8), max_size=12).map(
    lambda parts: "".join(parts).encode("utf-8", "surrogatepass")
)


@pytest.mark.parametrize("name", ALL)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(head=st.binary(min_size=3, max_size=3), body=MODEL_OUTPUT | st.binary(max_size=200))
def test_any_bytes(name: str, tmp_path: Path, head: bytes, body: bytes) -> None:
    ALL[name](head + body, tmp_path)
