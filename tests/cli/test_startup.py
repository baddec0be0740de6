"""`mmeval --help` and `mmeval tasks list` load nothing heavy."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest

HEAVY = {
    "torch",
    "transformers",
    "datasets",
    "pandas",
    "scipy",
    "numpy",
    "pyarrow",
    "statsmodels",
    "altair",
    "PIL",
    "aiohttp",
}


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["tasks", "list"], ["run", "--help"], ["tasks", "list", "--json"]]
)
def test_no_heavy_import(arguments: list[str], tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "from mmeval.cli import main\n"
        f"sys.argv = ['mmeval', *{arguments!r}]\n"
        "try:\n    main.main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        "print('LOADED', *sorted(name for name in sys.modules if '.' not in name), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    loaded = set(done.stderr.rsplit("LOADED", 1)[1].split())
    assert not loaded & HEAVY


def test_every_command_has_help_with_an_example(tmp_path: Path) -> None:
    from mmeval.cli.main import COMMANDS

    for name in COMMANDS:
        done = subprocess.run(
            [sys.executable, "-m", "mmeval", name, "--help"], cwd=tmp_path, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        assert "Example" in done.stdout, name


def test_all_that_a_command_groups_has_help_with_an_example_and_json() -> None:
    from mmeval.cli.main import cli

    context = click.Context(cli)
    seen = 0
    for name in ("tasks", "cache", "judge"):
        group = cli.get_command(context, name)
        assert isinstance(group, click.Group)
        for below, command in group.commands.items():
            seen += 1
            assert "Example" in (command.help or ""), f"{name} {below}"
            assert any("--json" in parameter.opts for parameter in command.params), f"{name} {below}"
    assert seen == 15


def test_arguments_that_are_no_unicode_are_refused(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable.encode(), b"-m", b"mmeval", b"run", b"-m", b"chance", b"-t", b"demo", b"-o", b"r\xff"],
        cwd=tmp_path, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2
    assert "'r\\udcff' is not valid UTF-8" in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_user_without_a_home_is_told_so(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Containers run under ids without an entry; libraries that keep caches would end with a traceback after the run."""
    from mmeval.cli import main

    monkeypatch.setattr(main, "home_folder", lambda: None)
    for arguments, code in ((["tasks", "list"], 2), (["--version"], 0)):
        monkeypatch.setattr("sys.argv", ["mmeval", *arguments])
        with pytest.raises(SystemExit) as end:
            main.main()
        assert end.value.code == code
    assert "error: no home folder is known" in capsys.readouterr().err


def test_a_run_imports_no_verifier_that_its_tasks_do_not_name(tmp_path: Path) -> None:
    script = (
        "import sys, mmeval.cli.run, mmeval.runs.execute, mmeval.tasks.file_task\n"
        "from mmeval.verifiers.registry import get_verifier\n"
        "get_verifier('yes-no')\n"
        "print(*(name for name in sys.modules if name.startswith('mmeval.verifiers.')))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    loaded = {name.removeprefix("mmeval.verifiers.") for name in done.stdout.split()}
    assert "yes_no" in loaded
    assert not loaded & {"choice", "number", "expression", "text", "detections", "vlmevalkit", "ocrbench", "verdict"}
