"""How many tokens a request will take, guessed before it is asked and corrected by what came back."""

from __future__ import annotations

from dataclasses import dataclass

from mmeval.core.types import Request, Response, TextPart

GRID = 28
"""Sides of the square of pixels that becomes one token, where no profile says: that of the Qwen-VL families."""
FIRST_ANSWER = 256
"""Tokens of an answer while none is known, if more are allowed."""
BYTES_PER_TOKEN = 4
OF_MESSAGE = 8
"""Tokens of a chat template around each message, about."""
MEMORY = 32
"""Answers that a running mean is made of, about."""
SPREAD = 2.0
"""Mean deviations that are added to the mean length of an answer: running out of cache costs more than some room left."""


@dataclass(slots=True)
class _Known:
    """What came back for one kind of request."""

    count: int = 0
    prompts: float = 1.0
    """Tokens of a prompt, relative to the guess."""
    answers: float = 0.0
    deviation: float = 0.0

    def learn(self, guessed: int, prompt: int | None, answer: int | None) -> None:
        self.count += 1
        share = max(1.0 / self.count, 1.0 / MEMORY)
        if prompt is not None and prompt > 0 and guessed > 0:
            self.prompts += share * (prompt / guessed - self.prompts)
        if answer is not None and answer >= 0:
            off = abs(answer - self.answers) if self.count > 1 else 0.0
            self.answers += share * (answer - self.answers)
            self.deviation += share * (off - self.deviation)


class Weigher:
    """Guesses tokens of prompt and answer per task.

    Args:
        grid: sides of the square of pixels that becomes one token.
    """

    def __init__(self, grid: int | None = None) -> None:
        self._pixels = float((grid or GRID) ** 2)
        self._known: dict[str, _Known] = {}

    def weigh(self, request: Request) -> int:
        """Tokens of the prompt and of the answer, at least 1."""
        known = self._known.get(_kind(request))
        prompt = self._prompt(request)
        if known is None or known.count == 0:
            return max(1, prompt + min(request.sampling.max_tokens, FIRST_ANSWER))
        answer = min(float(request.sampling.max_tokens), known.answers + SPREAD * known.deviation)
        return max(1, round(prompt * known.prompts + answer))

    def learn(self, request: Request, response: Response) -> None:
        """Take in what an answer really took."""
        if response.status == "ok" and not (response.prompt_tokens is None and response.completion_tokens is None):
            known = self._known.setdefault(_kind(request), _Known())
            known.learn(self._prompt(request), response.prompt_tokens, response.completion_tokens)

    def _prompt(self, request: Request) -> int:
        size = 0
        for message in request.messages:
            size += OF_MESSAGE * BYTES_PER_TOKEN
            for part in message.parts:
                if isinstance(part, TextPart):
                    size += len(part.text) if part.text.isascii() else len(part.text.encode("utf-8", "replace"))
        pixels = sum(image.width * image.height for media in request.media for image in media.images)
        return size // BYTES_PER_TOKEN + round(pixels / self._pixels)


def _kind(request: Request) -> str:
    """Requests of one task have answers of like length."""
    return request.sample.task if request.sample is not None else request.id.partition("/")[0]
