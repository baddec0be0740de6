"""Numbers over several tasks that suites declare: which of them a run can show."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from mmeval.core.errors import UsageError
from mmeval.tasks.suites import Aggregate, Suite

TaskKey = tuple[str, str]
"""(task, protocol)."""


@dataclass(frozen=True, slots=True)
class Member:
    """One task in an aggregate."""

    task: str
    protocol: str
    metric: str = ""
    """Empty: the task's primary metric."""

    @property
    def key(self) -> str:
        """`TASK` or `TASK@PROTOCOL`."""
        return self.task if self.protocol == "default" else f"{self.task}@{self.protocol}"


@dataclass(frozen=True, slots=True)
class PlannedAggregate:
    """The unweighted mean of tasks that are all in a run."""

    name: str
    suite: str
    members: tuple[Member, ...]
    shared: bool
    """Whether clusters of the same name in different tasks are the same (the same questions in another form)."""


def plan_aggregates(
    suites: Mapping[str, Suite], selectors: Iterable[str], asked: Collection[TaskKey]
) -> tuple[list[PlannedAggregate], list[str]]:
    """Return the aggregates whose members are all asked, and notes on those of named suites that lack one.

    Every suite is looked at, so that naming the tasks one by one shows the aggregate too; only suites that were named are
    missed aloud.

    Args:
        suites: all suites by name.
        selectors: what `-t` was given, one name each.
        asked: the tasks of the run.

    Raises:
        UsageError: a member whose metric does not exist.
    """
    named = dict(_named(suites, selectors))
    found: dict[tuple[str, tuple[Member, ...]], PlannedAggregate] = {}
    notes = []
    for name, suite in sorted(suites.items()):
        for given in suite.file.aggregates:
            members = members_of(given, named.get(name, ""))
            lacking = list(dict.fromkeys(one.key for one in members if (one.task, one.protocol) not in asked))
            if not lacking:
                _check(name, given, members)
                planned = PlannedAggregate(given.name, name, members, given.clusters == "shared")
                found.setdefault((given.name, members), planned)
            elif name in named:
                notes.append(
                    f"suite {name}: {given.name} is not shown, because {', '.join(lacking)} is not in this run"
                )
    return list(found.values()), notes


def members_of(given: Aggregate, protocol: str = "") -> tuple[Member, ...]:
    """Return the members of an aggregate.

    Args:
        given: the aggregate.
        protocol: of members that name none (`-t SUITE@PROTOCOL`).
    """
    return tuple(_member(text, protocol) for text in given.mean)


def _named(suites: Mapping[str, Suite], selectors: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield the suites that selectors name, also inside other suites, with the protocol that `@` gives their tasks."""
    waiting = list(selectors)
    seen: set[str] = set()
    while waiting:
        selector = waiting.pop()
        name, _, protocol = selector.partition("@")
        if name not in suites or selector in seen:
            continue
        seen.add(selector)
        yield name, protocol
        inner = suites[name].selectors
        waiting += [one if "@" in one or not protocol else f"{one}@{protocol}" for one in inner]


def _check(suite: str, given: Aggregate, members: Iterable[Member]) -> None:
    from mmeval.metrics import get_metric

    for one in members:
        try:
            get_metric(one.metric or "accuracy")
        except UsageError as error:
            raise UsageError(f"suite {suite}: {given.name}: {error.message}", remedy=error.remedy) from error


def _member(text: str, protocol: str) -> Member:
    """Read `TASK[@PROTOCOL][:METRIC]`."""
    whole, _, metric = text.partition(":")
    task, _, own = whole.partition("@")
    return Member(task, own or protocol or "default", metric)
