"""Hashes that do not depend on order, and seeds that neighbours do not share."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmeval.core.hashing import canonical_json, derived_seed, digest, sha256_bytes

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


def reordered(value: object) -> object:
    if isinstance(value, dict):
        return {key: reordered(value[key]) for key in reversed(value)}
    return [reordered(entry) for entry in value] if isinstance(value, list) else value


@given(JSON)
def test_the_order_of_keys_does_not_matter(value: object) -> None:
    assert canonical_json(reordered(value)) == canonical_json(value)
    assert digest(reordered(value)) == digest(value)


@given(JSON)
def test_canonical_json_is_json_of_the_same_value(value: object) -> None:
    assert json.loads(canonical_json(value)) == value


@given(JSON, JSON)
def test_other_values_have_other_digests(one: object, other: object) -> None:
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (canonical_json(one) == canonical_json(other)) == same
    assert (digest(one) == digest(other)) == same


def test_known_digests_hold_on_every_platform() -> None:
    assert sha256_bytes(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert canonical_json({"b": 1, "a": [1.5, "ä", None]}) == '{"a":[1.5,"ä",null],"b":1}'.encode()
    assert digest(["a", 0]) == sha256_bytes(b'["a",0]')


def test_order_inside_lists_and_types_of_numbers_matter() -> None:
    assert digest([1, 2]) != digest([2, 1])
    assert digest(1) != digest("1")
    assert digest(1) != digest(1.0)
    assert digest(None) != digest("")


@pytest.mark.parametrize("value", [b"bytes", object(), {1, 2}, {"a": {3}}])
def test_what_json_cannot_hold_is_refused(value: object) -> None:
    with pytest.raises(TypeError):
        digest(value)


def test_numpy_numbers_count_as_numbers() -> None:
    assert digest([np.int64(3), np.float64(0.5)]) == digest([3, 0.5])


@given(st.integers(-(2**62), 2**62), st.text(max_size=10), st.text(max_size=10), st.integers(0, 10_000))
def test_neighbouring_repeats_have_unrelated_seeds(seed: int, task: str, sample: str, repeat: int) -> None:
    first, second = derived_seed(seed, task, sample, repeat), derived_seed(seed, task, sample, repeat + 1)
    assert 0 <= first < 2**31
    assert abs(first - second) > 1
    assert derived_seed(seed, task, sample, repeat) == first


def test_seeds_fill_their_range() -> None:
    seeds = [derived_seed(0, "task", str(number), repeat) for number in range(500) for repeat in range(4)]
    assert len(set(seeds)) == 2000
    share = sum(seed < 2**30 for seed in seeds) / len(seeds)
    assert 0.45 < share < 0.55


def test_parts_are_not_joined() -> None:
    assert derived_seed("ab", "c") != derived_seed("a", "bc")
    assert derived_seed(1, 23) != derived_seed(12, 3)


def test_seeds_do_not_depend_on_the_process() -> None:
    code = (
        "from mmeval.core.hashing import derived_seed, digest; print(derived_seed(0, 'a', 1), digest({'b': 1, 'a': 2}))"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("1", "2")
    }
    assert printed == {f"{derived_seed(0, 'a', 1)} {digest({'a': 2, 'b': 1})}\n"}
