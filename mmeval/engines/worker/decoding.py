"""Generating the answers of a batch, with decoding settings of its own for every row.

Greedy rows take the most likely token. A sampled row draws by inverting the cumulative distribution at one uniform
number per token from its own generator, so that a seeded answer does not depend on its batch mates. Filters in
vLLM's order: repetition penalty (over prompt and answer, arXiv:1909.05858), temperature, min_p, top_k, top_p.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .checkpoint import Loaded
from .inputs import Item

_TAIL_MARGIN = 4
"""Tokens looked at beyond the length of the longest stop string."""


@dataclass(frozen=True)
class Decoding:
    """Decoding of one row; every field decided."""

    temperature: float
    top_p: float
    top_k: int
    """0: off."""
    min_p: float
    repetition_penalty: float
    max_tokens: int
    stop: tuple[str, ...]
    seed: int


def resolve(sampling: dict[str, Any], defaults: dict[str, Any]) -> Decoding:
    """Fill the fields that a request leaves to the engine from the checkpoint's defaults, else neutrally."""

    def field(name: str, neutral: Any) -> Any:
        value = sampling.get(name)
        return defaults.get(name, neutral) if value is None else value

    return Decoding(
        temperature=float(field("temperature", 0.0)),
        top_p=float(field("top_p", 1.0)),
        top_k=max(0, int(field("top_k", 0))),
        min_p=float(field("min_p", 0.0)),
        repetition_penalty=float(field("repetition_penalty", 1.0)),
        max_tokens=int(sampling["max_tokens"]),
        stop=tuple(sampling.get("stop") or ()),
        seed=int(sampling.get("seed") or 0),
    )


@dataclass
class Answer:
    """What one row came to."""

    text: str
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int
    """Counts the end token, as vLLM does."""
    broken: bool = False
    """The model's scores were not numbers."""


class RowSampler:
    """A logits processor that decides the token of every row, so that greedy search over its output obeys each row."""

    def __init__(self, rows: list[Decoding], prompts: Any, mask: Any) -> None:
        import torch

        self._rows = rows
        self._generators = [torch.Generator().manual_seed(row.seed) for row in rows]
        self._sampled = [index for index, row in enumerate(rows) if row.temperature > 0]
        self._penalised = [index for index, row in enumerate(rows) if row.repetition_penalty != 1.0]
        self._prompts = prompts
        self._mask = mask.bool()
        self._seen: Any = None
        self.broken: Any = None
        """Rows whose first scores were not numbers, as booleans."""

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """See `transformers.LogitsProcessor`: (rows, length) token ids and (rows, vocabulary) scores."""
        import torch

        if self.broken is None:
            self.broken = torch.isnan(scores).any(dim=-1).tolist()
        if not self._sampled and not self._penalised:
            return scores
        scores = scores.float().clone()
        if self._penalised:
            self._penalise(input_ids, scores)
        if self._sampled:
            chosen = self._draw(scores[self._sampled])
            scores[self._sampled] = float("-inf")
            scores[self._sampled, chosen] = 0.0
        return scores

    def _penalise(self, input_ids: Any, scores: Any) -> None:
        import torch

        if self._seen is None:
            self._seen = torch.zeros_like(scores, dtype=torch.bool)
            for row in self._penalised:
                self._seen[row, self._prompts[row][self._mask[row]]] = True
        else:
            self._seen[torch.arange(len(self._rows)), input_ids[:, -1]] = True
        for row in self._penalised:
            penalty = self._rows[row].repetition_penalty
            values = scores[row]
            scores[row] = torch.where(
                self._seen[row], torch.where(values > 0, values / penalty, values * penalty), values
            )

    def _draw(self, scores: Any) -> Any:
        """Draw one token for each of the sampled rows; (sampled rows, vocabulary) -> (sampled rows,)."""
        import torch

        rows = [self._rows[index] for index in self._sampled]

        def column(values: list[float]) -> Any:
            return torch.tensor(values, dtype=torch.float64, device=scores.device).unsqueeze(1)

        ordered, tokens = torch.sort(
            scores.double() / column([row.temperature for row in rows]), descending=True, stable=True
        )
        shares = torch.softmax(ordered, dim=-1)
        rank = torch.arange(shares.shape[1], device=shares.device).unsqueeze(0)
        shares = torch.where(shares < shares[:, :1] * column([row.min_p for row in rows]), 0.0, shares)
        limits = column([float(row.top_k or shares.shape[1]) for row in rows])
        shares = torch.where(rank >= limits, 0.0, shares)
        shares = shares / shares.sum(dim=-1, keepdim=True)
        before = shares.cumsum(dim=-1) - shares
        shares = torch.where((before >= column([row.top_p for row in rows])) & (rank > 0), 0.0, shares)
        cumulative = shares.cumsum(dim=-1)
        drawn = [
            torch.rand(1, generator=self._generators[index], dtype=torch.float64).item() for index in self._sampled
        ]
        place = torch.searchsorted(cumulative, column(drawn) * cumulative[:, -1:], right=True)
        last = (shares > 0).sum(dim=-1, keepdim=True) - 1
        return tokens.gather(1, torch.minimum(place, last)).squeeze(1)


class RowStopper:
    """A stopping criterion by row: its own length limit, its stop strings, a cancelled call."""

    def __init__(self, rows: list[Decoding], width: int, tokenizer: Any, cancelled: Callable[[int], bool]) -> None:
        self._rows = rows
        self._width = width
        self._tokenizer = tokenizer
        self._cancelled = cancelled
        self._tails = [max((len(text.encode()) for text in row.stop), default=0) + _TAIL_MARGIN for row in rows]

    def __call__(self, input_ids: Any, scores: Any, **kwargs: Any) -> Any:
        """See `transformers.StoppingCriteria`: (rows, length) token ids -> (rows,) booleans."""
        import torch

        length = input_ids.shape[1] - self._width
        done = [
            length >= row.max_tokens or self._cancelled(index) or (bool(row.stop) and self._hit(index, input_ids))
            for index, row in enumerate(self._rows)
        ]
        return torch.tensor(done, dtype=torch.bool, device=input_ids.device)

    def _hit(self, index: int, input_ids: Any) -> bool:
        start = max(self._width, input_ids.shape[1] - self._tails[index])
        text = self._tokenizer.decode(input_ids[index, start:], skip_special_tokens=True)
        return any(stop in text for stop in self._rows[index].stop)


def generate(
    loaded: Loaded, items: list[Item], batch: dict[str, Any], rows: list[Decoding], cancelled: Callable[[int], bool]
) -> list[Answer]:
    """Answer one batch.

    Args:
        loaded: the model.
        items: inputs of the rows.
        batch: the same, collated.
        rows: decoding of the rows; `max_tokens` within the context.
        cancelled: whether the call of a row was cancelled meanwhile.
    """
    import torch
    import transformers

    width = batch["input_ids"].shape[1]
    sampler = RowSampler(rows, batch["input_ids"], batch["attention_mask"])
    make_configuration: Any = transformers.GenerationConfig
    configuration = make_configuration(
        do_sample=False,
        max_new_tokens=max(row.max_tokens for row in rows),
        eos_token_id=loaded.stop_tokens or None,
        pad_token_id=loaded.pad_token,
    )
    with torch.inference_mode():
        output = loaded.model.generate(
            **batch,
            generation_config=configuration,
            logits_processor=transformers.LogitsProcessorList([sampler]),
            stopping_criteria=transformers.StoppingCriteriaList([RowStopper(rows, width, loaded.tokenizer, cancelled)]),
        )
    produced = output[:, width:].tolist()
    broken = sampler.broken or [False] * len(rows)
    return [
        _answer(loaded, tokens, row, len(item.ids), bad)
        for tokens, row, item, bad in zip(produced, rows, items, broken, strict=True)
    ]


def _answer(loaded: Loaded, tokens: list[int], row: Decoding, prompt_tokens: int, broken: bool) -> Answer:
    tokens = tokens[: row.max_tokens]
    end = next((place for place, token in enumerate(tokens) if token in loaded.stop_tokens), None)
    finish = "length" if end is None else "stop"
    if end is not None:
        tokens = tokens[: end + 1]
    text = loaded.tokenizer.decode(tokens, skip_special_tokens=True)
    places = [place for stop in row.stop if (place := text.find(stop)) >= 0]
    count = len(tokens)
    if places:
        text, finish = text[: min(places)], "stop"
        if end is None:
            count = _tokens_until_stop(loaded.tokenizer, tokens, row.stop)
    return Answer(text, finish, prompt_tokens, count, broken)


def _tokens_until_stop(tokenizer: Any, tokens: list[int], stops: tuple[str, ...]) -> int:
    """How many tokens were generated when the stop string was complete; a finished row is padded after that."""
    low, high = 1, len(tokens)
    while low < high:
        middle = (low + high) // 2
        text = tokenizer.decode(tokens[:middle], skip_special_tokens=True)
        if any(stop in text for stop in stops):
            high = middle
        else:
            low = middle + 1
    return low
