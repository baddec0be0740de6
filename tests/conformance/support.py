"""What the conformance tests share: reading published files, and rows of the results table from answers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mmeval.core.types import AnswerContext, Response
from mmeval.verifiers.base import GUESS_SHARE, GUESSED, Verifier, verify


def expectations(folder: Path) -> dict[str, Any]:
    """Return what the archive says that its files must get."""
    found: dict[str, Any] = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    return found


def json_lines(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a JSON lines file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def table_row(
    verifier: Verifier,
    name: str,
    text: str,
    target: Any,
    context: AnswerContext,
    subsets: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return the row of the results table of one scored answer."""
    verdict = verify(verifier, Response("ok", text), target, context)
    return {
        "sample_id": name, "repeat": 0, "cluster": "", "outcome": verdict.outcome, "score": verdict.score,
        "correct": verdict.correct, "scores": dict(verdict.scores), "subsets": dict(subsets or {}),
    }  # fmt: skip


def right(rows: Iterable[Mapping[str, Any]]) -> int:
    """Return how many rows are right."""
    return sum(bool(row["correct"]) for row in rows)


def guesses(rows: Iterable[Mapping[str, Any]]) -> int:
    """Return how many rows the official script would decide by lot; each says how often the lot would be right."""
    drawn = [row["scores"] for row in rows if GUESSED in row["scores"]]
    assert all(scores[GUESSED] == 1.0 and 0 < scores[GUESS_SHARE] <= 1 for scores in drawn)
    return len(drawn)


def image_cells(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return MMMU's seven image columns, filled with a dot wherever the row's text shows an image."""
    import io

    from PIL import Image

    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "PNG")
    text = f"{row.get('question', '')} {row['options']}"
    cell = {"bytes": buffer.getvalue(), "path": None}
    return {f"image_{number}": cell if f"<image {number}>" in text else None for number in range(1, 8)}


def responses(path: Path, rows: Iterable[Mapping[str, Any]], name: str = "id") -> str:
    """Write ids and responses alone, so that the stored verdicts cannot be taken for ours; return the path."""
    lines = [json.dumps({"id": str(row[name]), "response": row["response"]}) for row in rows]
    path.write_text("\n".join(lines), encoding="utf-8")
    return str(path)
