"""The fault suite: every fault is put into real runs, and what was lost, invented or duplicated is counted.

    python benchmarks/faults.py            # everything, about ten minutes
    python benchmarks/faults.py --fast     # what the fast tests inject

Prints the table of docs/faults.md; the exit code is 1 when a number is not 0. The scenarios are in `tests/faults`.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.faults.lab import Tally
from tests.faults.test_faults import FAST, SLOW
from tests.faults.zygote import Zygote


def run_all(fast: bool) -> list[Tally]:
    """Run the scenarios one after another; a broken promise of another kind (exit code, message) ends the script."""
    found: dict[str, Tally] = {}
    chosen = [*FAST.values(), *([] if fast else SLOW.values())]
    with tempfile.TemporaryDirectory() as place, Zygote(Path(place)) as zygote:
        for number, (scenario, options) in enumerate(chosen):
            began = time.monotonic()
            for tally in scenario(zygote, Path(place) / str(number), **options):
                known = found.setdefault(tally.fault, Tally(tally.fault, tally.recovered_by))
                for name in ("times", "lost", "invented", "duplicated"):
                    setattr(known, name, getattr(known, name) + getattr(tally, name))
            print(f"{scenario.__name__}: {time.monotonic() - began:.0f} s", file=sys.stderr)
    return list(found.values())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fast", action="store_true", help="only what the fast tests inject")
    tallies = run_all(parser.parse_args().fast)
    print("| fault | times injected | answers lost | invented | duplicated | recovered by |\n|---|---|---|---|---|---|")
    for tally in tallies:
        numbers = f"{tally.times} | {tally.lost} | {tally.invented} | {tally.duplicated}"
        print(f"| {tally.fault} | {numbers} | {tally.recovered_by} |")
    total = [sum(getattr(tally, name) for tally in tallies) for name in ("times", "lost", "invented", "duplicated")]
    print(f"| **all** | {' | '.join(map(str, total))} | |")
    return 0 if all(tally.lost == tally.invented == tally.duplicated == 0 for tally in tallies) else 1


if __name__ == "__main__":
    sys.exit(main())
