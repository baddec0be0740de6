"""Writes docs/tasks.md, the overview of all cards and suites, from the cards themselves.

python scripts/make_task_table.py [--check]
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from mmeval.tasks.families import in_order  # noqa: E402
from mmeval.tasks.needs import needs_of  # noqa: E402
from mmeval.tasks.registry import Registry  # noqa: E402
from mmeval.tasks.suites import Suite  # noqa: E402

PAGE = ROOT / "docs" / "tasks.md"
HEAD = """\
# The benchmarks and suites that ship

Written by `python scripts/make_task_table.py` from the cards in `tasks/`; a test keeps it so. `mmeval tasks show NAME` prints a card in full:
columns, prompts, where its facts come from, published numbers with their protocols.

- **protocols**: how else the task can be asked or scored (`-t TASK@PROTOCOL`). Those with * need a judge (`--judge`). Protocols that suites
  add are not listed.
- **data**: the hub data set, with the revision that it is pinned to, or where the files are looked for. Data are never downloaded silently
  from elsewhere; `--data-dir DIR` reads a copy.
- **status**: `unverified` where no row of the real data set was at hand when the card was written. Its columns and rules stand in public code
  or in the data set's own description, which `provenance` in the card names; the tests read rows of our own in that schema.
"""


def page() -> str:
    """Return the page."""
    registry = Registry([])
    cards = [file.raw for _, file in sorted(registry.cards.items())]
    parts = [HEAD]
    for family in in_order(str(card["family"]) for card in cards):
        parts.append(f"\n## {family.capitalize() if family != 'ocr' else 'Charts, documents, text in pictures'}\n\n")
        parts.append(_table(_rows([card for card in cards if card["family"] == family], registry.suites)))
    parts.append("\n## Suites\n\n")
    parts.append(_table(_suite_rows(registry.suites.values())))
    return "".join(parts)


def _rows(cards: Iterable[Mapping[str, Any]], suites: Iterable[str]) -> Iterator[tuple[str, ...]]:
    yield "task", "title", "rows", "licence", "protocols", "data", "status"
    added = set(suites)
    for card in cards:
        dataset = card["dataset"]
        named = card.get("protocols") or {}
        needing = {
            name for name, keys in named.items() if any(step["when"] == "always" for step in keys.get("judges", ()))
        }
        protocols = ", ".join(f"{name}*" if name in needing else name for name in named if name not in added)
        needs = ", ".join(needs_of(card))
        rows = (dataset.get("synthetic") or {}).get("size", 500) if dataset.get("synthetic") else dataset.get("rows")
        yield (
            f"`{card['name']}`",
            f"{card['title']}{f' (needs: {needs})' if needs else ''}",
            f"{rows:,}" if rows else "?",
            str(card.get("licence", "unknown")),
            protocols or "–",
            _data(dataset),
            str(card.get("status", "verified")),
        )


def _data(dataset: Mapping[str, Any]) -> str:
    if dataset.get("synthetic"):
        return "procedural"
    hub = dataset.get("hub")
    if hub is None:
        return "files: " + ", ".join(f"`{pattern}`" for pattern in dataset["local"]["files"][:2])
    revision = hub.get("revision")
    return f"[{hub['id']}](https://huggingface.co/datasets/{hub['id']}) {f'@{revision[:7]}' if revision else '(not pinned)'}"


def _suite_rows(suites: Iterable[Suite]) -> Iterator[tuple[str, ...]]:
    yield "suite", "what it is", "tasks"
    for suite in suites:
        described = " ".join(suite.file.description.split())
        yield f"`{suite.name}`", described, ", ".join(suite.selectors)


def _table(rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows]
    width = lines[0].replace("\\|", "").count("|") - 1
    return "\n".join([lines[0], f"|{'---|' * width}", *lines[1:]]) + "\n"


if __name__ == "__main__":
    text = page()
    if "--check" in sys.argv[1:]:
        sys.exit(0 if PAGE.exists() and PAGE.read_text(encoding="utf-8") == text else f"{PAGE} is not up to date")
    PAGE.write_text(text, encoding="utf-8")
    print(PAGE.relative_to(ROOT))
