"""Comparing two runs: the numbers, and what must not be compared."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmeval.analysis.comparison import ComparisonOptions, compare_runs, report_json
from mmeval.analysis.pairing import PairingOptions, open_sides
from mmeval.cli.main import cli
from mmeval.core.errors import ComparisonError, DataError, UsageError
from mmeval.reports import comparison_tables as tables
from mmeval.reports.escapes import latex_text
from mmeval.runs.manifest import SEARCHING, read_manifest, write_manifest
from tests.analysis.conftest import pair_of, quiz, write_run

EXPECTED = json.loads((Path(__file__).parents[1] / "data" / "mcnemar_expected.json").read_text())["pairs"]


def compared(*runs: str, pairing: PairingOptions | None = None, **options: Any) -> dict[str, Any]:
    """`compare --json` of runs, round-tripped through strict JSON."""
    settings = ComparisonOptions(pairing or PairingOptions(), **options)
    return orjson.loads(orjson.dumps(report_json(compare_runs(open_sides(runs), settings))))


def only(*runs: str, **more: Any) -> dict[str, Any]:
    (found,) = compared(*runs, **more)["comparisons"]
    return found


class TestNumbers:
    @pytest.mark.parametrize("pair", EXPECTED, ids=lambda pair: pair["name"])
    def test_published_pairs(self, pair: dict[str, Any], make_run: Callable[..., str]) -> None:
        """Model A is the candidate and B the baseline: the file's difference is A - B."""
        base, candidate = pair_of(pair["n11"], pair["n01"], pair["n10"], pair["n00"])
        found = only(make_run("b", base), make_run("a", candidate), independent=True)
        assert found["n"] == pair["n"]
        assert found["delta"] == pytest.approx(pair["diff"], abs=1e-12)
        assert (found["base"], found["candidate"]) == pytest.approx((pair["acc_B"], pair["acc_A"]))
        assert found["p_exact"] == pytest.approx(pair["exact_p"], rel=1e-9)
        assert found["p_asymptotic"] == pytest.approx(pair["chi2_p"], rel=1e-9)
        mid_p = pair["midp_fagerland_if_equal"] or pair["midp"]
        assert found["p_midp"] == found["p"] == pytest.approx(mid_p, rel=1e-9)
        assert found["test"] == "mcnemar-midp"
        assert found["ci"][0] <= found["delta"] <= found["ci"][1]
        assert (len(found["lost"]), len(found["gained"])) == (pair["n01"], pair["n10"])

    @pytest.mark.parametrize(("losses", "gains", "p"), [(1, 5, 0.22), (2, 4, 0.69), (2, 10, 0.04)])
    def test_perception_r1(self, losses: int, gains: int, p: float, make_run: Callable[..., str]) -> None:
        """The exact p-values that Perception-R1 prints."""
        base, candidate = pair_of(10, losses, gains, 20)
        assert round(only(make_run("a", base), make_run("b", candidate))["p_exact"], 2) == p

    def test_clusters_are_respected_without_being_asked(self, make_run: Callable[..., str]) -> None:
        base, candidate = pair_of(100, 10, 40, 50)
        for rows in (base, candidate):
            for number, row in enumerate(rows):
                row["cluster"] = f"image-{number // 5}"
        runs = make_run("a", base), make_run("b", candidate)
        clustered, independent = only(*runs), only(*runs, independent=True)
        assert (clustered["n"], clustered["clusters"]) == (200, 40)
        assert clustered["test"] == "cr1-t"
        assert clustered["p_midp"] == independent["p"]
        assert clustered["p"] > independent["p"]
        assert clustered["mde"] > independent["mde"]

    def test_one_cluster_promises_no_power(self, make_run: Callable[..., str]) -> None:
        base, candidate = ([{**row, "cluster": "one"} for row in rows] for rows in pair_of(6, 3, 4, 7))
        runs = make_run("a", base), make_run("b", candidate)
        found = only(*runs)
        assert (found["p"], found["ci"], found["mde"]) == (1.0, None, None)
        assert only(*runs, independent=True)["mde"] > 0

    def test_repeats_are_averaged_and_give_no_table(self, make_run: Callable[..., str]) -> None:
        def rows(*shares: float) -> list[dict[str, Any]]:
            return [
                {"id": f"q{n}", "right": repeat < share * 4, "repeat": repeat}
                for n, share in enumerate(shares)
                for repeat in range(4)
            ]

        found = only(make_run("a", rows(0.5, 0.25, 0)), make_run("b", rows(1, 0.5, 0.25)))
        assert found["table"] is None
        assert (found["base"], found["candidate"], found["n"]) == (0.25, pytest.approx(1.75 / 3), 3)

    def test_subsets_are_adjusted_as_a_family_of_their_own(self, make_run: Callable[..., str]) -> None:
        base, candidate = pair_of(40, 2, 14, 44)
        for rows in (base, candidate):
            for number, row in enumerate(rows):
                row["subsets"] = {"topic": "even" if number % 2 == 0 else "odd"}
        found = compared(make_run("a", base), make_run("b", candidate), by=("topic",))["comparisons"]
        assert [one["subset"] for one in found] == [None, ["topic", "even"], ["topic", "odd"]]
        assert [one["adjust"] for one in found] == ["holm", "benjamini-hochberg", "benjamini-hochberg"]
        assert sum(one["n"] for one in found[1:]) == found[0]["n"]

    def test_several_models_are_ranked(self, make_run: Callable[..., str]) -> None:
        runs = [
            make_run(name, quiz(*(number < right for number in range(200))))
            for name, right in (("low", 60), ("middle", 100), ("high", 104))
        ]
        (ranking,) = compared(*runs)["rankings"]
        assert [model["model"] for model in ranking["models"]] == ["high", "middle", "low"]
        assert ranking["groups"] == [["high", "middle"], ["low"]]
        assert ranking["overall"]["test"] == "cochran-q"
        assert ranking["overall"]["p"] < 1e-6

    def test_of_errors_fewer_are_better(self, make_run: Callable[..., str]) -> None:
        """WER: the model with the fewest errors leads and is bold."""
        runs = []
        for name, errors in (("many", 6), ("few", 2), ("most", 9)):
            rows = [
                {
                    "id": f"q{n}",
                    "score": 0.0,
                    "scores": {"word_errors": float((n + errors) % 10 < errors), "words": 1.0},
                }
                for n in range(100)
            ]
            runs.append(make_run(name, rows, metrics=["wer"]))
        report = compare_runs(open_sides(runs), ComparisonOptions())
        (ranking,) = report.rankings
        assert ranking.models == ("few", "many", "most")
        assert ranking.groups == (("few",), ("many",), ("most",))
        few, most = report.comparisons
        assert (few.delta, most.delta) == (pytest.approx(-0.4), pytest.approx(0.3))
        written = tables.latex(report)
        assert [line.split(" & ")[0] for line in written.splitlines() if "textbf" in line] == ["few"]

    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        cells=st.tuples(*[st.integers(0, 6)] * 4).filter(lambda cells: sum(cells) > 0),
        size=st.integers(1, 4),
    )
    def test_never_a_nan_and_symmetric(
        self, cells: tuple[int, int, int, int], size: int, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        base, candidate = pair_of(*cells)
        for rows in (base, candidate):
            for number, row in enumerate(rows):
                row["cluster"] = f"c{number // size}"
        folder = tmp_path_factory.mktemp("runs")
        runs = write_run(folder / "a", base), write_run(folder / "b", candidate, models=("other",))
        there, back = only(*runs), only(*reversed(runs))
        assert 0 <= there["p"] <= 1
        assert there["p"] == pytest.approx(back["p"])
        assert there["delta"] == pytest.approx(-back["delta"])
        assert there["ci"] is None or all(math.isfinite(bound) for bound in there["ci"])


class TestRefusals:
    def test_other_items(self, make_run: Callable[..., str]) -> None:
        runs = make_run("a", quiz(1, 0, 1)), make_run("b", quiz(1, 0, 1, 1))
        with pytest.raises(ComparisonError, match="0 in a only, 1 in b only, 3 in both"):
            compared(*runs)
        found = only(*runs, pairing=PairingOptions(allow_missing=True))
        assert (found["n"], found["coverage"]) == (3, 0.75)
        assert "1 of 4 items" in found["notes"][0]

    def test_changed_items(self, make_run: Callable[..., str]) -> None:
        changed = quiz(1, 0)
        changed[1]["item_hash"] = "f" * 64
        with pytest.raises(ComparisonError, match="1 of them have the same id but another content"):
            compared(make_run("a", quiz(1, 0)), make_run("b", changed))

    def test_nothing_in_common_is_refused_even_when_missing_is_allowed(self, make_run: Callable[..., str]) -> None:
        other = [{"id": "z", "right": 1}]
        with pytest.raises(ComparisonError, match="items differ"):
            compared(make_run("a", quiz(1)), make_run("b", other), pairing=PairingOptions(allow_missing=True))

    def test_another_way_of_asking(self, make_run: Callable[..., str]) -> None:
        runs = make_run("a", quiz(1, 0)), make_run("b", quiz(1, 0), ask_digest="9" * 64)
        with pytest.raises(ComparisonError, match="asked in different ways"):
            compared(*runs)
        assert only(*runs, pairing=PairingOptions(allow_protocol=True))["n"] == 2

    def test_another_protocol(self, make_run: Callable[..., str]) -> None:
        with pytest.raises(ComparisonError, match="protocol default on one side, strict"):
            compared(make_run("a", quiz(1, 0)), make_run("b", quiz(1, 0), protocol="strict"))

    def test_rows_without_a_score(self, make_run: Callable[..., str]) -> None:
        broken = quiz(1, 0, 1)
        broken[2] |= {"outcome": "error", "right": None, "status": "error", "response": None}
        runs = make_run("a", quiz(1, 0, 1)), make_run("b", broken)
        with pytest.raises(ComparisonError, match="1 items have no score"):
            compared(*runs)
        assert only(*runs, pairing=PairingOptions(allow_missing=True))["n"] == 2

    def test_repeats_without_a_score_are_counted_in_a_note(self, make_run: Callable[..., str]) -> None:
        asked = [{**one, "repeat": repeat} for one in quiz(1, 0, 1) for repeat in range(3)]
        broken = [dict(row) for row in asked]
        for place in (0, 1, 5):
            broken[place] |= {"outcome": "error", "right": None, "status": "error", "response": None}
        found = only(make_run("a", asked), make_run("b", broken))
        assert (found["n"], found["coverage"]) == (3, 1.0)
        said = "3 answers to 2 items failed or have no verdict: these items count by their other repeats"
        assert said in found["notes"]
        assert said not in only(make_run("c", asked), make_run("d", asked))["notes"]

    def test_scores_beyond_measure(self, make_run: Callable[..., str]) -> None:
        rows = [{"id": f"q{n}", "score": 1e300 * n} for n in range(3)]
        with pytest.raises(DataError, match=r"sample 'q1': score is 1e\+300, beyond 1e\+100"):
            compared(make_run("a", rows, metrics=["mean"]), make_run("b", rows, metrics=["mean"]))

    def test_one_item_twice(self, make_run: Callable[..., str]) -> None:
        twice = quiz(1, 0)
        twice[1]["item_hash"] = twice[0].get("item_hash", "a" * 64)
        twice[0]["item_hash"] = twice[1]["item_hash"]
        with pytest.raises(ComparisonError, match="are the same item"):
            compared(make_run("a", twice), make_run("b", twice))

    def test_a_task_on_one_side_only(self, make_run: Callable[..., str]) -> None:
        with pytest.raises(ComparisonError, match="task quiz is in a only"):
            compared(make_run("a", quiz(1)), make_run("b", quiz(1), name="other"))

    def test_several_models_must_be_told_apart(self, tmp_path: Path) -> None:
        folder = write_run(tmp_path / "r", quiz(1, 0), models=("one", "two"))
        with pytest.raises(UsageError, match="holds 2 models") as caught:
            open_sides([folder])
        assert f"{folder}#two" in caught.value.remedy

    def test_a_run_with_itself(self, make_run: Callable[..., str]) -> None:
        run = make_run("a", quiz(1))
        with pytest.raises(UsageError, match="given twice"):
            open_sides([run, run])

    def test_unknown_names(self, make_run: Callable[..., str], tmp_path: Path) -> None:
        runs = make_run("a", quiz(1)), make_run("b", quiz(0))
        with pytest.raises(UsageError, match="quiz"):
            compared(*runs, pairing=PairingOptions(tasks=("quis",)))
        with pytest.raises(UsageError, match="subset column"):
            compared(*runs, by=("nothing",))
        with pytest.raises(DataError, match="is not a run folder"):
            open_sides([str(tmp_path / "nowhere"), runs[0]])


def test_another_way_of_scoring_scores_both_sides_again(tmp_path: Path) -> None:
    """The stored verdicts are wrong on purpose; the responses decide."""
    answers = {"a": ["3", "4", "7"], "b": ["3", "5", "6"]}
    runs = []
    for name, texts in answers.items():
        rows = [
            {"id": f"q{n}", "right": False, "response": text, "target": target}
            for n, (text, target) in enumerate(zip(texts, ("3", "5", "6"), strict=True))
        ]
        digests = {"name": "synthetic/count", "score_digest": name * 64}
        runs.append(write_run(tmp_path / name, rows, models=(name,), **digests))
    found = only(*runs)
    assert (found["rescored"], found["base"], found["candidate"]) == (6, pytest.approx(1 / 3), 1.0)
    assert "6 rows of both sides were scored again" in found["notes"][0]


def test_scoring_again_needs_the_card(make_run: Callable[..., str]) -> None:
    with pytest.raises(ComparisonError, match="cannot be scored again"):
        compared(make_run("a", quiz(1, 0)), make_run("b", quiz(1, 0), score_digest="9" * 64))


class TestForms:
    @pytest.fixture
    def runs(self, make_run: Callable[..., str]) -> tuple[str, str]:
        base, candidate = pair_of(40, 5, 30, 25)
        return make_run("base_model", base), make_run("candidate", candidate)

    def test_all_forms_show_the_same_numbers(self, runs: tuple[str, str]) -> None:
        report = compare_runs(open_sides(runs), ComparisonOptions())
        data = report_json(report)["comparisons"][0]
        (row,) = csv.DictReader(io.StringIO(tables.csv_text(report)))
        assert (float(row["delta"]), float(row["p"])) == (data["delta"], data["p"])
        assert [float(row["ci_low"]), float(row["ci_high"])] == data["ci"]
        for key in ("p_midp", "p_exact", "p_asymptotic", "p_adjusted", "mde"):
            assert float(row[key]) == data[key]
        assert row["test"] == data["test"] == "mcnemar-midp"
        assert [int(row[key]) for key in ("both_right", "lost", "gained", "both_wrong")] == [40, 5, 30, 25]
        written = tables.markdown(report)
        for cell in tables.cells(report.comparisons[0])[3:]:
            assert f" {cell} |".replace("<", "\\<") in written
        assert r"base\_model" in written
        second = tables.latex(report).split(r"\begin{tabular}")[2]
        for cell in tables.cells(report.comparisons[0])[3:]:
            assert f" {latex_text(cell)} " in second

    def test_latex_marks_what_is_shown_and_nothing_else(
        self, runs: tuple[str, str], make_run: Callable[..., str]
    ) -> None:
        better = tables.latex(compare_runs(open_sides(runs), ComparisonOptions()))
        assert r"\textbf{70.0}" in better
        assert r"base\_model & 45.0 \\" in better
        assert r"\toprule" in better
        base, candidate = pair_of(40, 5, 6, 25)
        close = make_run("x", base), make_run("y", candidate)
        assert r"60.5$^\dagger$" in tables.latex(compare_runs(open_sides(close), ComparisonOptions()))

    def test_commands(self, runs: tuple[str, str], make_run: Callable[..., str]) -> None:
        first = CliRunner().invoke(cli, ["compare", *runs, "--json"])
        again = CliRunner().invoke(cli, ["compare", *runs, "--json"])
        assert first.stdout_bytes == again.stdout_bytes
        assert json.loads(first.stdout)["schema"] == 1
        shown = CliRunner().invoke(cli, ["compare", *runs, "--flips"])
        assert "lost 5: q40, q41" in shown.stdout
        assert "+25.0" in shown.stdout
        assert shown.stderr == "compare: 1 comparison, 1 significant\n"


class TestFlips:
    def test_lists_say_how_many_there_are(self, make_run: Callable[..., str]) -> None:
        base, candidate = pair_of(10, 14, 0, 20)
        runs = [make_run("b_1", base), make_run("c", candidate)]
        text = CliRunner().invoke(cli, ["compare", *runs, "--flips"], catch_exceptions=False).output
        assert "quiz: lost 14: " in text
        assert "… and 4 more (--json has all)" in text
        assert "quiz: gained 0\n" in text
        document = CliRunner().invoke(cli, ["compare", *runs, "--flips", "--markdown"], catch_exceptions=False).output
        assert "quiz: lost 14: " in document
        plain = CliRunner().invoke(cli, ["compare", *runs, "--markdown"], catch_exceptions=False).output
        assert "lost 14: " not in plain

    @pytest.mark.parametrize("form", ["--csv", "--latex"])
    def test_forms_without_a_place_for_them_refuse(self, form: str) -> None:
        with pytest.raises(UsageError, match=f"--flips: {form} has no place"):
            CliRunner().invoke(cli, ["compare", "a", "b", "--flips", form], catch_exceptions=False)


def test_two_retrievers_are_named(make_run: Callable[..., str]) -> None:
    runs = [make_run("b", quiz(*[1, 0] * 20)), make_run("c", quiz(*[1, 1] * 20))]
    for run, host in zip(runs, ("one", "two"), strict=True):
        note = f"other@x, quiz@default{SEARCHING}http://{host}/search"
        write_manifest(Path(run), read_manifest(Path(run)).model_copy(update={"notes": [note]}))
    (note,) = only(*runs)["notes"]
    assert note == "pages came from two retrievers (http://one/search, http://two/search): the difference may be theirs"
    assert only(runs[0], make_run("d", quiz(*[1, 1] * 20)))["notes"] == []
