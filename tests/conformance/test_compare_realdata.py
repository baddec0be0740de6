"""Paired comparisons of published models' real predictions, through the real command line.

Every pair of `../shared/realdata/mcnemar_expected.json` is imported and compared. MathVista's outputs are scored by mmeval's
own official rules where both models were asked the same; RefCOCO, MMMU-Pro and the other pairs of MathVista come in with the
verdicts that their authors stored in the files.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
REALDATA = ROOT.parent / "shared" / "realdata"
EXPECTED = REALDATA / "mcnemar_expected.json"
PAIRS: dict[str, dict[str, Any]] = (
    {pair["name"]: pair for pair in json.loads(EXPECTED.read_text(encoding="utf-8"))["pairs"]}
    if EXPECTED.exists()
    else {}
)
PERCEPTION_R1 = [(1, 5, 0.22), (2, 4, 0.69), (2, 10, 0.04)]
"""Items that one model alone gets right, and the exact p-value that the README of Perception-R1 prints."""


REWORDED = {"mathvista_bard_vs_llava", "mathvista_gpt4-0shot_vs_llava_equal-totals"}
"""LLaVA was asked other texts in 62 questions ("CB = N_0" for "CB = 4.0"): to mmeval these are other items."""


def mmeval(folder: Path, *arguments: str, code: int = 0) -> str:
    """Run the command line in a folder; return what it printed (its messages, where it has to fail)."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(folder), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "mmeval", *arguments], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == code, done.stderr
    return done.stderr if code else done.stdout


def unpack(archive: str, folder: Path) -> Path:
    """Unpack one archive of the real data; return its folder."""
    with tarfile.open(REALDATA / f"{archive}.tar.xz") as packed:
        packed.extractall(folder, filter="data")
    return next(folder.glob("**/expected.json")).parent


def refcoco(path: Path) -> Iterator[tuple[str, bool]]:
    """The stored verdict of each row; rows have no id, and every checkpoint answers the same list of questions."""
    rows = json.loads(path.read_text(encoding="utf-8"))["results"]
    for number, row in enumerate(rows):
        yield f"{number}: {row['question']} {row['ground_truth']}", bool(row["correct"])


def mmmu_pro(path: Path) -> Iterator[tuple[str, bool]]:
    """The stored verdict of each row."""
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        assert isinstance(row["if_right"], bool)
        yield row["id"], row["if_right"]


def mathvista(path: Path) -> Iterator[tuple[str, bool]]:
    """The stored verdict of each row."""
    for pid, row in json.loads(path.read_text(encoding="utf-8")).items():
        assert isinstance(row["true_false"], bool)
        yield pid, row["true_false"]


STORED: dict[str, Callable[[Path], Iterator[tuple[str, bool]]]] = {
    "mathvista": mathvista,
    "refcoco": refcoco,
    "mmmu_pro": mmmu_pro,
}
ARCHIVES = {"mathvista": "mathvista", "refcoco": "refcoco", "mmmupro": "mmmu_pro"}


def verdicts(path: Path, rows: Iterator[tuple[str, bool]]) -> Path:
    """Write verdicts as JSON lines."""
    path.write_text("\n".join(json.dumps({"id": name, "correct": right}) for name, right in rows), encoding="utf-8")
    return path


def score(folder: Path, file: Path, name: str) -> str:
    """Import one model's MathVista output, scored by the official rules; return the run folder."""
    mmeval(
        folder, "import", "mathvista", str(file), "-t", "mathvista@official", "--model", name, "-o", f"runs/{name}",
        "--no-report",
    )  # fmt: skip
    return f"runs/{name}"


def take_over(folder: Path, archive: str, file: Path, name: str) -> str:
    """Import the verdicts that are stored in one model's file; return the run folder."""
    ready = verdicts(folder / f"{name}.jsonl", STORED[archive](file))
    mmeval(
        folder, "import", "jsonl", str(ready), "-t", f"{archive}-stored", "--model", name, "-o", f"stored/{name}",
        "--no-report",
    )  # fmt: skip
    return f"stored/{name}"


def compared(folder: Path, first: str, second: str) -> dict[str, Any]:
    found = json.loads(mmeval(folder, "compare", first, second, "--independent", "--json"))
    (one,) = found["comparisons"]
    return dict(one)


@pytest.mark.realdata
@pytest.mark.skipif(not PAIRS, reason="the expected comparisons are not here (../shared/realdata)")
@pytest.mark.parametrize("name", PAIRS)
def test_published_predictions_compare_as_expected(name: str, tmp_path: Path) -> None:
    pair = PAIRS[name]
    archive = ARCHIVES[name.partition("_")[0]]
    data = unpack(archive, tmp_path / "data")
    files = {side: next(data.glob(f"**/{pair[side]}")) for side in ("A", "B")}
    if name in REWORDED:
        scored = [score(tmp_path, file, side) for side, file in files.items()]
        assert "62 of them have the same id but another content" in mmeval(tmp_path, "compare", *scored, code=5)
    if archive == "mathvista" and name not in REWORDED:
        runs = [score(tmp_path, file, side) for side, file in files.items()]
    else:
        runs = [take_over(tmp_path, archive, file, side) for side, file in files.items()]
    found = compared(tmp_path, *runs)
    assert found["n"] == pair["n"]
    assert found["coverage"] == 1.0
    assert found["table"] == {
        "both_right": pair["n11"], "base_only": pair["n10"], "candidate_only": pair["n01"], "both_wrong": pair["n00"],
    }  # fmt: skip
    # The file's difference is A - B, ours candidate - baseline.
    assert found["delta"] == pytest.approx(-pair["diff"], abs=1e-12)
    assert (found["base"], found["candidate"]) == pytest.approx((pair["acc_A"], pair["acc_B"]), abs=1e-12)
    assert found["p_exact"] == pytest.approx(pair["exact_p"], rel=1e-9)
    # Where both sides win equally often, ours is Fagerland's rule, which the file gives under another key.
    tie = pair["midp_fagerland_if_equal"]
    assert found["p_midp"] == pytest.approx(pair["midp"] if tie is None else tie, rel=1e-9)
    assert found["p_asymptotic"] == pytest.approx(pair["chi2_p"], rel=1e-9)
    assert (found["test"], found["p"]) == ("mcnemar-midp", found["p_midp"])
    assert (len(found["lost"]), len(found["gained"])) == (pair["n10"], pair["n01"])
    low, high = found["ci"]
    assert low <= found["delta"] <= high
    # Tango's limits and Wald's are close where hundreds of items decide.
    assert (-high, -low) == pytest.approx(pair["wald_ci95"], abs=0.004)


@pytest.mark.parametrize(("losses", "gains", "printed"), PERCEPTION_R1)
def test_p_values_of_perception_r1_from_its_counts(losses: int, gains: int, printed: float, tmp_path: Path) -> None:
    cells = [(True, False)] * losses + [(False, True)] * gains + [(True, True)] * 20 + [(False, False)] * 15
    for side, name in enumerate(("base", "candidate")):
        rows = ((f"q{number}", cell[side]) for number, cell in enumerate(cells))
        file = verdicts(tmp_path / f"{name}.jsonl", rows)
        mmeval(tmp_path, "import", "jsonl", file.name, "-t", "quiz", "--model", name, "-o", name, "--no-report")
    found = compared(tmp_path, "base", "candidate")
    assert round(found["p_exact"], 2) == printed
    assert found["table"] == {"both_right": 20, "base_only": losses, "candidate_only": gains, "both_wrong": 15}
