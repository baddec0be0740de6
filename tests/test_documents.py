"""What README and docs/ say about commands, options and pictures is true."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from mmeval.cli.main import COMMANDS, cli

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PICTURES = sorted(path for path in (ROOT / "docs" / "images").iterdir() if path.is_file())
COMMAND = re.compile(r"mmeval(?: +(?P<name>[a-z]+))(?P<rest>(?: [^`|]*)?)")
OPTION = re.compile(r"(?<![\w-])--?[a-zA-Z][\w-]*")
LINK = re.compile(r"\]\((?P<target>[^)#\s]*)(?:#(?P<anchor>[^)\s]*))?\)")
HEADING = re.compile(r"^#+ +(.*?) *$", re.MULTILINE)


def options(command: click.Command) -> set[str]:
    """All options of a command and of those below it."""
    found = {"-h", "--help"}
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            found |= {*parameter.opts, *parameter.secondary_opts}
    if isinstance(command, click.Group):
        for below in command.commands.values():
            found |= options(below)
    return found


def written(path: Path) -> Iterator[tuple[int, str, str]]:
    """Line, command and words behind it, of all that is written as code."""
    fenced = False
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.lstrip().startswith("```"):
            fenced = not fenced
            continue
        pieces = [line] if fenced or line.startswith("    ") else re.findall(r"`([^`]*)`", line)
        for piece in pieces:
            for found in COMMAND.finditer(piece.split(" # ")[0]):
                if found["name"] in COMMANDS:
                    yield number, found["name"], found["rest"]
                elif piece.lstrip().startswith("mmeval "):
                    raise AssertionError(f"{path.name}:{number}: no command mmeval {found['name']}")


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_commands_and_their_options_exist(path: Path) -> None:
    context = click.Context(cli)
    for number, name, rest in written(path):
        command = cli.get_command(context, name)
        assert command is not None
        unknown = set(OPTION.findall(rest)) - options(command)
        assert not unknown, f"{path.name}:{number}: mmeval {name} has no {', '.join(sorted(unknown))}"


def commands(command: click.Command) -> Iterator[click.Command]:
    """A command and those below it."""
    yield command
    if isinstance(command, click.Group):
        for below in command.commands.values():
            yield from commands(below)


def test_every_option_is_in_the_contract() -> None:
    text = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    told = set(OPTION.findall(text))
    context = click.Context(cli)
    missing = set()
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None
        for below in commands(command):
            for parameter in below.params:
                if isinstance(parameter, click.Option) and not told & set(parameter.opts):
                    missing.add(f"{name} {below.name} {parameter.opts[0]}")
    assert not missing


def anchors(path: Path) -> set[str]:
    """Names by which a page's headings can be linked to, as GitHub makes them."""
    headings = HEADING.findall(path.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_and_pictures_are_there(path: Path) -> None:
    for found in LINK.finditer(path.read_text(encoding="utf-8")):
        if "://" not in found["target"]:
            target = path.parent / found["target"] if found["target"] else path
            assert target.exists(), found.group()
            assert not found["anchor"] or found["anchor"] in anchors(target), found.group()


def test_pictures_are_small_and_all_are_shown() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in DOCUMENTS)
    for picture in PICTURES:
        assert f"images/{picture.name})" in text, picture.name
        assert picture.stat().st_size < 200_000, picture.name
    assert sum(picture.stat().st_size for picture in PICTURES) < 2_000_000
