from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from mmeval.core.errors import DataError, EngineError
from mmeval.core.json_keys import repeated_key
from mmeval.engines.base import ModelSpec
from mmeval.engines.replay import ReplayEngine
from mmeval.runs.importers.mmvet import _json
from mmeval.tasks.data import _json_rows


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('{"a": 1, "b": {"x": 1, "x": 2}}', None), ('{"a": 1, "b": 2, "a": 3}', "a"), ('{"a": {"c": 1}, "a": {"c": 1}}', "a"), ("{}", None),
        ("[1, 2]", None), ('{"a": [{"a": 1}]}', None), ('{"é": 1, "\\u00e9": 2}', "é"),
    ],
)  # fmt: skip
def test_a_key_that_stands_twice_is_found(text: str, key: str | None) -> None:
    assert repeated_key(text.encode()) == key


def test_predictions_and_rows_with_a_key_twice_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "said.json"
    path.write_text('{"q1": "A", "q2": "B", "q1": "C"}')
    with pytest.raises(EngineError, match=r"said\.json: the key 'q1' is there twice"):
        asyncio.run(ReplayEngine(ModelSpec(backend="replay", target=str(path))).describe())
    path.write_text('{"q1": {"question": "a"}, "q1": {"question": "b"}}')
    with pytest.raises(DataError, match="'q1' is there twice"):
        list(_json_rows(path, True))
    path.write_text('{"q1": [1, 0], "q1": [0]}')
    with pytest.raises(DataError, match="'q1' is there twice"):
        _json(path)
