"""What strategies that a card declares have in common."""

from __future__ import annotations

from dataclasses import dataclass

from mmeval.tasks.looking import StrategySection


@dataclass(frozen=True, slots=True)
class DeclaredStrategy:
    """A strategy from the section `strategy` of a card, which says its name and version."""

    section: StrategySection

    @property
    def name(self) -> str:
        """See `Strategy.name`."""
        return self.section.name

    @property
    def version(self) -> str:
        """See `Strategy.version`."""
        return self.section.version
