"""A judge against human labels."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mmeval.analysis
from mmeval.analysis.judge_calibration import CalibrationOptions, calibrate_judge
from mmeval.analysis.judge_correction import corrections
from mmeval.analysis.judge_labels import Judged, fraction, read_labels
from mmeval.analysis.judge_record import JudgeCalibration, calibration_schema, load_judge_calibration
from mmeval.core.errors import ComparisonError, DataError, UsageError
from mmeval.runs.folder import open_run
from mmeval.stats.debiasing import JudgedSample, ppi_mean
from mmeval.stats.intervals import wilson
from mmeval.stats.resampling import BootstrapPlan
from mmeval.verifiers.judge_files import load_judge

QUICK = BootstrapPlan(resamples=200)


def csv_file(path: Path, *rows: str, head: str = "id,human") -> Path:
    path.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    return path


def calibration(labels: Path, run: str | None = None, **options: Any) -> JudgeCalibration:
    chosen = CalibrationOptions(plan=options.pop("plan", QUICK), **options)
    return calibrate_judge("strict", labels, None if run is None else open_run(run), chosen)


def judged(verdicts: list[Any], **columns: Any) -> list[dict[str, Any]]:
    return [{"id": f"q{number}", "right": right, **columns} for number, right in enumerate(verdicts)]


def test_rates_of_a_binary_judge(make_run: Callable[..., str], tmp_path: Path) -> None:
    # 20 both right, 5 right by the judge alone, 3 by the human alone, 12 both wrong; 60 without a label.
    human = [1] * 20 + [0] * 5 + [1] * 3 + [0] * 12
    said = [1] * 25 + [0] * 15
    run = make_run("m", judged(said + [1] * 40 + [0] * 20))
    found = calibration(csv_file(tmp_path / "l.csv", *(f"q{n},{value}" for n, value in enumerate(human))), run)
    quality = found.overall
    assert quality.counts is not None
    assert quality.counts.model_dump() == {"both_right": 20, "judge_only": 5, "human_only": 3, "both_wrong": 12}
    for name, (hits, total) in {
        "sensitivity": (20, 23), "specificity": (12, 17), "ppv": (20, 25), "npv": (12, 15), "human-rate": (23, 40),
    }.items():  # fmt: skip
        expected, one = wilson(hits, total), quality.find(name)
        assert expected is not None
        assert (one.value, one.low, one.high, one.n) == (hits / total, expected.low, expected.high, total)
    assert quality.find("raw").value == 0.8
    assert quality.find("bias").value == pytest.approx(0.05)
    assert {"cohen-kappa", "gwet-ac1"} < {one.name for one in quality.figures}
    assert (found.scale, found.column, found.labels.labels, found.corrections) == ("binary", "correct", 40, [])
    assert found.run is not None
    assert found.run.decided_by == {"choice/1": 40}


def test_ppi_is_that_of_stats(make_run: Callable[..., str], tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    truth = (generator.random(400) < 0.6).astype(int)
    said = np.where(generator.random(400) < 0.85, truth, 1 - truth)
    run = make_run("m", judged(said.tolist()))
    labels = csv_file(tmp_path / "l.csv", *(f"q{n},{truth[n]}" for n in range(100)))
    found = calibration(labels, run, correction="ppi")
    (one,) = found.corrections
    expected = ppi_mean(JudgedSample(truth[:100], said[:100], said[100:]))
    assert expected.interval is not None
    assert one.corrected.value == pytest.approx(expected.estimate)
    assert (one.corrected.low, one.corrected.high) == pytest.approx((expected.interval.low, expected.interval.high))
    assert (one.labelled, one.unlabelled, one.raw.value) == (100, 300, said.mean())
    assert one.raw.low is not None
    assert "random sample" in found.notes[0]
    lee = calibration(labels, run, correction="rogan-gladen").corrections[0]
    assert lee.corrected.low is not None
    assert lee.corrected.high is not None
    assert lee.corrected.low < truth[100:].mean() < lee.corrected.high
    assert lee.corrected.method == "rogan-gladen-smoothed"


@pytest.mark.parametrize("method", ["ppi", "rogan-gladen"])
def test_clusters_widen_corrections(make_run: Callable[..., str], tmp_path: Path, method: Any) -> None:
    generator = np.random.default_rng(1)
    scene = generator.random(80) < 0.5
    truth = np.repeat(scene, 10).astype(int)
    said = np.where(generator.random(800) < 0.9, truth, 1 - truth)
    labels = csv_file(tmp_path / "l.csv", *(f"q{n},{truth[n]}" for n in range(200)))
    widths = []
    for name, size in (("plain", 1), ("images", 10)):
        rows = [row | {"cluster": f"image {n // size}"} for n, row in enumerate(judged(said.tolist()))]
        one = calibration(labels, make_run(name, rows), correction=method).corrections[0]
        assert one.corrected.high is not None
        assert one.corrected.low is not None
        widths.append(one.corrected.high - one.corrected.low)
        assert one.clusters == 800 // size
    assert widths[1] > 1.5 * widths[0]


def test_models_are_corrected_by_their_own_labels(make_run: Callable[..., str], tmp_path: Path) -> None:
    # The judge is right about x and calls everything of y right.
    truth = [n % 2 for n in range(40)]
    rows = [row | {"model": "x"} for row in judged(truth)] + [row | {"model": "y"} for row in judged([1] * 40)]
    run = make_run("m", rows, models=("x", "y"))
    labels = csv_file(
        tmp_path / "l.csv", *(f"q{n},{m},{truth[n]}" for m in ("x", "y") for n in range(20)), head="id,model,human"
    )
    found = calibration(labels, run, correction="ppi")
    assert [group.group for group in found.groups] == [{"model": "x"}, {"model": "y"}]
    assert [one.corrected.value for one in found.corrections] == pytest.approx([0.5, 0.5])
    assert [one.raw.value for one in found.corrections] == [0.5, 1.0]
    assert found.groups[1].find("specificity").value == 0.0
    only = calibration(labels, f"{run}#x", correction="ppi", allow_missing=True)
    assert only.labels.left_out == {"no such row in the run": 20}
    with pytest.raises(ComparisonError, match=r"20 labels have no row, the first is 'q0' \(model y\)"):
        calibration(labels, f"{run}#x")
    unnamed = csv_file(tmp_path / "u.csv", "q0,1")
    with pytest.raises(DataError, match=r"2 rows of .* answer 'q0'\n.*add the column model"):
        calibration(unnamed, run)


def test_a_model_without_labels_is_not_corrected(make_run: Callable[..., str], tmp_path: Path) -> None:
    rows = [row | {"model": model} for model in ("x", "y") for row in judged([1, 0] * 10)]
    labels = csv_file(tmp_path / "l.csv", *(f"q{n},x,{n % 2}" for n in range(10)), head="id,model,human")
    run = make_run("m", rows, models=("x", "y"))
    for method in ("ppi", "rogan-gladen"):
        other = calibration(labels, run, correction=method).corrections[1]
        assert (other.model, other.labelled, other.corrected.value) == ("y", 0, None)
        assert other.corrected.note
        assert other.raw.value == 0.5


def test_labels_that_are_no_random_sample_are_noticed(make_run: Callable[..., str], tmp_path: Path) -> None:
    said = [1] * 45 + [0] * 5 + [0] * 150
    truth = [1] * 40 + [0] * 10
    labels = csv_file(tmp_path / "l.csv", *(f"q{n},{value}" for n, value in enumerate(truth)))
    one = calibration(labels, make_run("m", judged(said)), correction="ppi").corrections[0]
    assert "hardly a random sample" in one.corrected.note


def test_grades_and_a_file_with_both_verdicts(tmp_path: Path) -> None:
    path = tmp_path / "both.jsonl"
    rows = [{"sample_id": n, "human": n % 5 / 4, "judge": min(1.0, n % 5 / 4 + 0.25 * (n % 3 == 0))} for n in range(60)]
    rows += [{"sample_id": 100 + n, "human": None, "judge": 0.5} for n in range(40)]
    rows += [{"sample_id": 200, "human": 1}]
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    found = calibration(path, correction="ppi")
    assert (found.scale, found.run, found.overall.counts, found.overall.n) == ("graded", None, None, 60)
    assert found.labels.left_out == {"without a verdict of the judge": 1}
    names = [one.name for one in found.overall.figures]
    assert {"pearson", "spearman", "cohen-kappa-quadratic", "bias", "mean-absolute-difference"} < set(names)
    bias = np.mean([row["judge"] - row["human"] for row in rows[:60]])
    assert found.overall.find("bias").value == pytest.approx(bias)
    assert (found.corrections[0].labelled, found.corrections[0].unlabelled) == (60, 40)
    with pytest.raises(UsageError, match="grades"):
        calibration(path, correction="rogan-gladen")
    with pytest.raises(UsageError, match="--column"):
        calibration(path, column="score")


def test_grades_of_a_run(make_run: Callable[..., str], tmp_path: Path) -> None:
    run = make_run("m", [{"id": f"q{n}", "score": n / 10, "correct": n > 5} for n in range(10)])
    labels = csv_file(tmp_path / "l.csv", *(f"q{n},{n / 10}" for n in range(10)))
    assert calibration(labels, run).overall.find("bias").value == 0.0
    coarse = csv_file(tmp_path / "c.csv", *(f"q{n},{n > 4}" for n in range(10)))
    assert calibration(coarse, run).overall.find("raw").value == 0.9
    graded = calibration(coarse, run, column="score")
    assert graded.scale == "graded"
    assert "compared as grades" in graded.notes[0]
    points = make_run("points", [{"id": f"q{n}", "score": 10.0 * n} for n in range(10)])
    with pytest.raises(DataError, match=r"sample 'q1': score of the judge: 10.0 is outside \[0, 1\]"):
        calibration(labels, points)


@pytest.mark.parametrize(
    ("rows", "head", "message"),
    [
        (["q0,1", "q1,0", "q0,1"], "id,human", r"row 3: the answer to 'q0' is labelled at .*row 1 too"),
        (["q0,1", "q1,1"], "id,human", "all 2 human labels that count are 1"),
        (["q0,85", "q1,0"], "id,human", r"'human': 85 is outside \[0, 1\]\n.*85 % is 0.85: give fractions"),
        (["q0,85%", "q1,0"], "id,human", r"85% is outside"),
        (["q0,-1", "q1,0"], "id,human", r"-1 is outside"),
        (["q0,nan", "q1,0"], "id,human", "nan is no verdict\n.*leave the cell empty"),
        (["q0,inf", "q1,0"], "id,human", "inf is outside"),
        (["q0,good", "q1,0"], "id,human", "'good' is no verdict"),
        ([",1"], "id,human", "row 1: no id"),
        (["q0,1"], "id,humans", "column 'human' is missing\n.*is 'humans' meant"),
        (["q0,", "q1,"], "id,human", "empty in every row"),
        ([], "id,human", "no labels"),
        (["q0,q1,1"], "id,sample_id,human", "column 'id' and column 'sample_id' differ"),
        (["q0,1,x"], "id,human,repeat", "column 'repeat': 'x' is no count"),
    ],
)
def test_label_files_that_cannot_be_used(
    make_run: Callable[..., str], tmp_path: Path, rows: list[str], head: str, message: str
) -> None:
    run = make_run("m", judged([1, 0, 1]))
    with pytest.raises(DataError, match=message) as caught:
        calibration(csv_file(tmp_path / "labels.csv", *rows, head=head), run)
    assert "labels.csv" in str(caught.value)
    assert caught.value.exit_code == 2


def test_labels_that_do_not_fit_the_run(make_run: Callable[..., str], tmp_path: Path) -> None:
    rows = judged([1, 0, 1, 0])
    rows[3] |= {"outcome": "unscored", "right": None}
    run = make_run("m", rows)
    strangers = csv_file(tmp_path / "s.csv", "q0,1", "q1,0", "q99,1")
    with pytest.raises(ComparisonError, match=r"1 labels have no row, the first is 'q99' at .*row 3\n.*'q") as caught:
        calibration(strangers, run)
    assert caught.value.exit_code == 5
    assert calibration(strangers, run, allow_missing=True).labels.left_out == {"no such row in the run": 1}
    with pytest.raises(ComparisonError, match="no label fits"):
        calibration(csv_file(tmp_path / "n.csv", "x,1", "y,0"), run, allow_missing=True)
    with pytest.raises(ComparisonError, match=r"1 of 3 labelled rows of .* have no verdict"):
        calibration(csv_file(tmp_path / "v.csv", "q0,1", "q1,0", "q3,1"), run)
    stale = csv_file(tmp_path / "r.csv", "q0,1,text", "q1,0,text", "q2,1,other", head="id,human,response")
    with pytest.raises(ComparisonError, match="1 labels are about another response, the first is 'q2'"):
        calibration(stale, run)
    assert calibration(stale, run, allow_missing=True).labels.left_out == {"about another response": 1}


def test_two_labels_of_one_row_by_different_names(make_run: Callable[..., str], tmp_path: Path) -> None:
    labels = csv_file(tmp_path / "l.csv", "q0,quiz,1", "q0,,0", head="id,task,human")
    with pytest.raises(DataError, match=r"row 2: the answer to 'q0' is labelled at .*row 1 too"):
        calibration(labels, make_run("m", judged([1, 0])))


def test_subsets_and_unknown_columns(make_run: Callable[..., str], tmp_path: Path) -> None:
    rows = [row | {"subsets": {"kind": "a" if n < 12 else "b"}} for n, row in enumerate(judged([1, 0] * 10))]
    labels = csv_file(tmp_path / "l.csv", *(f"q{n},{n % 2}" for n in range(20)))
    found = calibration(labels, make_run("m", rows), by=("kind",))
    assert [(group.group, group.n) for group in found.groups] == [({"kind": "a"}, 12), ({"kind": "b"}, 8)]
    with pytest.raises(UsageError, match="unknown subset column"):
        calibration(labels, str(tmp_path / "m"), by=("colour",))
    with pytest.raises(UsageError, match="unknown task"):
        calibration(labels, str(tmp_path / "m"), tasks=("other",))


def test_calibration_file_is_read_back_and_follows_its_schema(make_run: Callable[..., str], tmp_path: Path) -> None:
    labels = csv_file(tmp_path / "l.csv", *(f"q{n},{n % 2}" for n in range(20)))
    found = calibration(labels, make_run("m", judged([1, 0] * 20)), correction="ppi")
    path = tmp_path / "c.json"
    path.write_text(found.model_dump_json(), encoding="utf-8")
    assert load_judge_calibration(path) == found
    assert str(tmp_path) not in path.read_text(encoding="utf-8")
    stored = Path(str(mmeval.analysis.__file__)).with_name("judge_calibration.schema.json").read_text(encoding="utf-8")
    assert json.loads(stored) == calibration_schema()
    for content, message in (("{}", "key judge"), ("nonsense", "not JSON")):
        path.write_text(content, encoding="utf-8")
        with pytest.raises(DataError, match=message):
            load_judge_calibration(path)
    with pytest.raises(DataError, match="cannot read"):
        load_judge_calibration(tmp_path / "none.json")


def test_a_calibration_says_which_judge_card_it_is_about(make_run: Callable[..., str], tmp_path: Path) -> None:
    run = open_run(make_run("m", judged([1, 0] * 10)))
    labels = csv_file(tmp_path / "l.csv", *(f"q{n},{n % 2}" for n in range(20)))
    found = calibrate_judge("equivalence", labels, run, CalibrationOptions(plan=QUICK))
    card = load_judge("equivalence")
    assert found.card is not None
    assert (found.card.version, found.card.digest, found.notes) == (card.version, card.digest, [])
    other = calibrate_judge("my-own", labels, run, CalibrationOptions(plan=QUICK))
    assert other.card is None
    assert "no judge card is named my-own" in other.notes[0]
    with pytest.raises(UsageError, match="needs a name"):
        calibrate_judge(" ", labels, run, CalibrationOptions())


@pytest.mark.parametrize(
    ("value", "expected"),
    [(1, 1.0), (True, 1.0), (" TRUE ", 1.0), ("false", 0.0), ("0.25", 0.25), (0.5, 0.5), (None, None), ("", None)],
)
def test_verdicts_as_people_write_them(value: Any, expected: float | None) -> None:
    assert fraction(value, "here") == expected


@given(value=st.one_of(st.text(max_size=8), st.floats(), st.integers(), st.booleans(), st.none(), st.lists(st.none())))
def test_any_cell_is_a_verdict_or_a_clear_error(value: object) -> None:
    message = ""
    found = None
    try:
        found = fraction(value, "labels.csv, row 1: column 'human'")
    except DataError as error:
        message = str(error)
    assert not message or ("labels.csv, row 1: column 'human'" in message and "->" in message)
    assert found is None or 0 <= found <= 1


@pytest.mark.slow
def test_rogan_gladen_covers_when_answers_come_in_clusters() -> None:
    """120 images of 5 answers, 40 of them labelled; the judge is lenient on every second image. 60 % are right."""
    generator = np.random.default_rng(5)
    covered, replications = 0, 400
    labels = np.repeat(np.arange(120), 5)
    labelled = labels < 40
    for replication in range(replications):
        right = generator.random(600) < np.repeat(generator.beta(1.2, 0.8, size=120), 5)
        lenient = np.repeat(generator.random(120) < 0.5, 5)
        called = generator.random(600) < np.where(right, np.where(lenient, 0.95, 0.8), np.where(lenient, 0.25, 0.1))
        rows = [
            Judged("m", "t", "", "standard", str(image), float(said), float(truth) if known else None, "", ())
            for image, said, truth, known in zip(labels, called, right, labelled, strict=True)
        ]
        plan = BootstrapPlan(resamples=300, seed=replication)
        one = corrections(rows, "rogan-gladen", plan)[0].corrected
        assert one.low is not None
        assert one.high is not None
        covered += one.low <= 0.6 <= one.high
    error = 3 * (0.95 * 0.05 / replications) ** 0.5
    assert 0.95 - error - 0.01 <= covered / replications <= 0.95 + error


def test_labels_say_what_they_name(tmp_path: Path) -> None:
    path = csv_file(tmp_path / "l.csv", "q0,t,m,blind,2,1", head="id,task,model,condition,repeat,human")
    (label,) = read_labels(path)
    assert label.key == ("t", "m", "q0", "blind", 2)
    assert label.place.endswith("l.csv, row 1")
