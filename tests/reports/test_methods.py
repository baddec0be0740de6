"""The methods paragraph says what the runs did and nothing else; its bibliography is exactly what it cites."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from mmeval.cli.report import report
from mmeval.reports.bibliography import WORKS, Bibliography, Work, card_works
from mmeval.runs.manifest import JudgeRecord, read_manifest, write_manifest
from tests.analysis.conftest import write_run

SAMPLING = {"temperature": 0.0, "top_p": None, "top_k": None, "min_p": None, "repetition_penalty": None, "max_tokens": 1024, "stop": []}  # fmt: skip
CITATION = "Lu et al., MathVista: Evaluating Mathematical Reasoning, ICLR 2024"
HOSTILE = r"a_b}{\input{x}% $ & # ~ ^ {{ 漢"


def planted(
    folder: Path, models: tuple[str, ...] = ("one",), clusters: bool = False, repeats: int = 1, **update: Any
) -> Path:
    engine, judge, more = update.pop("engine", "vllm"), update.pop("judge", None), update.pop("manifest", {})
    rows = [
        {"model": model, "id": f"q{n}", "right": (n + place) % 3 > 0, "repeat": repeat, "cluster": f"c{n // 2}" if clusters else f"q{n}"}
        for n in range(80)
        for place, model in enumerate(models)
        for repeat in range(repeats)
    ]  # fmt: skip
    given = {"title": "MathVista", "citation": CITATION, "sampling": SAMPLING, "samples": 80, "available": 80}
    write_run(folder, rows, models, **{**given, **update})
    manifest = read_manifest(folder)
    records = [record.model_copy(update={"engine": engine, "engine_version": "0.24.0"}) for record in manifest.models]
    change = {"models": records, "repeats": repeats, "seeds": {"run": 3, "limit": 3}, "config": {"repeats": repeats}, "judge": judge, **more}  # fmt: skip
    write_manifest(folder, manifest.model_copy(update=change))
    return folder


def exported(*runs: Path, options: tuple[str, ...] = ()) -> dict[str, Any]:
    done = CliRunner().invoke(report, [*map(str, runs), "--json", *options], standalone_mode=False)
    assert done.exception is None, done.exception
    found: dict[str, Any] = json.loads(done.stdout)["methods"]
    return found


def entries(bibtex: str) -> dict[str, dict[str, str]]:
    """A strict reader: `@kind{key,`, lines of `name = {value},` with balanced braces, `}`."""
    found: dict[str, dict[str, str]] = {}
    for block in bibtex.strip().split("\n\n"):
        head, *lines, last = block.split("\n")
        kind = re.fullmatch(r"@(article|inproceedings|book|misc)\{([a-z0-9]+),", head)
        assert kind is not None, head
        assert last == "}"
        assert kind[2] not in found
        fields = {}
        for line in lines:
            field = re.fullmatch(r"  ([a-z]+) = \{(.*)\},", line)
            assert field is not None, line
            depth = 0
            for character in field[2]:
                depth += (character == "{") - (character == "}")
                assert depth >= 0, line
            assert depth == 0, line
            fields[field[1]] = field[2]
        assert "title" in fields
        found[kind[2]] = fields
    return found


def text_of(methods: dict[str, Any]) -> str:
    """The whole text, after checking that citations and entries are the same set."""
    known = set(entries(methods["bibtex"]))
    in_latex = {key for keys in re.findall(r"\\cite\{([^}]*)\}", methods["latex"]) for key in keys.split(",")}
    text = "\n".join(methods["paragraphs"])
    in_text = {key for keys in re.findall(r" \[([a-z0-9, ]+)\]", text) for key in keys.split(", ")}
    assert in_latex == known
    assert in_text == known
    return text


def test_one_model_on_independent_samples(tmp_path: Path) -> None:
    found = exported(planted(tmp_path / "run"))
    text = text_of(found)
    assert "We evaluated one with mmeval" in text
    assert "It was run with vLLM 0.24.0 [kwon2023vllm]." in text
    assert "Decoding: greedy (temperature 0), at most 1\u202f024 new tokens." in text
    assert "MathVista [lu2024mathvista] (quiz; 80 samples; metric accuracy)" in text
    assert "We report 95% intervals: Wilson score intervals" in text
    assert "[wilson1927]" in text
    for word in ("compared", "cluster", "times", "judged", "bootstrap", "Holm", "gate", "limited"):
        assert word not in text, word
    assert exported(tmp_path / "run") == found


def test_clusters_repeats_limits_and_two_models(tmp_path: Path) -> None:
    run = planted(tmp_path / "run", ("one", "two"), clusters=True, repeats=2, available=500, limit=80)
    text = text_of(exported(run))
    assert "We evaluated one and two with" in text
    assert "They were run with" in text
    assert "80 of 500 samples; 40 clusters" in text
    assert "whole clusters were drawn with seed 3" in text
    assert "Every sample was asked 2 times, with seeds derived from 3" in text
    assert "cluster-robust (CR1) standard errors" in text
    assert "[cameron2015, miller2024]" in text
    assert "Models were compared with one on the same items" in text
    assert "corrected by Holm's method over 1 comparison [holm1979]" in text
    assert "Wilson" not in text
    assert "McNemar" not in text


def test_independent_pairs_name_mcnemar_and_tango(tmp_path: Path) -> None:
    text = text_of(exported(planted(tmp_path / "run", ("one", "two"))))
    assert "by McNemar's mid-p test [mcnemar1947, fagerland2013], with Tango score intervals [tango1998]." in text


def test_a_judge_is_named_with_its_cards(tmp_path: Path) -> None:
    judge = JudgeRecord(
        name="grader", spec="vllm:/home/somebody/grader", engine="vllm", engine_version="0.24.0", identity={},
        identity_digest="5" * 64, shared_identity=True, cards={"extract-answer": "6" * 64},
    )  # fmt: skip
    text = text_of(exported(planted(tmp_path / "run", judge=judge)))
    assert "grader, run with vLLM 0.24.0 [kwon2023vllm], judged with the judge card extract-answer (digest 666666666666)." in text  # fmt: skip


def test_imported_predictions_claim_neither_engine_nor_decoding(tmp_path: Path) -> None:
    text = text_of(exported(planted(tmp_path / "run", engine="imported", sampling={})))
    assert "Predictions of one were scored with mmeval" in text
    assert "how they were generated is not part of this record" in text
    for word in ("evaluated", "vLLM", "Decoding", "asked", "greedy", "temperature"):
        assert word not in text, word


def test_a_blind_guesser_is_no_evaluated_model(tmp_path: Path) -> None:
    run = planted(tmp_path / "run", ("one", "dice"))
    manifest = read_manifest(run)
    models = [manifest.models[0], manifest.models[1].model_copy(update={"engine": "chance"})]
    write_manifest(run, manifest.model_copy(update={"models": models}))
    text = text_of(exported(run))
    assert "We evaluated one with" in text
    assert "dice guesses without looking and serves as a reference." in text
    assert "compared" not in text


def test_a_run_that_is_not_complete_is_said_to_be(tmp_path: Path) -> None:
    run = planted(tmp_path / "run", manifest={"status": "interrupted"})
    assert "Run run was not complete." in text_of(exported(run))


def test_hostile_names_stay_words_in_every_form(tmp_path: Path) -> None:
    run = planted(
        tmp_path / "run", (HOSTILE,), title=HOSTILE, citation=f"{HOSTILE} et al., {HOSTILE}, X 2024; {HOSTILE}"
    )
    found = exported(run)
    fields = entries(found["bibtex"])
    assert r"\input{" not in found["latex"] + found["bibtex"]
    assert any(r"\textbackslash{}input" in one["title"] for one in fields.values())
    done = CliRunner().invoke(report, [str(run), "--latex", str(tmp_path / "tex")], standalone_mode=False)
    assert done.exception is None
    assert (tmp_path / "tex" / "methods.tex").read_text() == found["latex"]
    assert (tmp_path / "tex" / "references.bib").read_text() == found["bibtex"]
    document = (tmp_path / "tex" / "report.tex").read_text()
    assert r"\input{methods}" in document
    assert r"\bibliography{references}" in document
    printed = CliRunner().invoke(report, [str(run), "--markdown"], standalone_mode=False).stdout
    assert printed.count("~~~~") == 2


@pytest.mark.parametrize(
    ("citation", "fields"),
    [
        (CITATION, {"author": "Lu and others", "howpublished": "ICLR", "year": "2024", "title": "MathVista: Evaluating Mathematical Reasoning"}),
        ("Wu and Xie, V*: Guided Visual Search, CVPR 2024", {"author": "Wu and Xie", "howpublished": "CVPR", "year": "2024"}),
        ("Yasunaga et al., Multimodal RewardBench, 2025", {"author": "Yasunaga and others", "title": "Multimodal RewardBench", "year": "2025"}),
        ("Maji et al., Fine-Grained Classification, arXiv:1306.5151", {"author": "Maji and others", "eprint": "1306.5151"}),
        ("Masry et al., ChartQA: A Benchmark, Findings of ACL 2022", {"author": "Masry and others", "howpublished": "Findings of ACL", "year": "2022"}),
        ("questions of Beyer et al., PaliGemma, 2024", {"title": "questions of Beyer et al., PaliGemma, 2024"}),
        ("xAI, RealWorldQA, 2024", {"title": "xAI, RealWorldQA, 2024"}),
        ("Chen et al., SFT or RL?, TMLR; a/b @a2c9678", {"title": "Chen et al., SFT or RL?, TMLR"}),
    ],
)  # fmt: skip
def test_cards_are_cited_by_their_own_words(citation: str, fields: dict[str, str]) -> None:
    (work,) = card_works(citation, "title", {})
    found = dict(work.fields)
    assert {name: found[name] for name in fields} == fields
    for name in ("author", "year"):
        assert name in fields or name not in found


def test_several_works_and_the_address_of_a_hub_data_set() -> None:
    first, second = card_works("Liu et al., Visual-RFT, ICCV 2025; Lin et al., COCO, ECCV 2014", "t", {"kind": "hub", "id": "a/b"})  # fmt: skip
    assert dict(first.fields)["url"] == "https://huggingface.co/datasets/a/b"
    assert "url" not in dict(second.fields)
    (plain,) = card_works("", "LRW lip reading", {"kind": "hub", "id": "a/b"})
    assert set(dict(plain.fields)) == {"key", "title", "url"}


def test_keys_of_different_works_never_meet() -> None:
    books = Bibliography()
    works = [Work("wilson1927", "misc", (("title", "another"),)), Work("x", "misc", (("title", "a"),)), Work("x", "misc", (("title", "b"),))]  # fmt: skip
    keys = [books.add(work) for work in works] + [books.method("wilson1927"), books.add(works[1])]
    assert keys == ["wilson1927b", "x", "xb", "wilson1927", "x"]
    assert set(entries(books.bibtex())) == {"wilson1927b", "x", "xb", "wilson1927"}


def test_every_known_work_is_a_sound_entry() -> None:
    for key, work in WORKS.items():
        fields = entries(work.bibtex())[key]
        assert "year" in fields or key == "mmeval"


def test_the_page_has_text_latex_and_bibtex_to_select_and_copy(tmp_path: Path) -> None:
    run = planted(tmp_path / "run")
    done = CliRunner().invoke(report, [str(run), "-o", str(tmp_path / "a.html")], standalone_mode=False)
    assert done.exception is None
    page = (tmp_path / "a.html").read_text()
    for name in ("methods-text", "methods-latex", "methods-bibtex"):
        assert f'id="{name}"' in page
        assert f'data-copy="{name}" hidden' in page
    assert r"vLLM 0.24.0~\cite{kwon2023vllm}" in page
    assert "@inproceedings{kwon2023vllm," in page
