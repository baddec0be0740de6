"""Drawing a part of a data set: whole clusters, stratified, seeded, nested."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

LARGEST = 2**63 - 1
"""Of a count; what JSON writers and tables can hold."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What the draw needs to know of one sample."""

    position: int
    cluster: str
    stratum: str


def draw(entries: Iterable[Entry], limit: int | float, seed: int) -> set[int]:
    """Return the positions of about `limit` samples.

    Whole clusters are taken; clusters are ordered by a seeded hash inside their stratum and taken evenly over the strata,
    so a larger limit contains the samples of a smaller one as long as clusters have one size.

    Args:
        entries: all samples.
        limit: a count (int ≥ 1), or a share of the samples (float in (0, 1]).
        seed: the seed of the draw, apart from the seed of the data.
    """
    clusters: dict[str, list[Entry]] = {}
    for entry in entries:
        clusters.setdefault(entry.cluster, []).append(entry)
    total = sum(len(members) for members in clusters.values())
    wanted = max(1, round(limit * total)) if isinstance(limit, float) else limit
    if wanted >= total:
        return {entry.position for members in clusters.values() for entry in members}

    def rank(name: str) -> str:
        return hashlib.sha256(f"{seed}\x00{name}".encode()).hexdigest()

    strata: dict[str, list[str]] = {}
    for name, members in clusters.items():
        strata.setdefault(members[0].stratum, []).append(name)
    order: list[tuple[float, str, str]] = []
    for names in strata.values():
        ranked = sorted(names, key=rank)
        size = sum(len(clusters[name]) for name in ranked)
        before = 0
        for name in ranked:
            order.append(((before + len(clusters[name]) / 2) / size, rank(name), name))
            before += len(clusters[name])
    chosen: set[int] = set()
    for _, _, name in sorted(order):
        members = clusters[name]
        if chosen and len(chosen) + len(members) > wanted:
            continue
        chosen.update(entry.position for entry in members)
        if len(chosen) >= wanted:
            break
    return chosen


def parse_limit(text: str) -> int | float:
    """Read `--limit`: a count (`200`) or a share (`0.1`, `10%`).

    Raises:
        ValueError: for anything else.
    """
    if text.endswith("%"):
        share = float(text[:-1]) / 100
    elif text.isdigit():
        if int(text) < 1:
            raise ValueError("a limit is at least 1")
        if int(text) > LARGEST:
            raise ValueError(f"a limit is at most {LARGEST}")
        return int(text)
    else:
        try:
            share = float(text)
        except ValueError:
            raise ValueError("no number") from None
    if not 0 < share <= 1:
        raise ValueError("a share lies above 0 and at most 1")
    return share
