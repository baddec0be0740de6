"""A report as a folder that opens from disk: the page, beside it the samples in blocks, and the pictures as they were sent."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import orjson

from mmeval import __version__
from mmeval.reports.build import NO_SAMPLES, prepare
from mmeval.reports.comparison import MARGIN
from mmeval.reports.corpus import Corpus
from mmeval.reports.gate_record import ShownGate
from mmeval.reports.indexing import index_columns
from mmeval.reports.packing import CHUNK, compressed, packed_block
from mmeval.reports.page import REPORT, render_page
from mmeval.reports.staging import MARKER, staged
from mmeval.reports.templates import Templates
from mmeval.runs.folder import Run

FACE = replace(REPORT, beside=True)
CALLBACK = "mmevalBlock"
"""Function of the page that every data file calls; pages opened from disk may load scripts, and nothing else."""
THREADS = min(4, os.cpu_count() or 1)


@dataclass(frozen=True, slots=True)
class BundleSummary:
    """What was written."""

    path: Path
    """Of the page in the folder."""
    bytes: int
    samples: int
    pictures: int
    missing: int
    """Pictures that no run folder holds as they were sent."""


def build_bundle(
    runs: Sequence[Run],
    folder: Path,
    *,
    template_dir: Path | None = None,
    baseline: str | None = None,
    margin: float = MARGIN,
    gate: ShownGate | None = None,
) -> BundleSummary:
    """Write the report of all samples as a folder. The same runs give the same files.

    Args:
        runs: run folders, each possibly narrowed to one model.
        folder: made, or replaced as a whole when it is an older bundle.
        template_dir: a folder with some of the files of `reports/` in another form.
        baseline: label of the model that the others are set against; when None that of the gate, or the first one.
        margin: differences below this share of 1 are drawn inside a band.
        gate: verdicts to show with it.

    Raises:
        UsageError: as `build_report`, and when the folder holds anything else than a bundle.
        DataError: when a run folder is damaged.
        ComparisonError: a gate of other runs.
        StorageError: when the folder cannot be written.
    """
    with staged(folder) as place:
        corpus, values = prepare(runs, baseline, margin, gate)
        total = len(corpus.records)
        blocks = range(0, total, CHUNK)
        beside = {"blocks": len(blocks), "digits": len(str(max(1, len(blocks))))}
        samples = {**NO_SAMPLES, "shown": total, "total": total}
        browser = values["browser"] | {"beside": beside}
        page = render_page(Templates(template_dir), {**values, **samples, "browser": browser}, FACE).encode()
        written = _Writer(place, runs)
        written.add("index.html", page)
        if total:
            written.call("index", index_columns(corpus.briefs(range(total)), CHUNK))
        for number, start in enumerate(blocks, 1):
            written.block(f"chunk-{number:0{beside['digits']}d}", corpus, range(start, min(total, start + CHUNK)))
        pictures, missing = written.pictures, written.missing
        facts = {"mmeval_bundle": 1, "version": __version__, "samples": total, "pictures": pictures, "missing": missing}
        written.add(MARKER, orjson.dumps(facts, option=orjson.OPT_INDENT_2) + b"\n")
    return BundleSummary(folder / "index.html", written.bytes, total, pictures, missing)


class _Writer:
    """Writes the files of a bundle and counts them."""

    def __init__(self, place: Path, runs: Sequence[Run]) -> None:
        self.place, self.runs, self.bytes = place, runs, 0
        self._kept: dict[str, str | None] = {}
        """Hash of each picture -> suffix of its file, None where it is missing."""
        (place / "data").mkdir()
        (place / "img").mkdir()

    @property
    def pictures(self) -> int:
        return sum(suffix is not None for suffix in self._kept.values())

    @property
    def missing(self) -> int:
        return len(self._kept) - self.pictures

    def add(self, name: str, data: bytes) -> None:
        (self.place / name).write_bytes(data)
        self.bytes += len(data)

    def call(self, name: str, data: bytes, *more: object) -> None:
        """Write a script that hands packed JSON to the page."""
        self._script(name, compressed(data), *more)

    def block(self, name: str, corpus: Corpus, places: range) -> None:
        """Write some records and their pictures; the script says which of these there are."""
        hashes = list(dict.fromkeys(sha256 for place in places for sha256 in corpus.records[place].images))
        fresh = [sha256 for sha256 in hashes if sha256 not in self._kept]
        with ThreadPoolExecutor(THREADS) as pool:
            for sha256, (suffix, size) in zip(fresh, pool.map(self._copy, fresh), strict=True):
                self._kept[sha256] = suffix
                self.bytes += size
        files = {sha256: suffix for sha256 in hashes if (suffix := self._kept[sha256]) is not None}
        self._script(name, packed_block(corpus, places), files)

    def _script(self, name: str, packed: str, *more: object) -> None:
        arguments = ",".join(orjson.dumps(value).decode() for value in (name, packed, *more))
        self.add(f"data/{name}.js", f"{CALLBACK}({arguments});\n".encode())

    def _copy(self, sha256: str) -> tuple[str | None, int]:
        """Copy the picture from the first run that holds the very bytes that were sent."""
        found = next((media for run in self.runs if (media := run.media(sha256)) is not None), None)
        if found is None:
            return None, 0
        data, suffix = found
        (self.place / "img" / f"{sha256}.{suffix}").write_bytes(data)
        return suffix, len(data)
