"""The resolved configuration and its files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from mmeval.core.errors import UsageError
from mmeval.runs.config import RunConfig, build_config, default_output, read_config


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"repeats": 0}, "key repeats"),
        ({"limit": 0}, r"key limit(.*)count of at least 1"),
        ({"limit": -3}, "key limit"),
        ({"limit": 1.5}, "key limit"),
        ({"limit": True}, "key limit"),
        ({"limit": "many"}, "key limit"),
        ({"timeout_s": 0}, "key timeout_s"),
        ({"timeout_s": float("inf")}, "key timeout_s"),
        ({"outage_s": float("nan")}, "key outage_s"),
        ({"allow_errors": 2}, "key allow_errors"),
        ({"models": "tiny"}, r"key models: a list is expected, e.g. \[tiny\]"),
        ({"modls": []}, "key modls"),
        ({"cache": "a\0b"}, "key cache(.*)zero byte"),
        ({"sampling": {"temprature": 1}}, "did you mean temperature"),
        ({"sampling": {"temperature": "warm"}}, "not a number"),
    ],
)
def test_a_wrong_value_is_named_by_key(values: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        build_config(values)
    assert caught.value.remedy


@pytest.mark.parametrize(("text", "limit"), [("10%", 0.1), ("200", 200), ("0.25", 0.25), (" 50% ", 0.5)])
def test_a_limit_takes_what_the_command_line_takes(tmp_path: Path, text: str, limit: float) -> None:
    (tmp_path / "a.yaml").write_text(f"limit: '{text}'\n")
    found = build_config(read_config(tmp_path / "a.yaml")).limit
    assert found == limit
    assert type(found) is type(limit)


@pytest.mark.parametrize("limit", [None, 1, 200, 0.1, 1.0])
def test_a_limit_keeps_its_kind_through_json(limit: Any) -> None:
    config = build_config({"limit": limit})
    again = build_config(orjson.loads(orjson.dumps(config.model_dump(mode="json"))))
    assert again.limit == limit
    assert type(again.limit) is type(limit)


def test_files_are_read_and_a_manifest_repeats_its_run(tmp_path: Path) -> None:
    config = RunConfig(
        models=["m"], tasks=["t"], limit=0.5, sampling={"stop": ["x"], "temperature": 0}, output="runs/a"
    )
    (tmp_path / "a.yaml").write_text("models: [m]\nlimit: 20\n")
    assert read_config(tmp_path / "a.yaml") == {"models": ["m"], "limit": 20}
    manifest = {"schema_version": 1, "config": config.model_dump(mode="json"), "name": "x"}
    (tmp_path / "run.json").write_bytes(orjson.dumps(manifest))
    values = read_config(tmp_path / "run.json")
    assert "output" not in values
    assert build_config({**values, "output": "runs/a"}) == config


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.yaml", "modles: [m]", r"a\.yaml, line 1: unknown key 'modles'(.|\n)*models"),
        ("b.yaml", "[m]", r"b\.yaml: a mapping"),
        ("c.yaml", "a: [", r"c\.yaml, line"),
        ("d.json", "{", r"d\.json: not JSON"),
        ("e.json", "[]", r"e\.json: a mapping"),
        ("f.yaml", "seed: 1\nrepeats: 0", r"f\.yaml, line 2: key repeats: "),
        ("g.yaml", "models: tiny", r"g\.yaml, line 1: key models: "),
        ("h.yaml", "models: [1]", r"h\.yaml, line 1: key models\.0: "),
        ("i.yaml", "limit: '110%'", r"i\.yaml, line 1: key limit: (.*)'110%' is no limit"),
        ("j.yaml", "sampling:\n  temprature: 1", r"j\.yaml, line 1: key sampling: (.|\n)*temperature"),
        ("k.yaml", "sampling: 3", r"k\.yaml, line 1: key sampling: "),
        ("l.json", '{"repeats": 0}', r"l\.json: key repeats: "),
        ("m.yaml", "seed: 1\nmodels: [a]\nseed: 2", r"m\.yaml, line 3: key 'seed' stands in line 1 too(.|\n)*keep one"),
        ("n.yaml", "sampling:\n  top_p: 1\n  top_p: 0.5", r"n\.yaml, line 3: key 'top_p' stands in line 2"),
        ("o.json", '{"seed": 1, "seed": 2}', r"o\.json: key 'seed' is given twice"),
        ("p.yaml", "engine_args: &x {a: *x}", r"p\.yaml: an alias stands within its own anchor"),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, name: str, content: str, says: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(UsageError, match=says):
        read_config(tmp_path / name)


def test_one_key_in_two_mappings_and_shared_anchors_are_fine(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("engine_args: &shared {a: 1, b: {a: 2}}\nsampling: {top_p: 1}\n")
    assert read_config(tmp_path / "a.yaml")["engine_args"] == {"a": 1, "b": {"a": 2}}


@pytest.mark.parametrize("name", ["absent.yaml", "absent.json", "."])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot read"):
        read_config(tmp_path / name)


def test_the_same_identity_finds_the_same_folder() -> None:
    base = RunConfig(models=["hf:./ckpt/a b"], tasks=["synthetic/*", "x@p"])
    assert default_output(base) == default_output(base.model_copy(update={"concurrency": 9, "attempts": 1}))
    assert default_output(base) != default_output(base.model_copy(update={"seed": 1}))
    found = default_output(base)
    assert found.parent == Path("runs")
    assert not set(found.name) & set("/*: @#")
    odd = default_output(RunConfig(models=["../../.."], tasks=["///"]))
    assert odd.parent == Path("runs")
    assert not odd.name.startswith((".", "-"))
