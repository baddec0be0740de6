"""Finding cards and suites."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmeval.core.errors import UsageError
from mmeval.core.yaml_files import read_yaml
from mmeval.tasks.registry import Registry


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of cards that stands for the shipped one."""
    cards, suites = tmp_path / "cards", tmp_path / "cards" / "suites"
    suites.mkdir(parents=True)
    for name in ("a/one", "a/two", "b/one", "plain"):
        path = cards / f"{name.replace('/', '-')}.yaml"
        path.write_text(f"name: {name}\n")
    (suites / "some.yaml").write_text("tasks: [plain, 'a/*', b/one@strict]\n")
    (suites / "more.yaml").write_text("tasks: [some, plain@other]\n")
    (suites / "circle.yaml").write_text("tasks: [plain, round]\n")
    (suites / "round.yaml").write_text("tasks: [circle]\n")
    monkeypatch.setattr("mmeval.tasks.registry.resource_dir", lambda _: cards)
    return cards


def resolve(*selectors: str, extra: tuple[Path, ...] = ()) -> list[str]:
    found = Registry(extra).resolve(selectors)
    return [f"{card.name}@{protocol}" for card, protocol in found]


@pytest.mark.usefixtures("folder")
def test_names_globs_suites_and_protocols() -> None:
    assert resolve("plain") == ["plain@default"]
    assert resolve("plain@", " plain , ,b/one@strict") == ["plain@default", "b/one@strict"]
    assert resolve("*/one@x") == ["a/one@x", "b/one@x"]
    assert resolve("some") == ["plain@default", "a/one@default", "a/two@default", "b/one@strict"]
    assert resolve("some@z") == ["plain@z", "a/one@z", "a/two@z", "b/one@strict"]
    assert resolve("more") == ["plain@default", "a/one@default", "a/two@default", "b/one@strict", "plain@other"]
    assert resolve("a/one", "a/*", "a/one@default") == ["a/one@default", "a/two@default"]
    assert resolve() == []


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("selector", "says"),
    [
        ("plane", r"unknown task 'plane'(.|\n)*did you mean plain"),
        ("soem", r"did you mean some"),
        ("a/three", r"did you mean a/"),
        ("zzz/*", r"unknown task pattern 'zzz/\*'"),
        ("circle", r"suite 'circle' contains itself"),
    ],
)
def test_what_matches_nothing_is_answered_with_the_nearest(selector: str, says: str) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        resolve(selector)
    assert "mmeval tasks list" in str(caught.value) or "suites/circle.yaml" in str(caught.value)


def test_a_suite_that_names_no_task_is_named(folder: Path) -> None:
    (folder / "suites" / "old.yaml").write_text("tasks: [plian]\n")
    with pytest.raises(UsageError, match=r"suite 'old': unknown task 'plian'(.|\n)*plain"):
        resolve("old")


@pytest.mark.parametrize("content", ["[plain]", "tasks: plain", "tasks: [1]", "task: [plain]", ""])
def test_a_broken_suite_is_named(folder: Path, content: str) -> None:
    (folder / "suites" / "bad.yaml").write_text(content)
    with pytest.raises(UsageError, match=r"bad\.yaml: key tasks"):
        resolve("plain")


@pytest.mark.parametrize("content", ["", "[]", "title: x", "name: [1]"])
def test_a_card_without_a_name_is_named(folder: Path, content: str) -> None:
    (folder / "bad.yaml").write_text(content)
    with pytest.raises(UsageError, match=r"bad\.yaml: key name"):
        resolve("plain")


def test_a_task_path_adds_and_overrides(folder: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "x.yaml").write_text("name: plain\ntitle: mine\n")
    (mine / "y.yaml").write_text("name: new\n")
    assert resolve("new", extra=(mine,)) == ["new@default"]
    registry = Registry(path for path in [mine])
    assert registry.cards["plain"].raw["title"] == "mine"
    assert registry.cards["plain"].path == mine / "x.yaml"


def test_two_cards_of_one_name_in_one_folder_are_refused(folder: Path) -> None:
    (folder / "zz.yaml").write_text("name: plain\n")
    with pytest.raises(UsageError, match=r"zz\.yaml: key name: .*plain\.yaml has the name"):
        resolve("plain")


@pytest.mark.usefixtures("folder")
def test_a_missing_task_path_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--task-path .*absent: no such folder"):
        Registry(path for path in [tmp_path / "absent"])


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"name: x\n  bad: [1\n", r"c\.yaml, line \d+: not valid YAML"),
        (b"a: b: c\n", r"line 1"),
        (b"x: !!python/object/apply:os.system ['true']\n", r"line 1.*python"),
        (b"name: \xff\xfe\n", r"not valid YAML"),
        (b"a: \x00\n", r"not valid YAML"),
    ],
)
def test_broken_yaml_is_named_with_its_line(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=says) as caught:
        read_yaml(path)
    assert str(path) in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read .*absent\.yaml"):
        read_yaml(tmp_path / "absent.yaml")


def test_shipped_cards_load_under_every_protocol() -> None:
    from mmeval.tasks.task import Task

    registry = Registry()
    assert {"synthetic/count", "mathvista"} <= set(registry.cards)
    for card in registry.cards.values():
        for protocol in ("default", *card.raw.get("protocols", {})):
            task = Task.load(card, protocol)
            assert task.ask_digest(task.sampling, "standard") != task.ask_digest(task.sampling, "blind")
    for suite in registry.suites:
        assert registry.resolve([suite])


@pytest.mark.parametrize("text", ["a: 1\nb: {c: 1, c: 2}\n", "a: 1\na: 2\n", "a: [{b: 1}, {b: 1, b: 1}]\n"])
def test_a_key_that_stands_twice_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "card.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"card\.yaml, line \d: key '.' stands in line \d too"):
        read_yaml(path)


def test_merged_and_repeated_mappings_are_no_duplicates(tmp_path: Path) -> None:
    path = tmp_path / "card.yaml"
    path.write_text("base: &b {x: 1}\none: {<<: *b, x: 2}\ntwo: {x: 1}\n")
    assert read_yaml(path) == {"base": {"x": 1}, "one": {"x": 2}, "two": {"x": 1}}
