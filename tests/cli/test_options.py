"""Options with odd values: refused with exit code 2 by the command itself, before any run is read."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from mmeval.cli.main import cli
from mmeval.core import template_limits
from mmeval.core.errors import EngineError, UsageError
from mmeval.engines.base import ModelSpec
from mmeval.engines.identity import resolve_checkpoint
from mmeval.runs.engine_options import check_used


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
@pytest.mark.parametrize(
    "arguments",
    [
        ("compare", "a", "b", "--level"), ("diagnose", "a", "--threshold"), ("report", "a", "--margin"),
        ("report", "a", "--max-mb"), ("view", "a", "--max-mb"), ("judge", "agree", "a", "b", "--level"),
        ("run", "--timeout"), ("run", "--outage"), ("run", "--allow-errors"),
    ],
)  # fmt: skip
def test_numbers_that_are_none_are_refused(arguments: tuple[str, ...], value: str) -> None:
    result = CliRunner().invoke(cli, [*arguments, value])
    assert result.exit_code == 2
    assert f"Invalid value for '{arguments[-1]}'" in result.output


@pytest.mark.parametrize("arguments", [("compare", "a", "b", "--json", "--csv"), ("report", "a", "--json", "--csv")])
def test_one_form_at_a_time_goes_to_stdout(arguments: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="one form at a time goes to stdout"):
        CliRunner().invoke(cli, arguments, catch_exceptions=False)


@pytest.mark.parametrize("limit", [str(2**63), "9" * 30, "abc", "-1", "nan", "101%"])
def test_limits_that_are_none_are_refused(limit: str) -> None:
    with pytest.raises(UsageError, match="--limit"):
        CliRunner().invoke(cli, ["run", "-m", "chance", "-t", "demo", "--limit", limit], catch_exceptions=False)


@pytest.mark.parametrize(
    "option", [("--judge-repeats", "3"), ("--judge-swap",), ("--judge-base-url", "http://127.0.0.1:1")]
)
def test_settings_of_a_judge_that_is_not_named_are_refused(option: tuple[str, ...]) -> None:
    arguments = ["run", "-m", "chance", "-t", "synthetic/count", "--limit", "2", *option]
    with pytest.raises(UsageError, match=f"{option[0]}: no judge is named"):
        CliRunner().invoke(cli, arguments, catch_exceptions=False)


def test_a_folder_has_no_revision(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="is a folder, which has no revision 'abc'"):
        resolve_checkpoint(str(tmp_path), "abc")


@pytest.mark.parametrize(
    ("option", "model", "said"),
    [
        (("--base-url", "http://127.0.0.1:1/v1"), "tiny", "no model of this run is served at an address"),
        (("--model-id", "x"), "chance,tiny", "no model of this run is served at an address"),
        (("--data-parallel", "2"), "openai:x", "no model of this run is loaded by mmeval"),
        (("--tensor-parallel", "2"), "chance", "no model of this run is loaded by mmeval"),
        (("--engine-python", "python3"), "fake", "no model of this run is loaded by mmeval"),
        (("--revision", "main"), "replay:answers.jsonl", "no model of this run is loaded by mmeval"),
    ],
)
def test_options_that_no_engine_of_the_run_reads_are_refused(option: tuple[str, str], model: str, said: str) -> None:
    arguments = ["run", "-m", model, "-t", "synthetic/count", "--limit", "2", *option]
    with pytest.raises(UsageError, match=f"{option[0]}: {said}, so nothing would read it"):
        CliRunner().invoke(cli, arguments, catch_exceptions=False)


def test_an_option_that_one_engine_reads_is_taken() -> None:
    specs = [ModelSpec("openai", "x"), ModelSpec("chance", "uniform")]
    check_used({"endpoint": {"--base-url": ["http://h/v1"], "--model-id": None}, "loaded": {"--revision": None}}, specs)
    check_used({"endpoint": {"--base-url": ["u"]}}, [ModelSpec("vllm", "x", base_urls=("u",))])
    check_used({"loaded": {"--tensor-parallel": 2}}, [ModelSpec("vllm", "x")])
    check_used({"loaded": {"--tensor-parallel": 2}, "endpoint": {"--model-id": "x"}}, [ModelSpec("other-package", "x")])
    with pytest.raises(UsageError, match="--judge-base-url: the judge is not served at an address"):
        check_used({"endpoint": {"--judge-base-url": ["u"]}}, [ModelSpec("hf", "x", base_urls=("u",))], judge=True)


@pytest.mark.parametrize(
    ("source", "said"), [("no.tsv", "no such file"), (".", "this is a folder"), ("a.zip", "packed")]
)
def test_the_data_file_of_a_new_card_is_named_as_it_was_given(source: str, said: str) -> None:
    with pytest.raises(UsageError, match=f"^--from {source}: .*{said}"):
        CliRunner().invoke(cli, ["tasks", "new", "x/never-written", "--from", source], catch_exceptions=False)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{{ question }", "prompt template, line 1"),
        ("{{ questoin }}", "the template names 'questoin', which is not defined"),
    ],
)
def test_a_mistake_in_a_prompt_file_is_its_own(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "prompt.j2"
    file.write_text(text)
    arguments = ["run", "-m", "chance", "-t", "synthetic/count", "--prompt-file", str(file)]
    with pytest.raises(UsageError, match=f"^--prompt-file {file}: {said}"):
        CliRunner().invoke(cli, arguments, catch_exceptions=False)


def test_a_prompt_file_that_computes_for_ever_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(template_limits, "MOST_STEPS", 1000)
    file = tmp_path / "prompt.j2"
    file.write_text("{% for i in range(1001) %}{% endfor %}")
    arguments = ["run", "-m", "chance", "-t", "synthetic/count", "--limit", "2", "--prompt-file", str(file)]
    with pytest.raises(
        UsageError, match="task synthetic/count, --prompt-file: the template takes more than 1,000 steps"
    ):
        CliRunner().invoke(cli, [*arguments, "-o", str(tmp_path / "r")], catch_exceptions=False)


def test_an_import_whose_task_is_nearly_a_known_one_is_told_so(tmp_path: Path) -> None:
    """Ready scores need no card, so that a slip of the pen in its name would go unseen."""
    file = tmp_path / "scores.jsonl"
    file.write_text('{"id": "1", "score": 1}\n{"id": "2", "score": 0}\n')
    for name, said in (("mathvsta", "there is no card 'mathvsta' (did you mean mathvista?)"), ("my-own-quiz", "")):
        arguments = [
            "import",
            "jsonl",
            str(file),
            "-t",
            name,
            "--model",
            "m",
            "-o",
            str(tmp_path / name),
            "--no-report",
        ]
        text = CliRunner().invoke(cli, arguments, catch_exceptions=False).output
        assert said in text
        assert ("did you mean" in text) == bool(said)


def test_columns_that_mmeval_adds_are_none_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "num.json"
    file.write_text('[{"id": 1, "question": "How many?", "answer": 3, "more": 1}]')
    arguments = ["tasks", "new", "own/num", "--from", str(file), "-o", str(tmp_path / "num.yaml")]
    text = CliRunner().invoke(cli, arguments, catch_exceptions=False).output
    assert "unused more\n" in text
