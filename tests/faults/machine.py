"""What a machine gives a process: standard streams, open files, memory, threads, signals; and what lies in its folders."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.faults.lab import Lab, Tally, differing, lost_entries, same_table, twice
from tests.faults.local import SLOWLY, reference_run, settle
from tests.faults.zygote import Child, Zygote

STREAMS = {
    "1 broken": 0, "1 full": 2, "1 closed": 0, "2 broken": 0, "2 full": 0, "2 closed": 0, "12 broken": 0, "12 closed": 0,
}  # fmt: skip
"""What is wrong with which standard streams -> the exit code of a run that is complete."""


def lost_streams(zygote: Zygote, folder: Path, seed: int = 0, times: int = len(STREAMS)) -> list[Tally]:
    """Standard output or error has no reader, no room, or is closed: the run comes to its end, and its code says how it went."""
    reference, _ = reference_run(zygote, folder / "reference")
    tally = Tally("standard output or error gone", "the same run")
    for number, (hook, code) in enumerate(list(STREAMS.items())[:times]):
        lab = Lab(zygote, folder / str(number))
        ended = lab.run(*SLOWLY, hook=f"stream {hook}")
        tally.times += 1
        assert ended.code == code, f"{hook}: {ended.code}: {ended.err}"
        if code:
            assert "standard output cannot be written" in ended.err, ended.err
        if hook.startswith("2"):
            assert json.loads(ended.out)["counts"]["scored"] == lab.questions
        known = lab.committed()
        tally.lost += lab.questions - len(known)
        # A run that is not complete says so, whoever reads it.
        failing = ("--engine-arg", "failure_share=0.5", "--attempts", "1")
        broken = lab.run(*failing, hook=f"stream {hook}", to="broken", cache="other.sqlite")
        assert broken.code == 6, f"{hook}: {broken.code}: {broken.err}"
        settle(lab, tally, lab.run(*SLOWLY), known, reference)
    return [tally]


def _torn(size: int | None, data: bytes = b"") -> Callable[[Path], None]:
    def tear(run: Path) -> None:
        path = run / "run.json"
        path.write_bytes(data if size is None else path.read_bytes()[:size])

    return tear


def _table(name: str, size: int) -> Callable[[Path], None]:
    return lambda run: os.truncate(run / name, size)


def _other_table(run: Path) -> None:
    shutil.copyfile(run / "results.parquet", run / "samples.parquet")


def _leftovers(run: Path) -> None:
    for name in ("rows.sqlite", "rows.sqlite-journal", "progress.json", "results.parquet.new", "run.json.new"):
        (run / name).write_bytes(b"left behind")
    (run / ".lock").write_text("4194304")


DAMAGE: dict[str, Callable[[Path], None]] = {
    "half a manifest": _torn(300),
    "an empty manifest": _torn(0),
    "a manifest of zeros": _torn(None, bytes(4096)),
    "a manifest that is null": _torn(None, b"null"),
    "half a table": _table("results.parquet", 700),
    "an empty table": _table("results.parquet", 0),
    "half a table of samples": _table("samples.parquet", 300),
    "another table": _other_table,
    "files of a dead process": _leftovers,
}
READERS = (
    ("report", "run"),
    ("compare", "run", "other"),
    ("score", "run", "-o", "new"),
    ("merge", "run", "-o", "whole"),
)


def damaged_run(zygote: Zygote, folder: Path, seed: int = 0, times: int = len(DAMAGE), readers: int = 0) -> list[Tally]:
    """Files of a run folder are torn: whoever reads them names the file, and the same command makes them whole again."""
    reference, _ = reference_run(zygote, folder / "reference")
    tally = Tally("damaged files of a run folder", "the same command: tables and manifest are made from the cache")
    lab = Lab(zygote, folder / "lab")
    assert lab.run(*SLOWLY).code == 0
    shutil.copytree(lab.run_folder, lab.folder / "other")
    known = lab.committed()
    for harm in list(DAMAGE.values())[:times]:
        harm(lab.run_folder)
        tally.times += 1
        for command in READERS[:readers]:
            for made in ("new", "whole"):
                shutil.rmtree(lab.folder / made, ignore_errors=True)
            told = zygote.run(lab.folder, *command)
            assert told.code in (0, 2), f"{command[0]}: {told.code} {told.err}"
            assert told.code == 0 or "run/" in told.err, told.err
        ended = lab.run(*SLOWLY)
        tally.lost += json.loads(ended.out)["counts"]["asked"] if ended.code == 0 else lab.questions
        settle(lab, tally, ended, known, reference)
    # What cannot be told apart from somebody else's run is left alone.
    stranger = lab.run("--engine-arg", "answer=other", to="strange", cache="other.sqlite", model="fake:other")
    assert stranger.code == 0, stranger.err
    before = (lab.folder / "strange" / "results.parquet").read_bytes()
    DAMAGE["half a manifest"](lab.folder / "strange")
    refused = lab.run(*SLOWLY, to="strange")
    assert refused.code == 2, refused.err
    assert "--overwrite" in refused.err, refused.err
    assert (lab.folder / "strange" / "results.parquet").read_bytes() == before
    replaced = lab.run(*SLOWLY, "--overwrite", to="strange")
    assert replaced.code == 0, replaced.err
    assert same_table(lab.table("strange"), reference.table())
    tally.invented += differing(lab.table("strange"), reference.table())
    tally.duplicated += twice(lab.table("strange"))
    return [tally]


def small_disks(zygote: Zygote, folder: Path, seed: int = 0, times: int = 8) -> list[Tally]:
    """A file system of its own, with too little room or too few files for a run with its report, at all stages of it.

    Needs the right to mount; without it there is no fault to inject, and no tally.
    """
    reference = Lab(zygote, folder / "reference")
    assert reference.run().code == 0
    full, files = (
        Tally("file system full", "the next run, with more room"),
        Tally("file system without inodes", "the next run, with more files"),
    )
    limits = [*(f"size={kib}k" for kib in range(130, 330, 50)), *(f"size=20m,nr_inodes={n}" for n in range(18, 40, 7))]
    for number, limit in enumerate(limits[:times]):
        place = folder / str(number)
        place.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", limit, "none", str(place)]
        if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
            return []
        tally = files if "inodes" in limit else full
        try:
            lab = Lab(zygote, place / "lab")
            command = [argument for argument in lab.arguments() if argument != "--no-report"]
            ended = zygote.run(lab.folder, *command)
            known = lab.committed()
            tally.times += 1
            assert ended.code in (0, 2, 6), f"{limit}: {ended.code}: {ended.err}"
            assert (
                ended.code == 0 or "No space left" in ended.err or "full" in ended.err or "unable to open" in ended.err
            )
            tally.invented += differing(lab.table(), reference.table())
            subprocess.run(["mount", "-o", "remount,size=20m,nr_inodes=1000", str(place)], check=True)
            settle(lab, tally, zygote.run(lab.folder, *command), known, reference)
            assert (lab.run_folder / "report.html").exists()
        finally:
            subprocess.run(["umount", "-l", str(place)], check=True)
    return [full, files]


SHORT = {
    "14 open files": "limit NOFILE 14",
    "20 open files": "limit NOFILE 20",
    "no threads": "no-threads 6",
    "no memory": "no-memory 8",
    "CPU time": "limit CPU 1 1000",
}
"""What there is too little of -> the hook."""


def shortages(zygote: Zygote, folder: Path, seed: int = 0) -> list[Tally]:
    """The machine runs out of open files, threads or memory: said so, nothing is blamed on the data, and the next run completes."""
    reference, _ = reference_run(zygote, folder / "reference")
    tally = Tally("too few open files, threads, memory", "the next run")
    for number, (name, hook) in enumerate(SHORT.items()):
        lab = Lab(zygote, folder / str(number))
        ended = lab.run(*SLOWLY, hook=hook)
        tally.times += 1
        assert ended.code in (0, 2, 6, 130), f"{name}: {ended.code}: {ended.err}"
        if ended.code in (2, 6):
            assert "ran out" in ended.err or "same command again" in ended.err, f"{name}: {ended.err}"
            assert "asking again does not help" not in ended.err, f"{name}: {ended.err}"
        known = lab.committed()
        tally.invented += differing(lab.table(), reference.table())
        settle(lab, tally, lab.run(*SLOWLY), known, reference)
    return [tally]


def _cache_files(lab: Lab) -> list[Path]:
    return [place for place in lab.folder.glob("cache.sqlite*") if place.is_file()]


def _delete_cache(lab: Lab, child: Child) -> None:
    for place in _cache_files(lab):
        place.unlink()


def _move_cache(lab: Lab, child: Child) -> None:
    for place in _cache_files(lab):
        place.rename(place.with_name("moved-" + place.name))


def _delete_folder(lab: Lab, child: Child) -> None:
    shutil.rmtree(lab.run_folder)


def _hang_up(lab: Lab, child: Child) -> None:
    # The kernel and the shell both say that a terminal was closed; then somebody ends the process in earnest.
    for number in (signal.SIGHUP, signal.SIGHUP, signal.SIGTERM):
        child.kill(number)


def _pause(lab: Lab, child: Child) -> None:
    child.kill(signal.SIGSTOP)
    time.sleep(1)
    child.kill(signal.SIGCONT)


MEDDLING: dict[str, tuple[Callable[[Lab, Child], None], int]] = {
    "terminal closed": (_hang_up, 130),
    "process paused": (_pause, 0),
    "cache deleted": (_delete_cache, 6),
    "cache moved": (_move_cache, 6),
    "run folder deleted": (_delete_folder, 2),
}
"""What is done to a run under way -> its exit code."""


def meddling(zygote: Zygote, folder: Path, seed: int = 0) -> list[Tally]:
    """Somebody closes the terminal, stops the process for a while, or takes files away that it has open."""
    reference, _ = reference_run(zygote, folder / "reference")
    gone, closed = (
        Tally("files of a run deleted or moved under it", "the next run"),
        Tally("SIGHUP, SIGSTOP", "the next run"),
    )
    for number, (name, (meddle, code)) in enumerate(MEDDLING.items()):
        lab = Lab(zygote, folder / str(number))
        tally = closed if meddle in (_hang_up, _pause) else gone
        slowly = ("--engine-arg", "latency_s=0.1", "--concurrency", "4")
        child = lab.start(*slowly)
        deadline = time.monotonic() + 60
        while len(lab.committed()) < 8 and child.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        known = lab.committed()
        meddle(lab, child)
        ended = child.wait()
        tally.times += 1
        assert ended.code == code, f"{name}: {ended.code}: {ended.err}"
        assert "Traceback" not in ended.err, ended.err
        tally.lost += lost_entries(known, lab.committed())
        tally.invented += differing(lab.table(), reference.table())
        known = lab.committed()
        settle(lab, tally, lab.run(*slowly), known, reference)
    return [gone, closed]


ENDED = (("score", "run", "-o", "new"), ("merge", "run", "-o", "new"), ("report", "run", "-o", "new.html"))


def ended_commands(zygote: Zygote, folder: Path, seed: int = 0) -> list[Tally]:
    """SIGTERM and SIGHUP end every other command as Ctrl-C does: 130, and the run that it read is as it was.

    The same command goes through next, unless the new folder is complete (the signal came while its report was drawn): that is refused as always.
    """
    lab = Lab(zygote, folder)
    assert lab.run(*SLOWLY).code == 0
    tally = Tally("SIGTERM, SIGHUP of score, merge, report", "the same command")
    rows, files = lab.table(), sorted(place.name for place in lab.run_folder.iterdir())
    for command in ENDED:
        for number in (signal.SIGTERM, signal.SIGHUP):
            child = zygote.start(lab.folder, *command)
            time.sleep(0.05)
            tally.times += child.kill(number)
            ended = child.wait()
            # Before the command has begun a signal ends the process as it ends any other.
            assert ended.code in (130, 0, -number), f"{command[0]}: {ended.code}: {ended.err}"
            assert "Traceback" not in ended.err, ended.err
            if ended.code == 0 or (lab.folder / "new" / "run.json").exists():  # only the report was left to write
                shutil.rmtree(lab.folder / "new", ignore_errors=True)
        again = zygote.run(lab.folder, *command)
        assert again.code == 0, again.err
        assert not list(lab.folder.rglob("*.new")), command
        shutil.rmtree(lab.folder / "new", ignore_errors=True)
    tally.lost += not same_table(lab.table(), rows)
    assert sorted(place.name for place in lab.run_folder.iterdir()) == files
    return [tally]
