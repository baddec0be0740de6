"""`mmeval compare` as a user meets it: imported verdicts, exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path


def predictions(path: Path, right: list[bool]) -> str:
    rows = [{"id": f"q{n}", "score": float(value), "correct": value} for n, value in enumerate(right)]
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return path.name


def test_verdicts_from_elsewhere_are_compared(mmeval: Callable, tmp_path: Path) -> None:
    base = [True] * 10 + [True] * 2 + [False] * 10 + [False] * 20
    candidate = [True] * 10 + [False] * 2 + [True] * 10 + [False] * 20
    for name, right in (("a", base), ("b", candidate), ("short", base[:30])):
        done = mmeval(
            "import", "jsonl", predictions(tmp_path / f"{name}.jsonl", right), "-t", "quiz", "--model", name,
            "-o", f"runs/{name}", "--no-report",
        )  # fmt: skip
        assert done.code == 0, done.err
    found = mmeval("compare", "runs/a", "runs/b", "--independent", "--json").json["comparisons"][0]
    assert round(found["p_exact"], 2) == 0.04
    assert found["table"] == {"both_right": 10, "base_only": 2, "candidate_only": 10, "both_wrong": 20}
    refused = mmeval("compare", "runs/a", "runs/short")
    assert refused.code == 5
    assert "items differ" in refused.err
    assert mmeval("compare", "runs/a", "runs/short", "--allow-missing").code == 0
    assert mmeval("compare", "runs/a").code == 2


def test_two_identical_commands_print_the_same_bytes(mmeval: Callable, tmp_path: Path) -> None:
    """Two processes, each with another order of hashes: clusters, sign flips, subsets and a ranking."""
    for number, name in enumerate(("a", "b", "c")):
        rows = [
            {
                "id": f"q{n}", "score": (n * (37 + 6 * number) % 101) / 101, "cluster": f"image {n // 4}",
                "subsets": {"kind": f"k{n % 3}", "level": f"l{n % 2}"},
            }
            for n in range(100)
        ]  # fmt: skip
        (tmp_path / f"{name}.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
        done = mmeval(
            "import", "jsonl", f"{name}.jsonl", "-t", "quiz", "--model", name, "-o", f"runs/{name}", "--no-report"
        )
        assert done.code == 0, done.err
    command = ("compare", "runs/a", "runs/b", "runs/c", "--by", "all")
    first, second = mmeval(*command, "--json"), mmeval(*command, "--json")
    assert first.code == 0, first.err
    assert first.out == second.out
    assert {one["test"] for one in first.json["comparisons"]} == {"sign-flip"}
    assert first.json["rankings"]
