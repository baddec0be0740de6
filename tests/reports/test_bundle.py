"""A bundle: all samples and pictures in a folder, replaced as a whole, never over anything else."""

from __future__ import annotations

import base64
import fcntl
import gzip
import hashlib
import html
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from mmeval.cli.main import cli
from mmeval.core.errors import MmevalError, StorageError, UsageError
from mmeval.reports import bundle_folder
from mmeval.reports.build import build_report
from mmeval.reports.bundle_folder import build_bundle
from mmeval.reports.staging import MARKER
from mmeval.runs.folder import Run, open_run


@pytest.fixture(scope="module")
def small(make_run: Callable[..., Run], tmp_path_factory: pytest.TempPathFactory) -> Run:
    return make_run(tmp_path_factory.mktemp("bundles") / "small", count=6, box=2, hostile=False)


@pytest.fixture(scope="module")
def bundle(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundles") / "demo"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bundle_folder, "CHUNK", 10)
        build_bundle([run], folder)
    return folder


def called(path: Path) -> list[Any]:
    """Arguments of the one call in a data file."""
    text = path.read_text(encoding="ascii")
    assert text.startswith("mmevalBlock(")
    assert text.endswith(");\n")
    arguments: list[Any] = json.loads(f"[{text[len('mmevalBlock(') : -len(');') - 1]}]")
    return arguments


def unpacked(text: str) -> Any:
    return json.loads(gzip.decompress(base64.b64decode(text)))


def records(folder: Path) -> list[dict[str, Any]]:
    return [record for path in sorted((folder / "data").glob("chunk-*.js")) for record in unpacked(called(path)[1])]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_everything_is_in_it_and_pictures_are_the_bytes_that_were_sent(run: Run, bundle: Path) -> None:
    found = records(bundle)
    assert len(found) == 56
    name, packed = called(bundle / "data" / "index.js")
    assert name == "index"
    assert unpacked(packed)["keys"] == [record["key"] for record in found]
    assert unpacked(packed)["chunk"] == 10
    sent = {entry[0] for record in found for view in record["views"] for entry in view["media"]}
    files = {path.stem: path for path in (bundle / "img").iterdir()}
    assert set(files) == sent
    assert all(hashlib.sha256(path.read_bytes()).hexdigest() == name for name, path in files.items())
    for number, path in enumerate(sorted((bundle / "data").glob("chunk-*.js")), 1):
        name, packed, pictures = called(path)
        assert name == path.stem == f"chunk-{number}"
        own = {entry[0] for record in unpacked(packed) for view in record["views"] for entry in view["media"]}
        assert pictures == dict.fromkeys(own, "png")
    page = (bundle / "index.html").read_text(encoding="utf-8")
    assert "samples are shown" not in page
    assert not re.search(r"application/octet-stream[^>]*>[^<]", page)
    marker = json.loads((bundle / MARKER).read_bytes())
    assert (marker["mmeval_bundle"], marker["samples"], marker["pictures"]) == (1, 56, len(sent))


def test_the_policy_lets_in_the_files_of_the_folder_and_nothing_else(bundle: Path) -> None:
    found = re.search(r'Content-Security-Policy" content="([^"]*)"', (bundle / "index.html").read_text())
    assert found is not None
    rules = dict(rule.strip().split(" ", 1) for rule in html.unescape(found.group(1)).split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "'self' data:"
    assert re.fullmatch(r"'sha256-[^']+' 'self'", rules["script-src"])
    assert rules["connect-src"] == rules["base-uri"] == rules["form-action"] == "'none'"


def test_same_runs_give_same_files_and_nothing_of_an_older_bundle_stays(small: Run, run: Run, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    build_bundle([run], second)
    build_bundle([small], first)
    (second / ".DS_Store").write_text("")
    build_bundle([small], second)
    assert contents(first) == contents(second)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first", "second"]


def test_pictures_that_are_gone_or_not_those_that_were_sent_are_left_out_and_counted(
    make_run: Callable[..., Run], tmp_path: Path
) -> None:
    made = make_run(tmp_path / "bare", hostile=False, count=4, box=2)
    files = sorted((made.path / "media").iterdir())
    files[0].unlink()
    files[1].write_bytes(b"\x89PNG\r\n\x1a\n broken")
    summary = build_bundle([made], tmp_path / "out")
    assert (summary.pictures, summary.missing) == (len(files) - 2, 2)
    assert {path.name for path in (tmp_path / "out" / "img").iterdir()} == {path.name for path in files[2:]}


def test_a_narrowed_run_takes_the_samples_of_its_model(small: Run, tmp_path: Path) -> None:
    summary = build_bundle([open_run(f"{small.path}#tiny-late")], tmp_path / "out")
    assert summary.samples == 8
    assert {answer["model"] for record in records(tmp_path / "out") for answer in record["answers"]} == {0}


@pytest.mark.parametrize("name", ["notes.txt", "data/notes.txt", "img/cat.png", "img/" + "a" * 64 + ".html"])
def test_a_file_of_somebody_else_in_an_older_bundle_is_not_lost(small: Run, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "out"
    build_bundle([small], folder)
    (folder / name).write_text("mine")
    before = contents(folder)
    with pytest.raises(UsageError, match="no file of a bundle"):
        build_bundle([small], folder)
    assert contents(folder) == before


def test_only_new_empty_or_older_bundles_are_written(small: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match="is a file"):
        build_bundle([small], tmp_path / "file")
    with pytest.raises(UsageError, match="is no bundle of mmeval"):
        build_bundle([small], small.path)
    assert (small.path / "run.json").exists()
    (tmp_path / "empty").mkdir()
    build_bundle([small], tmp_path / "empty")
    assert (tmp_path / "empty" / "index.html").exists()
    (tmp_path / "link").symlink_to(tmp_path / "empty")
    build_bundle([small], tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    with pytest.raises(StorageError, match="cannot write"):
        build_bundle([small], tmp_path / "file" / "out")


def test_a_failure_leaves_the_older_bundle_as_it_was(
    small: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "out"
    build_bundle([small], folder)
    before = contents(folder)

    def full(*_: object) -> str:
        raise OSError(28, "No space left on device", "data/chunk-1.js")

    monkeypatch.setattr(bundle_folder, "packed_block", full)
    with pytest.raises(StorageError, match="No space left"):
        build_bundle([small], folder)
    monkeypatch.setattr(bundle_folder, "packed_block", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        build_bundle([small], folder)
    assert contents(folder) == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_what_a_killed_process_left_is_cleared_and_a_living_one_is_waited_for(small: Run, tmp_path: Path) -> None:
    half = tmp_path / ".out.new"
    (half / "data").mkdir(parents=True)
    (half / "data" / "chunk-1.js").write_text("half")
    handle = os.open(half, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    with pytest.raises(UsageError, match="another mmeval process"):
        build_bundle([small], tmp_path / "out")
    os.close(handle)
    build_bundle([small], tmp_path / "out")
    assert "half" not in (tmp_path / "out" / "data" / "chunk-1.js").read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_the_command_line(small: Run, tmp_path: Path) -> None:
    def call(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(cli, ["report", str(small.path), *arguments])
        if isinstance(result.exception, MmevalError):
            return result.exception.exit_code, str(result.exception)
        return result.exit_code, result.output

    folder = str(tmp_path / "out")
    code, said = call("--bundle", folder)
    assert code == 0
    assert f"wrote {folder} (" in said
    assert "all 8 samples" in said
    for more, reason in ((["--max-mb", "20"], "--max-mb"), (["-o", "x.html"], "-o and --bundle")):
        code, said = call("--bundle", folder, *more)
        assert code == 2
        assert reason in said
    code, said = call("--bundle", str(small.path))
    assert code == 2
    assert "no bundle of mmeval" in said


def test_a_run_without_samples_is_a_page_without_data(make_run: Callable[..., Run], tmp_path: Path) -> None:
    made = make_run(tmp_path / "none", count=0, box=0, hostile=False, status="interrupted")
    summary = build_bundle([made], tmp_path / "out")
    assert (summary.samples, summary.pictures) == (0, 0)
    assert list((tmp_path / "out" / "data").iterdir()) == []
    assert "There are no samples to show." in (tmp_path / "out" / "index.html").read_text()


def test_models_with_slashes_in_their_names(make_run: Callable[..., Run], tmp_path: Path) -> None:
    names = ("tiny-late", "lab/family/model-1@main", "../lab/model 2")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(make_run.__globals__, "SKILL", dict.fromkeys(names, 0.6))
        made = make_run(tmp_path / "many", count=2, box=2, hostile=False, models=names)
    assert build_bundle([made], tmp_path / "out").samples == 4
    assert "lab/family/model-1@main" in (tmp_path / "out" / "index.html").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["many", "out"]


def test_a_run_made_without_media_is_whole_but_for_its_pictures(make_run: Callable[..., Run], tmp_path: Path) -> None:
    made = make_run(tmp_path / "bare", hostile=False, count=4, box=2)
    shutil.rmtree(made.path / "media")
    summary = build_bundle([made], tmp_path / "out")
    assert (summary.samples, summary.pictures, summary.missing) == (6, 0, 4)
    assert build_report([made], tmp_path / "one.html").samples_shown == 6


@pytest.mark.parametrize("version", [0, 99, "1", None])
def test_run_folders_of_other_versions_are_refused_by_name(small: Run, tmp_path: Path, version: object) -> None:
    shutil.copytree(small.path, tmp_path / "old")
    manifest = json.loads((tmp_path / "old" / "run.json").read_bytes()) | {"schema_version": version}
    (tmp_path / "old" / "run.json").write_text(json.dumps(manifest))
    result = CliRunner().invoke(cli, ["report", str(tmp_path / "old"), "--bundle", str(tmp_path / "out")])
    assert isinstance(result.exception, MmevalError)
    assert result.exception.exit_code == 2
    assert f"run.json: schema_version is {version!r}, this mmeval reads" in str(result.exception)
    assert not (tmp_path / "out").exists()
