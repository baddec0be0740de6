"""A task under one protocol: a card with its data set, and the digests that say which numbers compare."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mmeval.core.errors import DataError
from mmeval.core.hashing import digest
from mmeval.core.types import PreparedMedia, Sample, Sampling
from mmeval.tasks import synthetic
from mmeval.tasks.card import Card, beside, parse_card
from mmeval.tasks.check import check, columns, verifier_name
from mmeval.tasks.data import Row, Source
from mmeval.tasks.generated import synthetic_source
from mmeval.tasks.gold import field_value, optional_text, to_pixels
from mmeval.tasks.limit import Entry, draw
from mmeval.tasks.opened import OpenTask, no_rows
from mmeval.tasks.options import AskStyle, DataOptions
from mmeval.tasks.parts import part_of
from mmeval.tasks.plain_cells import plain_text
from mmeval.tasks.prompts import DEFAULT_TEMPLATE, instruction_for
from mmeval.tasks.registry import CardFile
from mmeval.tasks.samples import GOLD_SPACE, row_sample, synthetic_sample
from mmeval.tasks.sources import open_dataset
from mmeval.tasks.trial import try_rows
from mmeval.verifiers.base import Verifier
from mmeval.verifiers.judge_files import judges_beside
from mmeval.verifiers.registry import get_verifier

MIXED_KINDS = ("choice", "expression", "list", "number", "open", "text", "yes-no")
"""What the rows of `kind: mixed` may be, unless the card brings its own prompt and verifier."""


@dataclass(frozen=True, slots=True)
class Task:
    """A validated card with one protocol laid over it."""

    card: Card
    protocol: str
    prompt_override: str | None = None
    """Text of `--prompt-file`."""
    judge_folders: tuple[Path, ...] = ()
    """Folders with judge cards that the card brings along."""

    @classmethod
    def load(cls, file: CardFile, protocol: str = "default", prompt_override: str | None = None) -> Task:
        """Validate a card file under a protocol.

        Raises:
            UsageError: for a card with mistakes or an unknown protocol, verifier or metric.
        """
        card = beside(parse_card(file.raw, file.path, protocol), file.path)
        task = cls(card, protocol, prompt_override, judges_beside(file.path))
        check(task.card, file.path, prompt_override, task.judge_folders)
        return task

    def _plain_columns(self) -> list[str]:
        """The columns that every row must have."""
        dataset = self.card.dataset
        named = [column for _, column in columns(self.card)] + [*dataset.where]
        named += [self.card.prompt.column] if self.card.prompt.column and self.prompt_override is None else []
        made = {*dataset.each, *dataset.beside}
        if dataset.pairs is not None:
            named = [column.removeprefix("first.").removeprefix("second.") for column in named]
            made.add("pair")
        return [column for column in dict.fromkeys(named) if not column.startswith("=") and column not in made]

    @property
    def name(self) -> str:
        """The task's name, without the protocol."""
        return self.card.name

    @property
    def verifier(self) -> Verifier:
        """The rule verifier of the card."""
        return get_verifier(verifier_name(self.card), self.card.answer.options)

    @property
    def sampling(self) -> Sampling:
        """The protocol's decoding."""
        fields = self.card.decoding.model_dump(exclude={"repeats"})
        return Sampling(**{**fields, "stop": tuple(fields["stop"])})

    @property
    def chance(self) -> float | None:
        """Value of the best blind guess where it is known exactly."""
        source = self.card.dataset.synthetic
        if source is not None:
            return synthetic.chance(source.generator, source.difficulty)
        return self.card.chance

    def ask_digest(self, sampling: Sampling, condition: str) -> str:
        """Digest of what is asked: prompt, media settings, decoding, condition. The model's profile is no part of it."""
        card = self.card
        prompt = card.prompt.model_dump()
        if self.prompt_override is not None:
            prompt |= {"template": self.prompt_override, "column": None}
        written: dict[str, Any] = {}
        if prompt["column"] is None:
            kinds = MIXED_KINDS if card.answer.kind == "mixed" else (card.answer.kind,)
            written = {
                "kinds": kinds,
                "answer_type": card.fields.answer_type,
                "template": prompt["template"] or DEFAULT_TEMPLATE,
                "instructions": [instruction_for(kind, card.answer.options, "pixels", "xy") for kind in kinds],
            }
        decoding = {name: getattr(sampling, name) for name in Sampling.__dataclass_fields__ if name != "seed"}
        return digest(
            {
                "prompt": prompt,
                "written": written,
                "images": card.fields.images,
                **({"video": [card.fields.videos, card.video.settings]} if card.fields.videos else {}),
                "decoding": decoding,
                "condition": condition,
                **({"strategy": card.strategy.asked()} if card.strategy is not None else {}),
            }
        )

    def score_digest(self, judge: Mapping[str, Any] | None = None) -> str:
        """Digest of how answers are scored: parser, verifier and metrics with their versions, and the judge where there is one."""
        from mmeval.metrics import get_metric

        verifier = self.verifier
        chosen = [get_metric(name) for name in self.card.metrics]
        metrics = [[metric.name, metric.version] for metric in chosen]
        columns = {**self.card.subsets, **self.card.groups}
        grouped = {name: columns.get(name) for metric in chosen for name in metric.columns}
        answer = {**self.card.answer.model_dump(), "answer_type": self.card.fields.answer_type}
        judged = {"judge": dict(judge)} if judge is not None else {}
        more: dict[str, Any] = {"groups": grouped} if grouped else {}
        if self.card.strategy is not None:
            more["way"] = self.card.strategy.scored()
        return digest(
            {"answer": answer, "verifier": [verifier.name, verifier.version], "metrics": metrics, **more, **judged}
        )

    def open(self, options: DataOptions) -> OpenTask:
        """Open the data set; with a limit draw the samples, and with a shard take its part of them.

        Raises:
            DataError: when the data set is missing or a row has no such column.
        """
        if self.card.dataset.synthetic is not None:
            source = synthetic_source(self.card)
        else:
            source = open_dataset(self.card.dataset, self.name, options.data_dir, self._plain_columns())
        try_rows(self, source)
        opened = self._drawn(source, options)
        return opened if options.shard is None else replace(opened, part=part_of(opened, options.shard))

    def _drawn(self, source: Source, options: DataOptions) -> OpenTask:
        if options.limit is None:
            return OpenTask(self, source, None, source.total)
        if source.fetch is not None:
            return OpenTask(self, source, self._first(source, options.limit), source.total)
        entries = list(self._entries(source))
        if not entries:
            raise no_rows(self)
        return OpenTask(self, source, draw(entries, options.limit, options.limit_seed), len(entries))

    def _first(self, source: Source, limit: int | float) -> range:
        """The first items of an endless generator: its answers are balanced over consecutive blocks."""
        assert source.fetch is not None
        assert source.total is not None
        count = max(1, round(limit * source.total)) if isinstance(limit, float) else limit
        last, following = source.fetch(count - 1), source.fetch(count)
        if last.values["item"].cluster == following.values["item"].cluster:
            count = count - 1 if count > 1 else count + 1
        return range(count)

    def _entries(self, source: Source) -> Iterator[Entry]:
        first_subset = next(iter(self.card.subsets.values()), None)
        columns = [name for name in (self.card.fields.cluster, first_subset) if name]
        computed = any(name.startswith("=") for name in columns)  # an expression may ask for any column
        for number, row in enumerate(source.rows() if computed else source.passing((), columns)):
            try:
                cluster = optional_text(self.card.fields.cluster, row)
                stratum = plain_text(field_value(first_subset, row), row.place, first_subset) if first_subset else ""
            except DataError:
                # Reported under the row's own id when it is drawn and built.
                cluster, stratum = "", ""
            yield Entry(number, cluster or f"row-{number}", stratum)

    def sample(self, row: Row, style: AskStyle) -> Sample:
        """Build the sample of one row.

        Raises:
            DataError: naming file, row and column.
        """
        try:
            if row.problem is not None:
                raise row.problem
            if self.card.dataset.synthetic is not None:
                return synthetic_sample(self, row, style)
            return row_sample(self, row, style)
        except DataError as error:
            if row.place in error.message:
                raise
            raise DataError(f"{row.place}: {error.message}", remedy=error.remedy) from error

    def settle(
        self, sample: Sample, media: Sequence[PreparedMedia], sent: Sequence[PreparedMedia] | None = None
    ) -> Sample:
        """Return the sample with what only the media tell: image sizes, gold in original pixels, the image as cluster.

        Args:
            sample: as built from its row.
            media: the source media.
            sent: the media as sent, where they differ.
        """
        images = [image for prepared in media for image in prepared.images]
        if not images:
            return sample if sample.cluster else replace(sample, cluster=sample.id)
        first = images[0]
        size = (first.source_width, first.source_height)
        shown = next((image for prepared in sent or () for image in prepared.images), first)
        context = replace(sample.context, image_size=size, sent_size=(shown.width, shown.height))
        target = sample.target
        space = sample.item.get(GOLD_SPACE, self.card.answer.coordinates)
        if space != "pixels":
            target = to_pixels(target, size, 1.0 if space == "unit" else 1000.0)
        cluster = sample.cluster or f"image-{first.source_sha256[:16]}"
        return replace(sample, context=context, target=target, cluster=cluster)


def item_hash(sample: Sample, media: Sequence[PreparedMedia]) -> str:
    """Hash of the source item: question, choices, target, original media, row id."""
    sources = [[image.source_sha256 for image in prepared.images] for prepared in media]
    return digest({**sample.item, "media": sources})
