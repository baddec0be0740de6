"""Writes the fixtures of reward benchmarks and of judging stored images: own rows in the layouts of the cards.

python tests/data/make_reward_fixtures.py [NAME …]
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from make_fixtures import write_json
from make_spatial_fixtures import OWN, _film, source


def visual_process_bench() -> None:
    """Two sources, right and wrong solutions, a neutral step, two pictures."""
    rows = [
        {"image": images, "question": question, "answer": answer, "policy_model": "own", "data_source": where,
         "response": {"steps": steps, "process_correctness": labels}}
        for images, question, answer, where, steps, labels in (
            (["images/a.png"], "What is the sum of the two numbers?", "5", "MMMU", ["The picture shows 2 and 3.", "2 + 3 = 6.", "So it is 6."], [1, -1, -1]),
            (["images/a.png"], "What is the product?", "6", "MMMU", ["The picture shows 2 and 3.", "2 * 3 = 6."], [1, 1]),
            (["images/a.png", "images/b.png"], "Which is larger?", "b", "DynaMath", ["Let me look.", "a shows 7.", "b is larger."], [0, -1, 1]),
        )
    ]  # fmt: skip
    write_json("visual-process-bench/test.jsonl", rows, ["images/a.png", "images/b.png"], lines=True)
    source("visual-process-bench", "VisualProcessBench", OWN)


def videorewardbench() -> None:
    """Two aspects, and a chosen answer that is shorter."""
    rows = [
        {"question": f"What happens in clip {number}?", "video": "clip.mp4", "chosen": chosen, "rejected": rejected, "aspect": aspect}
        for number, (aspect, chosen, rejected) in enumerate(
            (("short-form perception", "It grows lighter.", "It grows dark, very dark, and a bird flies by."), ("safety", "I will not say.", "Sure."))
        )
    ]  # fmt: skip
    write_json("videorewardbench/videorewardbench.jsonl", rows, [], lines=True)
    _film("videorewardbench/clip.mp4")
    source("videorewardbench", "VideoRewardBench", f"{OWN}; the data set's own column names were not seen")


def image_pair_judging() -> None:
    """Three pairs, of which people and a metric say something."""
    rows = [
        {"id": f"p{number}", "prompt": prompt, "candidate": "new/0.png", "baseline": "old/0.png", "human": human,
         "metric_candidate": first, "metric_baseline": second}
        for number, (prompt, human, first, second) in enumerate(
            (("a red cube", "candidate", 0.9, 0.4), ("two cats", "baseline", 0.8, 0.7), ("a sign that says OPEN", "candidate", 0.2, 0.6))
        )
    ]  # fmt: skip
    write_json("image-pair-judging/pairs.jsonl", rows, ["new/0.png", "old/0.png"], lines=True)
    source("image-pair-judging", "the card", OWN)


def state_verification() -> None:
    """Two episodes with two checks each."""
    rows = [
        {"image": f"frames/{episode}_{step}.png", "goal": goal, "achieved": achieved, "episode": episode, "environment": "kitchen",
         "instruction": "Put the cup on the shelf.", "reason": reason}
        for episode, step, goal, achieved, reason in (
            ("e1", 0, "the cup is in the gripper", "yes", ""), ("e1", 1, "the cup stands on the shelf", "no", "The cup fell on the floor."),
            ("e2", 0, "the door is open", "no", "The handle was not turned."), ("e2", 1, "the light is on", "yes", ""),
        )
    ]  # fmt: skip
    images = [str(row["image"]) for row in rows]
    write_json("state-verification/states.jsonl", rows, images, lines=True)
    source("state-verification", "the card", OWN)


MAKERS: dict[str, Callable[[], None]] = {
    "visual-process-bench": visual_process_bench, "videorewardbench": videorewardbench,
    "image-pair-judging": image_pair_judging, "state-verification": state_verification,
}  # fmt: skip

if __name__ == "__main__":
    for name in sys.argv[1:] or MAKERS:
        MAKERS[name]()
