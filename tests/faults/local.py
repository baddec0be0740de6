"""Faults of the machine: signals, full disks, damaged files, clocks, file systems without locks, killed workers."""

from __future__ import annotations

import errno
import json
import random
import signal
import time
from pathlib import Path

from tests.faults.hooks import COUNT_FILE
from tests.faults.lab import Lab, Tally, differing, invented_words, lost_entries, same_table, twice
from tests.faults.zygote import Ended, Zygote

SLOWLY = ("--engine-arg", "latency_s=0.01", "--concurrency", "4")
NEXT_RUN = "the next run"


def settle(lab: Lab, tally: Tally, ended: Ended, known: dict[str, bytes], reference: Lab) -> None:
    """Hold a run that came to its end after faults against one without."""
    assert ended.code == 0, ended.err
    counts = json.loads(ended.out)["counts"]
    if counts["asked"]:
        tally.lost += len(known) - counts["cached"]
    tally.lost += lost_entries(known, lab.committed())
    tally.duplicated += twice(lab.table())
    tally.invented += differing(lab.table(), reference.table())
    assert same_table(lab.table(), reference.table()), "a run with faults came to something else"
    assert lab.manifest()["status"] == "complete"
    assert not list(lab.folder.rglob("*.new")), "a half-written file is left behind"


def reference_run(zygote: Zygote, folder: Path) -> tuple[Lab, float]:
    """A run without faults, and its seconds."""
    lab = Lab(zygote, folder)
    began = time.monotonic()
    assert lab.run(*SLOWLY).code == 0
    return lab, time.monotonic() - began


def signals(zygote: Zygote, folder: Path, seed: int = 0, times: int = 100) -> list[Tally]:
    """SIGKILL, SIGTERM, SIGINT and two SIGINTs at random points, from the first instruction to the last table."""
    chooser = random.Random(seed)
    reference, seconds = reference_run(zygote, folder / "reference")
    names = ("SIGKILL", "SIGTERM", "SIGINT", "SIGINT twice")
    tallies = {name: Tally(f"{name} at a random point", NEXT_RUN) for name in names}
    chain = 0
    while sum(tally.times for tally in tallies.values()) < times:
        chain += 1
        lab, known = Lab(zygote, folder / str(chain)), dict[str, bytes]()
        tally = tallies["SIGKILL"]
        for _ in range(10):
            name = chooser.choice(names)
            tally = tallies[name]
            child = lab.start(*SLOWLY)
            time.sleep(chooser.uniform(0.0, seconds))
            number = signal.SIGKILL if name == "SIGKILL" else signal.SIGTERM if name == "SIGTERM" else signal.SIGINT
            hit = child.kill(number)
            if hit and name == "SIGINT twice":
                time.sleep(0.005)
                child.kill(number)
            tally.times += hit
            ended = child.wait()
            # Before the run has begun a signal ends the process as it ends any other.
            right = {-signal.SIGKILL} if number == signal.SIGKILL else {130, 0, -number}
            assert not hit or ended.code in right | {0}, f"{name}: exit code {ended.code}: {ended.err}"
            assert "Traceback" not in ended.err, ended.err
            now = lab.committed()
            tally.lost += lost_entries(known, now)
            tally.invented += differing(lab.table(), reference.table())
            tally.duplicated += twice(lab.table())
            known = now
            if not hit or sum(tally.times for tally in tallies.values()) >= times:
                break
        settle(lab, tally, lab.run(*SLOWLY), known, reference)
    return list(tallies.values())


def commit_points(zygote: Zygote, folder: Path, seed: int = 0, points: int = 6) -> list[Tally]:
    """SIGKILL just before and just after a commit: what is committed stays, what is not was never shown as finished."""
    reference, _ = reference_run(zygote, folder / "reference")
    tally = Tally("SIGKILL before or after a commit", NEXT_RUN)
    for point in [number * sign for number in range(1, points // 2 + 1) for sign in (1, -1)]:
        lab = Lab(zygote, folder / str(point))
        ended = lab.start(*SLOWLY, hook=f"kill-at-commit {point}").wait()
        if ended.code == 0:
            continue
        assert ended.code == -signal.SIGKILL, ended.err
        tally.times += 1
        known = lab.committed()
        assert known or point == 1
        settle(lab, tally, lab.run(*SLOWLY), known, reference)
    return [tally]


def full_disk(
    zygote: Zygote, folder: Path, seed: int = 0, points: int | None = None, number: int = errno.ENOSPC
) -> list[Tally]:
    """The disk is full from one write on: every write of a run in its turn, or so many of them, drawn by `seed`."""
    reference, _ = reference_run(zygote, folder / "reference")
    counter = Lab(zygote, folder / "count")
    assert counter.run(hook="full-at 0").code == 0
    last = int((counter.folder / COUNT_FILE).read_text())
    chosen = list(range(1, last + 1))
    if points is not None:
        chosen = sorted(random.Random(seed).sample(chosen, min(points, last)))
    tally = Tally("disk full at a write", NEXT_RUN)
    for point in chosen:
        lab = Lab(zygote, folder / str(point))
        ended = lab.run(hook=f"full-at {point} {number}")
        tally.times += 1
        known = lab.committed()
        tally.invented += differing(lab.table(), reference.table())
        tally.duplicated += twice(lab.table())
        if ended.code == 0:  # what the run can do without: a memo, a store of frames
            assert same_table(lab.table(), reference.table())
        else:
            assert ended.code in (2, 6), f"write {point}: {ended.code}: {ended.err}"
            assert "another" in ended.err or "run the same command again" in ended.err, ended.err
        settle(lab, tally, lab.run(), known, reference)
    return [tally]


def full_file(zygote: Zygote, folder: Path, seed: int = 0, points: int = 6) -> list[Tally]:
    """The kernel refuses to let a file grow beyond a size (`RLIMIT_FSIZE`): SQLite's own files meet it as well."""
    reference, _ = reference_run(zygote, folder / "reference")
    chooser = random.Random(seed)
    tally = Tally("file size limit", NEXT_RUN)
    for point in range(points):
        lab = Lab(zygote, folder / str(point))
        ended = lab.run(hook=f"largest-file {chooser.randrange(1_000, 120_000)}")
        tally.times += 1
        known = lab.committed()
        tally.invented += differing(lab.table(), reference.table())
        assert ended.code in (0, 2, 6), ended.err
        settle(lab, tally, lab.run(), known, reference)
    return [tally]


def torn_log(zygote: Zygote, folder: Path, seed: int = 0, times: int = 6) -> list[Tally]:
    """A power cut: the process is killed, and the end of SQLite's log is missing or garbage."""
    reference, seconds = reference_run(zygote, folder / "reference")
    chooser = random.Random(seed)
    tally = Tally("torn write-ahead log", "the next run: whole transactions of the log count")
    for attempt in range(20 * times):
        if tally.times == times:
            break
        lab = Lab(zygote, folder / str(attempt))
        child = lab.start(*SLOWLY)
        log = lab.folder / "cache.sqlite-wal"
        while child.poll() is None and not (log.exists() and log.stat().st_size > 20_000):
            time.sleep(0.005)
        time.sleep(chooser.uniform(0.0, seconds / 4))
        if not child.kill():
            continue
        child.wait()
        data = bytearray(log.read_bytes()) if log.exists() else bytearray()
        if len(data) < 5_000:
            continue
        place = chooser.randrange(64, len(data))
        if attempt % 2:
            data[place:] = chooser.randbytes(len(data) - place)
        else:
            del data[place:]
        log.write_bytes(data)
        tally.times += 1
        known = lab.committed()
        settle(lab, tally, lab.run(*SLOWLY), known, reference)
    return [tally]


def damaged_pages(zygote: Zygote, folder: Path, seed: int = 0, times: int = 8) -> list[Tally]:
    """Bytes of the cache's file are overwritten: `verify` says so, no damaged entry is used, `salvage` keeps the sound ones."""
    reference, _ = reference_run(zygote, folder / "reference")
    chooser = random.Random(seed)
    tally = Tally(
        "damaged pages of the cache", "the next run, after `mmeval cache salvage` where SQLite refuses the file"
    )
    for attempt in range(times):
        lab = Lab(zygote, folder / str(attempt))
        assert lab.run(*SLOWLY).code == 0
        path = lab.cache
        data = bytearray(path.read_bytes())
        for _ in range(1 + attempt % 4):
            place = chooser.randrange(100 if attempt % 3 else 0, len(data))
            length = chooser.choice((1, 8, 200, 4096))
            data[place : place + length] = chooser.randbytes(len(data[place : place + length]))
        path.write_bytes(data)
        tally.times += 1
        verdict = zygote.run(lab.folder, "cache", "verify", "--cache", "cache.sqlite")
        assert verdict.code in (0, 2), verdict.err
        ended = lab.run(*SLOWLY, to="again")
        tally.invented += differing(lab.table("again"), reference.table())
        assert ended.code in (0, 2, 6), ended.err
        if ended.code:
            assert "corrupt" in ended.err, ended.err
            assert verdict.code == 2, "verify called a cache sound that a run could not use"
        saved = zygote.run(lab.folder, "cache", "salvage", "--cache", "cache.sqlite", "-o", "saved.sqlite")
        if saved.code == 0:
            kept = lab.committed("saved.sqlite")
            tally.invented += sum(reference.committed().get(key) != data for key, data in kept.items())
            ended = lab.run(*SLOWLY, to="healed", cache="saved.sqlite")
            counts = json.loads(ended.out)["counts"]
            tally.lost += len(kept) - counts["cached"]
        else:
            assert saved.code == 2, saved.err
            ended = lab.run(*SLOWLY, to="healed", cache="new.sqlite")
        assert ended.code == 0, ended.err
        assert same_table(lab.table("healed"), reference.table())
    return [tally]


def wrong_clock(zygote: Zygote, folder: Path, seed: int = 0, times: int = 3) -> list[Tally]:
    """The wall clock jumps by years at every look."""
    reference, _ = reference_run(zygote, folder / "reference")
    tally = Tally("jumping clock", "the same run")
    for number in range(times):
        lab = Lab(zygote, folder / str(number))
        ended = lab.run(*SLOWLY, hook=f"clock {seed + number}")
        tally.times += 1
        settle(lab, tally, ended, {}, reference)
        settle(lab, tally, lab.run(*SLOWLY, hook=f"clock {seed + number + 1}"), lab.committed(), reference)
    return [tally]


def network_file_system(zygote: Zygote, folder: Path, seed: int = 0, times: int = 3) -> list[Tally]:
    """No shared memory (so no WAL), locks as files; two processes at once, one of them killed."""
    reference, seconds = reference_run(zygote, folder / "reference")
    chooser = random.Random(seed)
    tally = Tally("file system without shared memory", NEXT_RUN)
    hook = "no-shared-memory"
    for number in range(times):
        lab = Lab(zygote, folder / str(number))
        lock = lab.folder / "cache.sqlite.lock"
        first, second = lab.start(*SLOWLY, hook=hook), lab.start(*SLOWLY, hook=hook, to="other")
        time.sleep(chooser.uniform(seconds / 4, seconds))
        first.kill()
        while second.poll() is None:
            # The lock of a dead process is freed by the file server after a while; here the test does it.
            held = lock.stat().st_ino if lock.exists() else 0
            time.sleep(0.3)
            if held and lock.exists() and lock.stat().st_ino == held:
                lock.rmdir()
        ended = second.wait()
        assert ended.code == 0, ended.err
        if lock.exists():
            lock.rmdir()
        tally.times += 1
        known = lab.committed()
        settle(lab, tally, lab.run(*SLOWLY, hook=hook), known, reference)
        assert not (lab.folder / "cache.sqlite-wal").exists()
    return [tally]


def no_locks(zygote: Zygote, folder: Path, seed: int = 0) -> list[Tally]:
    """`flock` fails: with the lock daemon missing, and not known to the file system at all. POSIX locks take its place."""
    reference, _ = reference_run(zygote, folder / "reference")
    tally = Tally("file system without flock", "the same run: POSIX locks")
    for number in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP):
        lab = Lab(zygote, folder / str(number))
        hook = f"no-flock {number}"
        child = lab.start(*SLOWLY, hook=hook)
        while child.poll() is None and not (lab.run_folder / "rows.sqlite").exists():
            time.sleep(0.005)
        second = lab.run(*SLOWLY, hook=hook)
        assert second.code in (0, 2), second.err
        assert second.code == 0 or "another mmeval process" in second.err, second.err
        tally.times += 1
        settle(lab, tally, child.wait(), {}, reference)
    return [tally]


def read_only(zygote: Zygote, folder: Path, seed: int = 0) -> list[Tally]:
    """Folders that may not be written: the run ends at once with code 2, names the place, and spoils nothing."""
    reference, _ = reference_run(zygote, folder / "reference")
    tally = Tally("read-only folder", "the next run, where it may write")
    for name in ("run", "cache", "everything", "media"):
        lab = Lab(zygote, folder / name)
        assert lab.run("--limit", "12", to="earlier", cache="store/cache.sqlite").code == 0
        known = lab.committed("store/cache.sqlite")
        (lab.run_folder / "media").mkdir(parents=True)
        closed = {
            "run": lab.run_folder,
            "cache": lab.folder / "store",
            "everything": lab.folder,
            "media": lab.run_folder / "media",
        }[name]
        changed = [closed, *closed.rglob("*")] if name == "cache" else [closed]
        for place in changed:
            place.chmod(0o555 if place.is_dir() else 0o444)
        to = "new/run" if name == "everything" else "run"
        ended = lab.run(*SLOWLY, hook="no-privileges", to=to, cache="store/cache.sqlite")
        for place in changed:
            place.chmod(0o755 if place.is_dir() else 0o644)
        tally.times += 1
        assert ended.code in (2, 6), f"{name}: {ended.code} {ended.err}"
        assert "writ" in ended.err or "store media" in ended.err, ended.err
        tally.lost += lost_entries(known, lab.committed("store/cache.sqlite"))
        ended = lab.run(*SLOWLY, cache="store/cache.sqlite")
        assert ended.code == 0, ended.err
        tally.lost += lost_entries(known, lab.committed("store/cache.sqlite"))
        tally.invented += differing(lab.table(), reference.table())
        tally.duplicated += twice(lab.table())
        assert same_table(lab.table(), reference.table())
    return [tally]


def killed_worker(zygote: Zygote, folder: Path, seed: int = 0, times: int = 3) -> list[Tally]:
    """The engine's worker process is killed, as the kernel kills it when memory runs out."""
    lab = Lab(zygote, folder, pictures=False)
    chooser = random.Random(seed)
    tally = Tally("engine worker killed (out of memory)", "the same run, or the next: restarted, asked again")
    child = lab.start(model="puppet:x", hook="puppet")
    killed: set[int] = set()
    deadline = time.monotonic() + 90
    while child.poll() is None and len(killed) < times and time.monotonic() < deadline:
        for pid in _children(child.pid):
            if pid not in killed and lab.committed():
                time.sleep(chooser.uniform(0.0, 0.1))
                if _kill(pid):
                    killed.add(pid)
                    # One answer between two crashes, as restarts in a row are bounded.
                    known = len(lab.committed())
                    while child.poll() is None and len(lab.committed()) == known and time.monotonic() < deadline:
                        time.sleep(0.02)
        time.sleep(0.01)
    ended = child.wait()
    # A request in flight at two crashes may be what kills the worker: it is an error of this run, and asked by the next.
    assert ended.code in (0, 6), ended.err
    tally.times = len(killed)
    known = lab.committed()
    tally.invented += invented_words(lab.table())
    again = lab.run(model="puppet:x", hook="puppet")
    assert again.code == 0, again.err
    tally.lost += lost_entries(known, lab.committed())
    table = lab.table()
    tally.lost += lab.questions - int((table["outcome"] == "scored").sum())
    tally.invented += invented_words(table)
    tally.duplicated += twice(table)
    return [tally]


def _children(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _kill(pid: int) -> bool:
    import os

    try:
        if b"puppet_worker" not in Path(f"/proc/{pid}/cmdline").read_bytes():
            return False
        os.kill(pid, signal.SIGKILL)
    except OSError:
        return False
    return True


def changing_data(zygote: Zygote, folder: Path, seed: int = 0) -> list[Tally]:
    """The data file is rewritten while a run reads it: in place, and by another file in its place."""
    tally = Tally("data set changed under the run", "refused by name; the next run on a file at rest")
    for way in ("in place", "replaced", "shorter"):
        lab = Lab(zygote, folder / way.replace(" ", "-"), questions=1200, pictures=False)
        child = lab.start("--engine-arg", "latency_s=0.02", "--concurrency", "4")
        deadline = time.monotonic() + 60
        while len(lab.committed()) < 8 and time.monotonic() < deadline:
            time.sleep(0.02)
        path = lab.folder / "questions.jsonl"
        text = path.read_text()
        changed = text.replace("Which word?", "Which number?") if way != "shorter" else text[: len(text) // 3]
        if way == "replaced":
            (lab.folder / "new.jsonl").write_text(changed)
            (lab.folder / "new.jsonl").replace(path)
        else:
            path.write_text(changed)
        ended = child.wait()
        tally.times += 1
        assert ended.code == 2, f"{way}: {ended.code} {ended.err[-600:]}"
        assert "changed while" in ended.err, ended.err
        assert lab.manifest()["status"] == "incomplete"
        known = lab.committed()
        path.write_text(text)
        ended = lab.run("--limit", "60", to="again")
        assert ended.code == 0, ended.err
        tally.lost += lost_entries(known, lab.committed())
        tally.duplicated += twice(lab.table("again"))
    return [tally]
