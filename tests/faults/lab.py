"""Questions with known answers, commands to ask them, and what must hold whatever happened: nothing lost, invented or duplicated."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from PIL import Image

from tests.faults.server import FaultyServer
from tests.faults.zygote import Child, Ended, Zygote

QUESTIONS = 40
PICTURES = 4
"""Every question of so many has a picture."""
KEY = ["model", "task", "sample_id", "condition", "repeat"]


@dataclass
class Tally:
    """What a scenario came to; its parts are added up."""

    fault: str
    recovered_by: str
    times: int = 0
    lost: int = 0
    """Committed answers that were gone, changed or asked again; answers handed over whole that no row shows."""
    invented: int = 0
    """Rows with a response that nobody gave."""
    duplicated: int = 0
    """Rows that stand twice, and answers that were paid for twice without need."""

    @property
    def clean(self) -> bool:
        """Whether the invariant held."""
        return self.times > 0 and self.lost == self.invented == self.duplicated == 0


class Lab:
    """One folder with a data set, and the commands of a test in it.

    Args:
        zygote: starts the commands.
        folder: an empty folder.
        questions: number of rows.
        pictures: whether some rows have one.
    """

    def __init__(self, zygote: Zygote, folder: Path, questions: int = QUESTIONS, pictures: bool = True) -> None:
        self.zygote = zygote
        self.folder = folder
        self.questions = questions
        folder.mkdir(parents=True, exist_ok=True)
        self.write_data(pictures)
        self.cache = folder / "cache.sqlite"
        self.run_folder = folder / "run"

    def write_data(self, pictures: bool, extra: str = "") -> None:
        """Write the data set."""
        rows = []
        for number in range(self.questions):
            row: dict[str, Any] = {
                "id": f"q{number}", "question": f"This is question number {number}. Which word?{extra}",
                "answer": f"word-{number}",
            }  # fmt: skip
            if pictures:
                row["image"] = f"{number}.png" if number % PICTURES == 0 else ""
                if row["image"]:
                    Image.new("RGB", (24, 16), (number, 99, 200)).save(self.folder / row["image"])
            rows.append(json.dumps(row))
        (self.folder / "questions.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")

    def arguments(
        self, *more: str, model: str = "fake:fixed", to: str = "run", cache: str = "cache.sqlite"
    ) -> list[str]:
        """A `run` command."""
        return [
            "run", "-m", model, "-t", "file:questions.jsonl", "--answer-kind", "text", "-o", to, "--cache", cache,
            "--no-report", "--json", *more,
        ]  # fmt: skip

    def start(self, *more: str, hook: str = "", **named: str) -> Child:
        """Start a run."""
        return self.zygote.start(self.folder, *self.arguments(*more, **named), hook=hook)

    def run(self, *more: str, hook: str = "", **named: str) -> Ended:
        """Run to the end."""
        return self.zygote.run(self.folder, *self.arguments(*more, **named), hook=hook)

    def against(self, server: FaultyServer, *more: str, hook: str = "", to: str = "run") -> Ended:
        """Run against a server."""
        url = ("--base-url", server.url, "--model-id", "weights")
        return self.run(*url, *more, model="openai:sim", to=to, hook=hook)

    def committed(self, cache: str = "cache.sqlite") -> dict[str, bytes]:
        """Key -> stored answer, of every entry whose checksum fits."""
        path = self.folder / cache
        if not path.exists():
            return {}
        with sqlite3.connect(path) as database:
            try:
                rows = database.execute("SELECT key, response, checksum FROM responses").fetchall()
            except sqlite3.DatabaseError:
                return {}  # killed before the tables were made, or no database any more
        return {
            key: data for key, data, checksum in rows
            if hashlib.blake2b(key.encode() + data, digest_size=12).digest() == checksum
        }  # fmt: skip

    def table(self, to: str = "run") -> pd.DataFrame:
        """The results of a run, without what differs between two undisturbed runs; empty where there are none."""
        path = self.folder / to / "results.parquet"
        if not path.exists():
            return pd.DataFrame(columns=[*KEY, "outcome", "response", "status", "error"])
        return pd.read_parquet(path).drop(columns=["latency_s", "reasoning"])

    def manifest(self, to: str = "run") -> dict[str, Any]:
        """`run.json`, which must always be whole JSON."""
        found: dict[str, Any] = json.loads((self.folder / to / "run.json").read_bytes())
        return found


def twice(table: pd.DataFrame) -> int:
    """Rows that stand more than once."""
    return int(table.duplicated(KEY).sum())


def invented_words(table: pd.DataFrame) -> int:
    """Rows whose response is not the one answer to their question."""
    given = table[table["response"].notna()]
    right = "word-" + given["sample_id"].str.removeprefix("q")
    return int((given["response"] != right).sum())


def differing(table: pd.DataFrame, reference: pd.DataFrame) -> int:
    """Rows with a response that is not that of a run without faults."""
    if table.empty:
        return 0
    both = table.merge(reference, on=KEY, how="left", suffixes=("", "_right"))
    given = both[both["response"].notna()]
    return int((given["response"] != given["response_right"]).sum())


def lost_entries(before: dict[str, bytes], after: dict[str, bytes]) -> int:
    """Committed answers that are gone or another."""
    return sum(after.get(key) != data for key, data in before.items())


def same_table(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    """Whether two runs came to the same."""
    return one.equals(other) or one.to_json(orient="records") == other.to_json(orient="records")


Scenario = Callable[[Zygote, Path, int], Tally]
"""Takes the zygote, an empty folder and how often to inject (a share of what the scenario can)."""
