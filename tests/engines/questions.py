"""Real questions of the synthetic tasks as requests, worded as the task cards word them."""

from __future__ import annotations

import io
from functools import lru_cache

from PIL import Image, ImageDraw

from mmeval.core.types import PreparedMedia, Request, Sampling
from mmeval.tasks.synthetic import SyntheticItem, generate
from tests.engines.conftest import make_request, prepared

TASKS = {
    "count": "Answer with a number.",
    "attribute": "Answer with the correct option.",
    "spatial": "Answer with the correct option.",
    "existence": "Answer yes or no.",
    "chart": "Answer with a number.",
    "point": "Answer with one point as [x, y] in coordinates from 0 to 1000.",
    "box": "Answer with one box as [x1, y1, x2, y2] in coordinates from 0 to 1000.",
    "degradation": "Answer with the correct option.",
    "quality": "Answer with a number from 1 to 5.",
    "order": "Answer with the correct option.",
}


@lru_cache(maxsize=4)
def synthetic_requests(number: int, shown: str = "the picture") -> tuple[Request, ...]:
    """Requests for items of all tasks by turns, with `the picture`, `a masked picture` or `no picture`."""
    names = list(TASKS)
    found = []
    for position in range(number):
        task = names[position % len(names)]
        item = generate(task, seed=0, index=position // len(names))
        options = (
            ""
            if item.choices is None
            else "\n" + "\n".join(f"({letter}) {text}" for letter, text in zip("ABCDEFGH", item.choices, strict=False))
        )
        media = () if shown == "no picture" else (_media(item, shown == "a masked picture"),)
        text = f"{item.question}{options}\n{TASKS[task]}"
        found.append(make_request(text, media, Sampling(max_tokens=40), identifier=f"{task}-{position}"))
    return tuple(found)


def _media(item: SyntheticItem, masked: bool) -> PreparedMedia:
    images = []
    for pixels in item.images:
        image = Image.fromarray(pixels)
        if masked:
            ImageDraw.Draw(image).rectangle((0, 0, image.width // 2, image.height // 2), fill=(127, 127, 127))
        buffer = io.BytesIO()
        image.save(buffer, "PNG")
        images.append(prepared(buffer.getvalue(), image.size))
    return PreparedMedia("image" if len(images) == 1 else "video", tuple(images))
