"""Train an embedded model from scratch: `python -m scripts.train_tiny.train --out FOLDER --minutes 80`.

The learning rate follows the clock, not the step count, so that a run ends when it should on any machine. A state is
saved every few minutes; the same command continues from it.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import queue
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedTokenizerFast

from .architecture import ARCHITECTURES, build_model
from .batches import CLIP_BATCH, STILL_BATCH, Batch, BatchStream
from .corpus import tokenizer_texts
from .export import save_checkpoint
from .forward import BatchedModel
from .losses import Objective, to_tensors, word_ids
from .optimizer import make_optimizers
from .packing import Encoder, Packer
from .tokenizer import train_tokenizer
from .validate import validate

WARMUP_STEPS = 100
DECAY_START = 0.5  # of the run: constant before, then linear down
FINAL_FACTOR = 0.02
GRADIENT_CLIP = 1.0
DENSE_WEIGHT = (0.5, 0.05)  # of the auxiliary loss, at the start and at the end
PREFETCH = 4  # batches
LOG_EVERY = 50  # steps
SAVE_SECONDS = 300
VALIDATE_SECONDS = 600


@dataclass(slots=True)
class Progress:
    step: int = 0
    seconds: float = 0.0  # of training proper, without validation
    replies: int = 0
    early_saved: bool = False
    curve: list[dict[str, Any]] = field(default_factory=list)


def learning_factor(step: int, part: float) -> float:
    """Multiplies the peak learning rate after `step` steps and `part` (0–1) of the time."""
    warm = min(1.0, (step + 1) / WARMUP_STEPS)
    if part <= DECAY_START:
        return warm
    return warm * max(FINAL_FACTOR, 1 - (part - DECAY_START) / (1 - DECAY_START))


def make_batches(tokenizer_file: str, seed: int, part: Any, out: Any) -> None:
    """Worker process: fills `out` for ever. `part` is a shared double."""
    torch.set_num_threads(1)
    encoder = Encoder(PreTrainedTokenizerFast(tokenizer_file=tokenizer_file))
    stream = BatchStream(Packer(encoder, STILL_BATCH.length), Packer(encoder, CLIP_BATCH.length), seed)
    while True:
        out.put(stream.next(part.value))


def start_worker(tokenizer_file: Path, seed: int) -> tuple[Any, Any, Any]:
    context = multiprocessing.get_context("spawn")
    part = context.Value("d", 0.0)
    batches: Any = context.Queue(PREFETCH)
    worker = context.Process(target=make_batches, args=(str(tokenizer_file), seed, part, batches), daemon=True)
    worker.start()
    return worker, part, batches


def take(batches: Any, worker: Any) -> Batch:
    """The next batch; RuntimeError when the worker has died."""
    while True:
        try:
            batch: Batch = batches.get(timeout=30)
            return batch
        except queue.Empty:
            if not worker.is_alive():
                raise RuntimeError("the process that makes the batches has died; its error is above") from None


class Trainer:
    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.out = Path(options.out)
        self.out.mkdir(parents=True, exist_ok=True)
        tokenizer_file = self.out / "tokenizer.json"
        if not tokenizer_file.exists():
            source = Path(options.tokenizer) if options.tokenizer else None
            tokenizer = train_tokenizer(tokenizer_texts()) if source is None else None
            text = source.read_text() if source else tokenizer.backend_tokenizer.to_str()  # type: ignore[union-attr]
            tokenizer_file.write_text(text)
        self.tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(tokenizer_file))
        self.model = build_model(options.architecture, self.tokenizer, options.seed)
        width = self.model.config.text_config.hidden_size
        self.objective = Objective(BatchedModel(self.model), width, options.bfloat16, word_ids(Encoder(self.tokenizer)))
        self.optimizers = make_optimizers(self.objective, options.lr, options.weight_decay, not options.adam)
        self.progress = Progress(seconds=options.start_part * options.minutes * 60)
        if options.warm_start:
            state = torch.load(options.warm_start, weights_only=True)
            self.objective.load_state_dict(state["objective"])
        self.state_file = self.out / "state.pt"
        if self.state_file.exists():
            self._load()
        self.worker, self.part, self.batches = start_worker(tokenizer_file, options.seed + self.progress.step)

    def _load(self) -> None:
        state = torch.load(self.state_file, weights_only=True)
        self.objective.load_state_dict(state["objective"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.progress = Progress(**state["progress"])

    def save(self) -> None:
        p = self.progress
        state = {
            "objective": self.objective.state_dict(),
            "optimizers": [o.state_dict() for o in self.optimizers],
            "progress": {"step": p.step, "seconds": p.seconds, "replies": p.replies,
                         "early_saved": p.early_saved, "curve": p.curve},
        }  # fmt: skip
        partial = self.state_file.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(self.state_file)

    def validate(self) -> None:
        scores = validate(self.objective, Encoder(self.tokenizer), self.options.validation_items)
        p = self.progress
        entry = {"minutes": round(p.seconds / 60, 1), "step": p.step, "replies": p.replies, **scores}
        p.curve.append(entry)
        print("VALIDATION", json.dumps(entry), flush=True)
        (self.out / "curve.json").write_text(json.dumps(p.curve, indent=1))
        save_checkpoint(self.model, self.tokenizer, self.out / f"step-{p.step}")

    def run(self) -> None:
        total = self.options.minutes * 60
        step_function = torch.compile(self.objective, dynamic=False) if self.options.compile else self.objective
        p = self.progress
        losses: deque[tuple[float, float]] = deque(maxlen=LOG_EVERY)
        saved = validated = p.seconds
        while p.seconds < total:
            started = time.monotonic()
            part = p.seconds / total
            self.part.value = part
            for optimizer in self.optimizers:
                for group in optimizer.param_groups:
                    group["lr"] = self.options.lr * learning_factor(p.step, part)
            batch = take(self.batches, self.worker)
            language, dense = step_function(to_tensors(batch))
            dense_weight = DENSE_WEIGHT[0] + (DENSE_WEIGHT[1] - DENSE_WEIGHT[0]) * part
            (language + dense_weight * dense).backward()
            torch.nn.utils.clip_grad_norm_(self.objective.parameters(), GRADIENT_CLIP)
            for optimizer in self.optimizers:
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
            p.step += 1
            p.replies += int(batch.rows.branch.max(axis=1).clip(min=0).sum())
            if batch.truths:
                losses.append((language.item(), dense.item()))
            # The first steps compile; counting them in full would spend the schedule on a constant.
            p.seconds += min(time.monotonic() - started, self.options.longest_step)
            if p.step % LOG_EVERY == 0:
                mean = [sum(column) / len(losses) for column in zip(*losses, strict=True)]
                print(f"step {p.step} minutes {p.seconds / 60:.1f} replies {p.replies} "
                      f"loss {mean[0]:.4f} dense {mean[1]:.3f}", flush=True)  # fmt: skip
            if not p.early_saved and p.seconds >= self.options.early * total:
                p.early_saved = True
                save_checkpoint(self.model, self.tokenizer, self.out / "early")
                self.validate()
            if p.seconds - validated >= VALIDATE_SECONDS:
                validated = p.seconds
                self.validate()
            if p.seconds - saved >= SAVE_SECONDS:
                saved = p.seconds
                self.save()
        self.save()
        save_checkpoint(self.model, self.tokenizer, self.out / "late")
        self.validate()
        self.worker.terminate()


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", required=True, help="folder for the state, the curve and the checkpoints")
    parser.add_argument("--architecture", choices=ARCHITECTURES, default=ARCHITECTURES[0])
    parser.add_argument("--minutes", type=float, default=80)
    parser.add_argument("--lr", type=float, default=1.5e-3)
    parser.add_argument("--weight-decay", type=float, default=0.05)
    parser.add_argument("--adam", action="store_true", help="AdamW for all parameters instead of Muon")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--early", type=float, default=0.15, help="share of the time after which early is saved")
    parser.add_argument("--tokenizer", help="tokenizer.json to use instead of learning one")
    parser.add_argument("--warm-start", help="state.pt of another run: take its weights, not its progress")
    parser.add_argument("--start-part", type=float, default=0.0, help="where in the schedule to begin (0-1)")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--bfloat16", action="store_true", help="autocast; only where the processor is faster so")
    parser.add_argument("--validation-items", type=int, default=32, help="per task")
    parser.add_argument("--longest-step", type=float, default=5.0, help="seconds that one step counts at most")
    return parser.parse_args()


if __name__ == "__main__":
    arguments = parse_options()
    torch.set_num_threads(arguments.threads)
    Trainer(arguments).run()
