"""What a gate says about a verdict, and the small rules around it: scales, waivers, repeats, the overall verdict."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mmeval.analysis.gate import Finding
from mmeval.core.errors import UsageError
from mmeval.runs.manifest import ShardRecord, read_manifest, write_manifest
from tests.analysis.conftest import pair_of, quiz, write_run
from tests.analysis.test_gate import EQ, NI, NR, broken, gate, only

Pairs = dict[str, tuple[str, str]]


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Pairs:
    """Pairs of runs by what they show."""
    folder = tmp_path_factory.mktemp("pairs")
    tables = {"good": (300, 10, 12, 78), "bad": (200, 90, 10, 100), "few": (20, 6, 5, 9), "near": (1000, 50, 30, 920)}
    made: Pairs = {}
    for name, table in tables.items():
        base, candidate = pair_of(*table)
        first = write_run(folder / f"{name}-b", base, models=("b",))
        made[name] = (first, write_run(folder / f"{name}-c", candidate, models=("c",)))
    return made


def floor(value: float, **more: Any) -> dict[str, Any]:
    return {"id": "f", "kind": "floor", "value": value, **more}


def message(pair: tuple[str, str], *rules: dict[str, Any], **more: Any) -> str:
    return gate(pair, *rules, **more).findings[0].message


def test_every_verdict_says_why(pairs: Pairs) -> None:
    good, bad, few, near = (pairs[name] for name in ("good", "bad", "few", "near"))
    assert message(good, NI) == "a drop of 0.05 or more is ruled out"
    assert message(good, EQ) == "a difference of 0.05 or more is ruled out"
    found = only(gate(bad, NI))
    assert found.p_adjusted is not None
    assert found.message == f"a drop is shown (adjusted p {found.p_adjusted:.3g}), and the estimate reaches 0.05"
    assert message(bad, EQ).startswith("a difference is shown (adjusted p ")
    found = only(gate(few, NI))
    assert found.evidence is not None
    assert found.message == (
        f"neither a drop nor its absence within 0.05 is shown; detectable with 80 % power: {found.evidence.mde:.3g}"
        f"; a candidate as good as the baseline would need about {found.evidence.needed} items"
    )
    assert message(few, EQ).startswith("neither a difference nor its absence within 0.05 is shown; detectable")
    many = [{"id": f"r{n}", "kind": "no_regression", "min_effect": 0.005} for n in range(10)]
    assert "; significant on its own, but not corrected for all rules; detectable" in message(near, *many)
    assert "on its own" not in message(near, {**NR, "min_effect": 0.015})  # significant, and too small to fail
    # The candidate of `good` has 312 of 400.
    assert message(good, floor(0.6)) == "shown not to be below 0.6"
    assert message(good, {**floor(0.9), "kind": "ceiling"}) == "shown not to be above 0.9"
    assert message(good, floor(0.9)) == "0.78 is shown to be below 0.9"
    assert message(good, {**floor(0.6), "kind": "ceiling"}) == "0.78 is shown to be above 0.6"
    assert message(good, floor(0.78)) == "0.78 is too close to 0.78 to tell on 400 items"
    close = only(gate(good, floor(0.76)))
    assert close.evidence is not None
    assert close.evidence.needed is not None
    assert close.message == (
        f"0.78 is too close to 0.76 to tell on 400 items; this value would need about {close.evidence.needed} items"
    )


def test_the_reason_counts_and_names_the_first_of_the_worst(pairs: Pairs) -> None:
    beside = [floor(0.1, id="fine"), floor(0.5, id="open"), {**NI, "id": "watch", "informational": True}]
    report = gate(pairs["bad"], *beside, NI, {**NI, "id": "second"})
    assert report.reason == "2 FAIL, 1 INCONCLUSIVE, 1 PASS (1 informational beside); FAIL first: ni"
    assert gate(pairs["good"], NI).reason == "1 PASS"
    assert gate(pairs["bad"], {**NI, "informational": True}).reason == "no rule counts (1 informational beside)"
    assert (report.verdict, report.exit_code) == ("FAIL", 3)


def waiver(rule: str, until: str = "2026-06-01", by: str = "alice") -> dict[str, str]:
    return {"rule": rule, "until": until, "reason": "known", "by": by}


def test_the_latest_waiver_of_the_rule_itself_counts(pairs: Pairs) -> None:
    bad, few = pairs["bad"], pairs["few"]
    many = [waiver("ni", "2026-05-01", "bob"), waiver("ni", "2026-07-01", "carol"), waiver("ni", "2026-06-02", "dave")]
    found = only(gate(bad, NI, waivers=many))
    assert (found.verdict, found.expired) == ("WAIVED", False)
    assert found.notes[-1] == "waived until 2026-07-01 by carol: known"
    other = gate(bad, NI, {**NI, "id": "b"}, waivers=[waiver("b")])
    assert [one.verdict for one in other.findings] == ["FAIL", "WAIVED"]
    assert [one.waiver is None for one in other.findings] == [True, False]
    good = only(gate(pairs["good"], NI, waivers=[waiver("ni")]))
    assert (good.verdict, good.waiver) == ("PASS", None)  # nothing to waive
    # Where INCONCLUSIVE fails, a waiver excuses it while it holds, and only the rule that it is for.
    held = gate(few, NI, waivers=[waiver("ni")], on_inconclusive="fail")
    assert (held.exit_code, held.verdict, only(held).verdict) == (0, "INCONCLUSIVE", "INCONCLUSIVE")
    gone = gate(few, NI, waivers=[waiver("ni", "2026-05-31")], on_inconclusive="fail")
    assert (gone.exit_code, only(gone).expired, only(gone).notes[-1]) == (
        4,
        True,
        "the waiver by alice expired on 2026-05-31",
    )
    assert gate(few, NI, {**NI, "id": "b"}, waivers=[waiver("ni")], on_inconclusive="fail").exit_code == 4
    # A limit on flips is part of its rule.
    flips = gate(bad, {**EQ, "max_flip_rate": 0.1}, waivers=[waiver("eq")])
    assert [one.verdict for one in flips.findings] == ["WAIVED", "WAIVED"]
    half = gate(bad, {**EQ, "max_flip_rate": 0.1}, waivers=[waiver("eq/flips")])
    assert [(one.check.id, one.verdict) for one in half.findings] == [("eq", "FAIL"), ("eq/flips", "WAIVED")]


@pytest.mark.parametrize(
    ("rule", "fraction"),
    [
        ({**NI, "margin": 1}, "0.01"), ({**NI, "margin": 1.5}, "0.015"), ({**NI, "min_effect": 2}, "0.02"), (floor(100), "1"),
        (floor(1.2), "0.012"), (floor(101), "0.02 for two points"), (floor(-0.1), "0.02 for two points"),
        ({**floor(5), "kind": "ceiling", "metric": "error_rate"}, "0.05"),
    ],
)  # fmt: skip
def test_what_is_no_fraction_is_refused(pairs: Pairs, rule: dict[str, Any], fraction: str) -> None:
    with pytest.raises(UsageError) as caught:
        gate(pairs["good"], rule)
    assert caught.value.remedy == f"give a fraction: {fraction}"


def test_the_ends_of_a_scale_are_on_it(pairs: Pairs, tmp_path: Path) -> None:
    assert only(gate(pairs["good"], floor(1))).verdict == "FAIL"
    assert only(gate(pairs["good"], {**floor(0), "kind": "ceiling"})).verdict == "FAIL"
    for low, high in ((0.0, 1.5), (-0.5, 1.0)):  # one value outside of [0, 1] says that a mean has no such scale
        rows = [{"id": f"q{n}", "score": value} for n, value in enumerate([low, high] * 40)]
        run = write_run(tmp_path / f"{low}", rows, models=("x",), metrics=["mean"])
        other = write_run(tmp_path / f"{low}o", rows, models=("y",), metrics=["mean"])
        assert only(gate((run, other), {**NI, "margin": 2.0})).verdict == "PASS"
        assert only(gate((run, other), floor(-2.0))).verdict == "PASS"
    rows = [{"id": f"q{n}", "score": value} for n, value in enumerate([0.0, 1.0] * 40)]
    pair = tuple(write_run(tmp_path / name, rows, models=(name,), metrics=["mean"]) for name in ("v", "w"))
    with pytest.raises(UsageError, match="give a fraction"):
        gate((pair[0], pair[1]), floor(2.0))


def test_answers_of_one_side_alone_are_repeats_too(tmp_path: Path) -> None:
    base, candidate = pair_of(60, 8, 8, 24)
    twice = [{**row, "repeat": repeat} for row in candidate for repeat in range(2)]
    pair = (write_run(tmp_path / "b", base, models=("b",)), write_run(tmp_path / "c", twice, models=("c",)))
    for sides in (pair, (pair[1], pair[0])):
        evidence = only(gate(sides, NI)).evidence
        assert evidence is not None
        assert (evidence.n, evidence.table, evidence.test) == (100, None, "mcnemar-mid-p")


def notes(found: Finding) -> tuple[str, ...]:
    return found.notes


def test_items_without_a_value_are_counted_in_notes(tmp_path: Path) -> None:
    base, candidate = pair_of(300, 10, 12, 78)
    stored = write_run(tmp_path / "b", base, models=("b",))
    other = write_run(tmp_path / "c", broken(candidate, 3, "unscored"), models=("c",))
    pair = (stored, other)
    assert notes(only(gate(pair, NI))) == ("3 of 400 items are on one side only or have no score there",)
    assert notes(only(gate(pair, floor(0.1)))) == ("3 items without a value left out",)
    assert notes(only(gate(pair, floor(0.1, metric="coverage")))) == ()
    limit = {"id": "c", "kind": "ceiling", "metric": "flip_rate", "value": 0.3}
    assert notes(only(gate(pair, limit))) == ("3 of 400 items are on one side only or have no score there",)
    # The largest share that is allowed is allowed: 4 of 400.
    four = write_run(tmp_path / "d", broken(candidate, 4, "unscored"), models=("d",))
    for sides in ((stored, four), (four, stored)):
        assert only(gate(sides, NI)).verdict == "PASS"
        assert only(gate(sides, NI, max_infra_error_rate=0.0099)).verdict == "ERROR"


def test_a_sample_that_is_there_twice_is_invalid(tmp_path: Path) -> None:
    base, candidate = pair_of(300, 10, 12, 78)
    pair = (
        write_run(tmp_path / "b", base, models=("b",)),
        write_run(tmp_path / "c", [*candidate, candidate[7]], models=("c",)),
    )
    for rule in (NI, floor(0.1), floor(0.1, metric="coverage")):
        found = only(gate(pair, rule))
        assert (found.verdict, "task quiz: sample 'q7' occurs twice in c" in found.message) == ("INVALID", True)


def test_a_shard_is_to_be_merged_and_not_run_again(tmp_path: Path) -> None:
    rows = quiz(*[1, 0] * 50)
    pair = [write_run(tmp_path / name, rows, models=(name,)) for name in ("b", "c")]
    shard = read_manifest(Path(pair[1])).model_copy(
        update={"shard": ShardRecord(index=1, count=4, whole_digest="0", parts=[])}
    )
    write_manifest(Path(pair[1]), shard)
    found = only(gate((pair[0], pair[1]), NI))
    assert (found.verdict, found.message) == ("ERROR", "run c is shard 1/4 of a larger run; merge all shards first")
    write_manifest(Path(pair[1]), shard.model_copy(update={"shard": None, "status": "running"}))
    assert only(gate((pair[0], pair[1]), NI)).message == "run c is running; run the same command again to complete it"
    # An unfinished baseline too, whatever the rule needs of it.
    assert only(gate((pair[1], pair[0]), floor(0.1))).verdict == "PASS"
    assert only(gate((pair[1], pair[0]), NI)).verdict == "ERROR"


def test_the_message_of_another_protocol_names_no_option_of_compare(tmp_path: Path) -> None:
    rows = quiz(*[1, 0] * 50)
    pair = [
        write_run(tmp_path / "b", rows, models=("b",)),
        write_run(tmp_path / "c", rows, models=("c",), ask_digest="9" * 64),
    ]
    found = only(gate((pair[0], pair[1]), NI))
    assert found.message.endswith("; run both with the same protocol, prompt, media settings and decoding")
    names = write_run(tmp_path / "d", rows, models=("d",), protocol="long", name="quiz")
    assert "quiz" in only(gate((pair[0], names), {**NI, "task": "quiz"})).message
    subset = write_run(
        tmp_path / "e", [{**row, "subsets": {"part": "x"}} for row in rows], models=("e",), protocol="long"
    )
    late = write_run(
        tmp_path / "f", [{**row, "subsets": {"part": "x"}} for row in rows], models=("f",), protocol="long"
    )
    few = only(gate((subset, late), floor(0.1, subset="part=x"), min_n=200))
    assert few.message == "100 items are fewer than min_n 200; run more items, or lower min_n in the policy"
    assert few.check.target.place == "task quiz@long, part=x"
