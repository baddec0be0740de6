"""`mmeval run --dry-run`: load, render, count; ask nothing."""

from __future__ import annotations

from mmeval.cli.keys import model_key
from mmeval.cli.signals import run_loop
from mmeval.cli.terminal import echo
from mmeval.core.types import TextPart
from mmeval.runs.config import RunConfig
from mmeval.tasks.opened import RowError

SHOWN_SAMPLES = 1
COUNTED_SAMPLES = 200
"""Samples per task that are rendered for the estimate."""
CHARACTERS_PER_TOKEN = 4.0


def show_dry_run(config: RunConfig) -> None:
    """Print the first request of each task and model, and count samples, images and an estimate of prompt tokens of text."""
    run_loop(lambda: _show(config))


async def _show(config: RunConfig) -> None:
    from mmeval.pipeline.work import style_of
    from mmeval.runs.preparing import prepare_run

    prepared = await prepare_run(config, model_key())
    plan = prepared.plan
    for engine in prepared.engines:
        await engine.close()
    for note in prepared.notes:
        echo(note)
    for name, info in zip(prepared.names, prepared.infos, strict=True):
        echo(
            f"model {name}: engine {info.engine} {info.version}, profile {info.profile.get('name', '-')}, {info.slots} in flight"
        )
    requests = 0
    for opened in plan.tasks:
        images = characters = samples = 0
        for model, info in zip(prepared.names, prepared.infos, strict=True):
            for number, (_, build) in enumerate(opened.samples(style_of(info))):
                try:
                    sample = build()
                except RowError as error:
                    echo(f"\n--- {opened.task.name}: {error.identifier} cannot be asked: {error}")
                    continue
                if number < SHOWN_SAMPLES:
                    echo(f"\n--- {opened.task.name}@{opened.task.protocol}, sample {sample.id}, as asked of {model}")
                    for message in sample.messages:
                        parts = [
                            part.text
                            if isinstance(part, TextPart)
                            else f"<{sample.media[part.index].kind}: {sample.media[part.index].label}>"
                            for part in message.parts
                        ]
                        echo(f"[{message.role}] " + "\n".join(parts))
                    echo(
                        f"[target] {sample.target!r}   [verifier] {opened.task.verifier.name}   [sampling] {plan.sampling_for(opened.task)}"
                    )
                if model == prepared.names[0]:
                    samples += 1
                    images += sum(len(media.frames) or 1 for media in sample.media)
                    characters += sum(
                        len(part.text)
                        for message in sample.messages
                        for part in message.parts
                        if isinstance(part, TextPart)
                    )
                if number + 1 >= (COUNTED_SAMPLES if model == prepared.names[0] else SHOWN_SAMPLES):
                    break
        total = opened.size if opened.size is not None else samples
        per_model = total * plan.repeats_for(opened.task) * len(plan.conditions)
        requests += per_model * len(prepared.names)
        scale = total / samples if samples else 0
        echo(
            f"\n{opened.task.name}@{opened.task.protocol}: {total} samples, {images * scale:.0f} images, about {characters * scale / CHARACTERS_PER_TOKEN:.0f} text tokens"
            f" (images come on top, by the model's own rule), {per_model} requests per model"
        )
    echo(f"dry run: {requests} requests to {len(prepared.names)} model(s), nothing was asked", err=True)
