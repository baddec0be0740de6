"""The HTML report of one or more runs."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmeval import __version__
from mmeval.conditions.base import get_condition
from mmeval.core.errors import StorageError, UsageError, unknown
from mmeval.core.files import write
from mmeval.reports.comparison import MARGIN
from mmeval.reports.contents import Contents, read_contents
from mmeval.reports.corpus import Corpus, read_corpus
from mmeval.reports.failures import empty_notices
from mmeval.reports.figures import PALETTE
from mmeval.reports.format import count, plural
from mmeval.reports.gate_record import ShownGate
from mmeval.reports.heatmaps import SMALL
from mmeval.reports.images import Thumbnails
from mmeval.reports.names import RunNames, name_runs
from mmeval.reports.packing import Packed, pack
from mmeval.reports.page import REPORT, Face, render_page
from mmeval.reports.preselection import SEED
from mmeval.reports.provenance import provenance
from mmeval.reports.templates import Templates
from mmeval.runs.folder import Run

_NOTHING = Packed([], "", [], ((0, 1), (0, 1), (0, 1)), 1)
"""What a page holds whose size without samples is asked for: with the notice that some are left out."""
NO_SAMPLES = {"blocks": [], "index": "", "images": [], "shown": 0, "total": 0, "banner": "", "edge": 0}
"""What the template takes for its sample browser, of a page that holds none itself."""


LEAST_BYTES = 200
"""What a sample takes in the page at the least: its part of a compressed block and of the index."""


@dataclass(frozen=True, slots=True)
class ReportSummary:
    """What was written."""

    path: Path
    bytes: int
    samples_shown: int
    samples_total: int
    oversize: bool = False
    """Tables and charts alone are larger than the limit."""


def build_report(
    runs: Sequence[Run],
    output: Path,
    *,
    max_mb: float = 20.0,
    template_dir: Path | None = None,
    baseline: str | None = None,
    margin: float = MARGIN,
    face: Face = REPORT,
    gate: ShownGate | None = None,
) -> ReportSummary:
    """Write one self-contained HTML file. The same runs give the same bytes.

    Args:
        runs: run folders, each possibly narrowed to one model; an item that several of them hold is shown once.
        output: the file to write; replaced only when the new one is complete.
        max_mb: size to keep within, in megabytes (10^6 bytes). Only the sample browser is cut for it, never a number.
        template_dir: a folder with some of the templates, style sheets and script modules of `reports/` in another form.
        baseline: label of the model that the others are set against; when None that of the gate, or the first one.
        margin: differences below this share of 1 are drawn inside a band.
        face: of the page; `mmeval view` has its own.
        gate: verdicts to show with it.

    Raises:
        UsageError: without runs, for a size that is not positive, an unknown baseline, or a broken template folder.
        DataError: when a run folder is damaged.
        ComparisonError: a gate of other runs.
        StorageError: when the file cannot be written.
    """
    if not max_mb > 0:
        raise UsageError(f"--max-mb {max_mb:g}: not a size", remedy="give a positive number of megabytes")
    limit = int(max_mb * 1e6)
    corpus, values = prepare(runs, baseline, margin, gate, limit // LEAST_BYTES)
    templates = Templates(template_dir)
    bare = len(render_page(templates, values | _samples(_NOTHING, max_mb), face).encode())
    thumbnails, budget = Thumbnails(runs), max(0, limit - bare)
    packed = pack(corpus, thumbnails, budget)
    page = render_page(templates, values | _samples(packed, max_mb), face).encode()
    while len(page) > limit and packed.shown:
        # The markup around blocks and pictures counts too, and is known only once they are chosen.
        budget = max(0, budget - (len(page) - limit))
        packed = pack(corpus, thumbnails, budget)
        page = render_page(templates, values | _samples(packed, max_mb), face).encode()
    _write(output, page)
    return ReportSummary(output, len(page), packed.shown, packed.total, len(page) > limit)


def prepare(
    runs: Sequence[Run],
    baseline: str | None = None,
    margin: float = MARGIN,
    gate: ShownGate | None = None,
    most: int | None = None,
) -> tuple[Corpus, dict[str, Any]]:
    """Read runs and compute everything of their page that does not depend on how its samples are kept.

    Args:
        runs, baseline, margin, gate: as `build_report`.
        most: samples that could be shown; of larger runs no more are read in full.

    Returns:
        The samples, and values of the template, which besides needs those of `NO_SAMPLES`.

    Raises:
        UsageError, DataError, ComparisonError: as `build_report`.
    """
    if not runs:
        raise UsageError("a report needs at least one run", remedy="name a run folder")
    names = name_runs(runs)
    check_baseline(names, baseline)
    contents = read_contents(names, baseline, margin, gate)
    corpus = read_corpus(names, most)
    return corpus, _values(names, contents, corpus, margin)


def check_baseline(names: Sequence[RunNames], baseline: str | None) -> None:
    """Refuse a baseline that is no model of the report.

    Raises:
        UsageError: with the labels that there are; for the chance engine too, which nothing is compared with.
    """
    labels = [label for entry in names for label in entry.models.values()]
    if baseline is not None and baseline not in labels:
        raise unknown("model", baseline, labels)
    guessers = {
        entry.models[model.name]
        for entry in names
        for model in entry.run.manifest.models
        if model.engine == "chance" and model.name in entry.models
    }
    if baseline in guessers:
        others = [label for label in labels if label not in guessers]
        raise UsageError(
            f"--baseline {baseline}: the chance engine is no baseline; its value stands beside every model as chance",
            remedy=f"name a model: {', '.join(others)}" if others else "leave --baseline out",
        )


def _values(names: Sequence[RunNames], contents: Contents, corpus: Corpus, margin: float) -> dict[str, Any]:
    """Everything in the template that does not depend on how many samples fit."""
    runs = [provenance(entry) for entry in names]
    rows, empty = empty_notices(names)
    tables, comparison = contents.tables, contents.comparison
    facts = [
        plural(len(corpus.models), "model"),
        plural(len(corpus.tasks), "task"),
        plural(corpus.total, "sample"),
        plural(rows, "answer"),
    ]
    return {
        "title": contents.title,
        "facts": facts,
        "version": __version__,
        "runs": runs,
        "empty": empty,
        "tables": tables,
        "charts": contents.charts,
        "measures": contents.measures,
        "published": contents.published,
        "maps": contents.maps,
        "small": SMALL,
        "comparison": comparison,
        "margin": f"{100 * margin:g}",
        "perception": contents.perception,
        "gate": contents.gate,
        "methods": contents.methods,
        "browser": {
            "models": corpus.models,
            "tasks": corpus.tasks,
            "conditions": corpus.conditions,
            "guessers": sorted({corpus.models.index(column.model) for column in tables.columns if column.guesser}),
            "moved": _moved(corpus.conditions),
            "palette": list(PALETTE),
            "pairs": _pairs(contents),
            "beside": None,
        },
    }


def _pairs(contents: Contents) -> list[list[int]]:
    """What the browser offers first: baseline, candidate and condition of every comparison, by their places."""
    found, places = contents.comparison.found, contents.places
    pairs = [] if found is None else [(found.base, name) for name in found.candidates]
    offered = [(places.models[base], places.models[candidate], places.standard) for base, candidate in pairs]
    judged = [tuple(int(place) for place in key.split("-")[:3]) for key, _ in contents.gate.pairs]
    return [list(pair) for pair in dict.fromkeys([*offered, *judged])]


def _moved(conditions: Sequence[str]) -> list[int]:
    """Places of the conditions that move pixels, under which no coordinates can be drawn."""
    moved = []
    for place, name in enumerate(conditions):
        with contextlib.suppress(UsageError):  # a condition of another version: its pictures are shown as they are
            if get_condition(name).moves:
                moved.append(place)
    return moved


def _samples(packed: Packed, max_mb: float) -> dict[str, Any]:
    return {
        "blocks": packed.blocks,
        "index": packed.index,
        "images": packed.images,
        "shown": packed.shown,
        "total": packed.total,
        "banner": _banner(packed, max_mb),
        "edge": packed.edge if packed.images else 0,
    }


RANK_WORDS = ("on which models disagree", "more with an answer that failed or could not be read", "others")


def _banner(packed: Packed, max_mb: float) -> str:
    """Say exactly what the sample browser leaves out; empty when it leaves out nothing."""
    if packed.shown == packed.total:
        return ""
    parts: list[str] = []
    for (shown, total), words in zip(packed.ranks, RANK_WORDS, strict=True):
        if total:
            amount = f"all {count(total)}" if shown == total else f"{count(shown)} of the {count(total)}"
            drawn = f" (drawn with seed {SEED})" if 0 < shown < total else ""
            parts.append(f"{amount} {words if parts else words.removeprefix('more ')}{drawn}")
    kept = " and ".join([part for part in (", ".join(parts[:-1]), parts[-1]) if part])
    why = "to keep this file below" if packed.shown else "because tables and charts leave no room below"
    return (
        f"{count(packed.shown)} of {count(packed.total)} samples are shown: {kept}. "
        f"{plural(packed.total - packed.shown, 'sample')} left out {why} {max_mb:g} MB (--max-mb). "
        "All tables and charts use all samples; `mmeval report --bundle DIR` leaves none out."
    )


def _write(path: Path, page: bytes) -> None:
    temporary = path.with_name(path.name + ".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(temporary, page)
        temporary.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):  # the same trouble; the error below tells it
            temporary.unlink()
        raise StorageError(
            f"cannot write {path}: {error.strerror or error}", remedy="free some space or give another file with -o"
        ) from error
