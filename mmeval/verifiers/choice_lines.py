"""The line of an answer section that names an option by itself: a letter alone, or a labelled line that is no list."""

from __future__ import annotations

import re

from mmeval.verifiers.answer import lines, stripped
from mmeval.verifiers.choice_patterns import ALSO, AMBIGUOUS, EDGE
from mmeval.verifiers.choice_section import ChoiceSection, index_of
from mmeval.verifiers.letters import Letter, line_label
from mmeval.verifiers.options import Found


class ChoiceLines(ChoiceSection):
    """Reads the first and the last line of an answer section against one list of options."""

    def _own_line(self) -> Found | None:
        """Read a first or last line that is only a letter, or opens with one that is no item of a list of options."""
        all_lines = lines(self.text)
        if not all_lines:
            return None
        labels = [line_label(self.text, *line) for line in all_lines]
        labels = [label if label is not None and label.index < self.count else None for label in labels]
        first, last = (self._line(all_lines, labels, position) for position in (0, len(all_lines) - 1))
        if len(all_lines) == 1:
            return last
        if first is None or last is None:
            return last or first
        if first.index is None and last.index is not None and labels[0] is not None and labels[-1] is None:
            return last  # a list of the options, and then a letter alone
        if first.index is None or last.index is None:
            return first if first.index is None else last
        return last if self.options.same(first.index, last.index) else Found.none(AMBIGUOUS, last.start)

    def _line(self, all_lines: list[tuple[int, int]], labels: list[Letter | None], position: int) -> Found | None:
        exact = self._exact(*stripped(self.text, *all_lines[position], EDGE)) if len(all_lines) > 1 else None
        if (
            exact is not None
            and position > 1
            and self.text[exact.start : exact.end].islower()
            and exact.end - exact.start == 1
        ):
            exact = None  # the "d" of a formula that was cut off
        if exact is not None and position and position == len(all_lines) - 1 and self._cut_item(all_lines, exact):
            return Found.none(AMBIGUOUS, exact.start)
        if exact is not None and exact.index is not None and exact.end - exact.start == 1 and labels[position] is None:
            return exact
        label = labels[position]
        if label is None:
            return exact
        others = {item.index for item in labels if item is not None} - {label.index}
        if others and not self._apart(all_lines, labels, position):
            complete = len(others) + 1 >= self.count
            return None if complete and position else Found.none(AMBIGUOUS, label.start)
        if exact is not None:
            return exact
        following = ALSO.match(self.text, label.end, all_lines[position][1])
        if following is not None and index_of(following) != label.index:
            return Found.none(AMBIGUOUS, label.start)
        rest = stripped(self.text, label.end, all_lines[position][1], EDGE)
        other = self._equal(*rest)
        if self._second(label, all_lines[position][1]) or (
            other is not None and not self.options.same(label.index, other)
        ):
            return Found.none(AMBIGUOUS, label.start)
        return Found(label.index, label.start, label.end)

    def _apart(self, all_lines: list[tuple[int, int]], labels: list[Letter | None], position: int) -> bool:
        """Whether a labelled line is no item of a list: "…, so the answer is:" leads to it, or the order breaks."""
        label = labels[position]
        assert label is not None
        if position:
            previous = labels[position - 1]
            if previous is None:
                before = self.text[slice(*all_lines[position - 1])]
                return before.endswith(":") and not re.search(r"\b(?:options|choices)\b", before, re.IGNORECASE)
            return previous.index != label.index - 1 and sum(item is not None for item in labels) > 2
        following = next((item for item in labels[1:] if item is not None), None)
        return following is not None and following.index in (0, label.index) and label.index > 0
