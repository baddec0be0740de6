"""Counting rows while a run goes on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmeval.core.hashing import digest
from mmeval.core.types import OUTCOMES
from mmeval.pipeline.runner import Finished
from mmeval.runs.reasons import Reasons


class Tally:
    """Counts over all rows, and the order-independent digest of the items."""

    def __init__(self) -> None:
        self.outcomes: dict[str, int] = {}
        self.failures: dict[str, int] = {}
        """Rows by the text of their reason, of the first thousand."""
        self._reasons = Reasons()
        self.at_fault = 0
        """Rows whose own data keep them from a score (unreadable, without a gold answer): asking again does not help."""
        self._items: dict[int, tuple[int, int]] = {}
        self.samples: dict[int, int] = {}

    def add(self, finished: Finished, row: Mapping[str, Any]) -> None:
        """Count one row."""
        outcome = finished.verdict.outcome
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1
        if outcome in {"error", "unscored", "unsupported"}:
            # A judge that gave no verdict is asked again by the next run.
            hopeless = outcome == "unscored" and finished.verdict.judge_model is None
            unreadable = outcome == "error" and not finished.unit.request_hash and not finished.response.retryable
            self.at_fault += hopeless or unreadable
            reason = str(row["error"] or row["reason"] or outcome).splitlines()[0][:200]
            self._reasons.add(reason)
            if reason in self.failures or len(self.failures) < 1000:
                self.failures[reason] = self.failures.get(reason, 0) + 1
        order = finished.unit.order
        if order.model == 0 and order.condition == 0 and order.repeat == 0:
            self.samples[order.task] = self.samples.get(order.task, 0) + 1
            if finished.unit.item_hash:
                count, total = self._items.get(order.task, (0, 0))
                self._items[order.task] = (count + 1, (total + int(finished.unit.item_hash, 16)) % 2**256)

    def items_digest(self, task: int) -> str | None:
        """Digest of the multiset of item hashes, or None when some sample could not be read."""
        count, total = self._items.get(task, (0, 0))
        return digest([count, f"{total:064x}"]) if count and count == self.samples.get(task) else None

    def reasons(self) -> dict[str, int]:
        """Failure reasons with their number of rows, most frequent first."""
        return self._reasons.counts()

    def counts(self) -> dict[str, int]:
        """Rows by outcome, every outcome named."""
        return {name: self.outcomes.get(name, 0) for name in OUTCOMES}
