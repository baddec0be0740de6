"""Five tasks of unequal length, scored by rules, slow symbolic comparison and a judge, beside the time of one full queue.

    python benchmarks/no_barriers.py

The bound: all questions through the model's slots without a pause. The judge has a server of its own, whose work is to vanish behind the model's.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from children import load, mmeval, server, stats

SLOTS, SERVICE_S = 64, 0.25
VERDICT = json.dumps({"id": "@ID@", "reason": "simulated", "equivalent": True})
ANSWER = "\\boxed{(x+1)^2}"
TASKS = {
    "letters": (1280, "choice", "A", ""),
    "words": (640, "text", "red", ""),
    "formulas": (320, "expression", "x^2+2x+1", ""),
    "judged": (640, "text", "red", "judges: [{card: equivalence, when: always}]"),
    "doubted": (160, "text", "blue", "judges: [{card: equivalence, when: not_right}]"),
}
"""Name -> rows, kind of answer, gold answer, judges."""


def no_barriers(work: Path, port: int) -> list[tuple[str, str, str]]:
    """Rows of the table."""
    work.mkdir(parents=True, exist_ok=True)
    for name, (count, kind, gold, judges) in TASKS.items():
        choices = ", choices: options" if kind == "choice" else ""
        (work / f"{name}.yaml").write_text(
            f"name: {name}\nfamily: custom\ntitle: T\ndataset: {{local: {{files: [{name}.jsonl]}}}}\n"
            f"fields: {{id: id, question: question, answer: answer{choices}}}\nanswer: {{kind: {kind}}}\n{judges}\n"
        )
        options = ["red", "green", "blue"]
        rows = ({"id": str(n), "question": f"{name} {n}?", "options": options, "answer": gold} for n in range(count))
        (work / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    total = sum(count for count, *_ in TASKS.values())
    with (
        server(port, SLOTS, SERVICE_S, None, "--answer", ANSWER) as model,
        server(port + 1, SLOTS, SERVICE_S, None, "--verdict", VERDICT) as judge,
    ):
        _, summary = mmeval(
            "run", "-m", "openai:sim", "--base-url", f"{model}/v1", "-t", ",".join(TASKS), "--task-path", str(work), "--data-dir", str(work),
            "--concurrency", str(SLOTS), "--judge", "openai:sim", "--judge-base-url", f"{judge}/v1", "--judge-concurrency", str(SLOTS),
            "-o", str(work / "run"), "--cache", str(work / "cache.sqlite"), "--no-report", "--json", "--trace", str(work / "trace.json"),
        )  # fmt: skip
        asked, judged = stats(model), stats(judge)
    if asked["done"] != total or judged["done"] != sum(TASKS[name][0] for name in ("judged", "doubted")):
        raise SystemExit(f"{asked} {judged} {summary['counts']}")
    bound = total / SLOTS * SERVICE_S
    spans = json.loads((work / "run" / "run.json").read_bytes())["trace"]["spans"]
    seconds = max(asked["last"], judged["last"]) - asked["first"]
    return [
        ("five tasks with rules, symbolic comparison, judge / one full queue", "<= 1.05", f"{seconds / bound:.3f}"),
        ("the same, run with its tables / one full queue", "", f"{summary['timings']['total'] / bound:.3f}"),
        (
            "the same, seconds in verifiers / judges, summed over rows",
            "",
            f"{spans['verify']['seconds']:.1f} / {spans['judge']['seconds']:.1f}",
        ),
    ]


if __name__ == "__main__":
    print(load())
    with tempfile.TemporaryDirectory() as name:
        for row in no_barriers(Path(name), int(sys.argv[1]) if len(sys.argv) > 1 else 8941):
            print(row[0], row[1], row[2])
