"""Faults of an endpoint: all of them at once, each against a run of its own."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.faults import server as faults
from tests.faults.lab import Lab, Tally, differing, invented_words, lost_entries, same_table, twice
from tests.faults.server import Fault, FaultyServer
from tests.faults.zygote import Child, Zygote

RETRIES = "the same run: asked again after a wait"


@dataclass(frozen=True)
class Case:
    """A fault that passes, so that the run itself must come through."""

    fault: Fault
    share: float = 0.5
    times: int = 2
    options: tuple[str, ...] = ()


PASSING: Mapping[str, Case] = {
    "HTTP 500": Case(faults.status(500)),
    "HTTP 502": Case(faults.status(502)),
    "HTTP 503": Case(faults.status(503)),
    "HTTP 504": Case(faults.status(504)),
    "429 storm, Retry-After: 1": Case(faults.status(429, {"Retry-After": "1"}), share=1.0, times=2),
    "429, Retry-After as a date of a wrong clock": Case(faults.dated_wait),
    "connection reset before the answer": Case(faults.reset),
    "connection reset inside the answer": Case(faults.reset_inside),
    "bytes that are no HTTP": Case(faults.not_http),
    "hanging request": Case(faults.hang, share=0.2, times=1, options=("--timeout", "3")),
    "slow loris": Case(faults.slow_loris, share=0.2, times=1, options=("--timeout", "3")),
    "half JSON": Case(faults.half_json),
    "two JSON objects": Case(faults.doubled),
    "HTML with status 200": Case(faults.html),
    "wrong content type": Case(faults.wrong_type),
    "content null": Case(faults.null_content),
    "no choices": Case(faults.no_choices),
    "error under status 200": Case(faults.error_inside),
    "answer that the engine aborted": Case(faults.aborted),
    "HTTP 204": Case(faults.bodiless),
    "HTTP 206": Case(faults.part_of_it),
    "HTTP 424": Case(faults.status(424)),
    "HTTP 404 of a gateway": Case(faults.gateway_page),
    "a key twice in one object": Case(faults.key_twice),
    "error beside the text": Case(faults.error_beside),
    "several choices": Case(faults.several_choices),
    "broken gzip": Case(faults.broken_gzip),
    "no UTF-8": Case(faults.bad_utf8),
}


def passing(zygote: Zygote, folder: Path, seed: int = 0, names: tuple[str, ...] | None = None) -> list[Tally]:
    """Run every case of `PASSING` to its end, then once more without faults, where nothing may be asked."""
    tallies = []
    with ExitStack() as stack:
        running: list[tuple[str, Lab, FaultyServer, Child]] = []
        for place, name in enumerate(names or PASSING):
            case = PASSING[name]
            lab = Lab(zygote, folder / str(place), pictures=False)
            endpoint = stack.enter_context(FaultyServer(case.fault, case.share, case.times, seed))
            address = ("--base-url", endpoint.url, "--model-id", "weights", *case.options)
            running.append((name, lab, endpoint, lab.start(*address, model="openai:sim")))
        for name, lab, endpoint, child in running:
            ended = child.wait()
            assert "Traceback" not in ended.err, ended.err
            assert ended.code == 0, f"{name}: {ended.err}"
            tally = Tally(name, RETRIES, endpoint.injected)
            _account(lab, endpoint, tally)
            before, table = lab.committed(), lab.table()
            endpoint.fault = None
            asked = endpoint.asked.total()
            again = lab.against(endpoint, to="again")
            assert again.code == 0, f"{name}: {again.err}"
            tally.lost += endpoint.asked.total() - asked + lost_entries(before, lab.committed())
            assert same_table(table, lab.table("again")), name
            tallies.append(tally)
    return tallies


def _account(lab: Lab, endpoint: FaultyServer, tally: Tally) -> None:
    """Hold the table against what the endpoint handed over."""
    table = lab.table()
    answered = {int(name.removeprefix("q")) for name in table[table["outcome"] == "scored"]["sample_id"]}
    tally.lost += len(set(endpoint.delivered) - answered)
    tally.invented += invented_words(table)
    tally.duplicated += twice(table) + sum(count - 1 for count in endpoint.delivered.values())


def lasting(zygote: Zygote, folder: Path, seed: int = 0, faults_used: int | None = None) -> list[Tally]:
    """Faults that outlast the run's patience: the rows are errors, the exit code is 6, and the next run asks them alone."""
    tallies = []
    cases = {
        "HTTP 503": faults.status(503), "half JSON": faults.half_json, "connection reset": faults.reset,
        "HTTP 401": faults.status(401), "HTTP 404": faults.status(404), "HTTP 402": faults.status(402),
        "redirect": faults.status(302, {"Location": "/elsewhere"}),
    }  # fmt: skip
    for place, (name, fault) in enumerate(list(cases.items())[:faults_used]):
        lab = Lab(zygote, folder / str(place), pictures=False)
        with FaultyServer(fault, 0.4, 10**6, seed) as endpoint:
            patience = ("--attempts", "2", "--outage", "0")
            ended = lab.against(endpoint, *patience)
            assert ended.code == 6, ended.err
            tally = Tally(f"{name} until the run gives up", "the next run", endpoint.injected)
            _account(lab, endpoint, tally)
            assert lab.manifest()["status"] == "incomplete"
            assert len(lab.table()) == lab.questions, "every question has its row, be it an error"
            before, endpoint.fault = lab.committed(), None
            again = lab.against(endpoint, *patience)
            assert again.code == 0, again.err
            tally.lost += lost_entries(before, lab.committed())
            _account(lab, endpoint, tally)
            _reference(lab, tally)
        tallies.append(tally)
    return tallies


def restarted(zygote: Zygote, folder: Path, seed: int = 0, seconds: float = 1.5) -> list[Tally]:
    """The endpoint goes away in the middle and comes back: questions that could not be sent wait for it, however few tries they have."""
    lab = Lab(zygote, folder, pictures=False)
    with FaultyServer(seed=seed, delay_s=0.02) as endpoint:
        address = ("--base-url", endpoint.url, "--model-id", "weights", "--concurrency", "2", "--attempts", "2")
        child = lab.start(*address, model="openai:sim")
        while endpoint.asked.total() < 5 and child.poll() is None:
            time.sleep(0.005)
        endpoint.restart(seconds)
        ended = child.wait()
        assert ended.code == 0, ended.err
        tally = Tally("endpoint restarted", "the same run: waits for it", 1)
        _account(lab, endpoint, tally)
    _reference(lab, tally)
    return [tally]


def _reference(lab: Lab, tally: Tally) -> None:
    """Compare with a run against a server without faults."""
    with FaultyServer() as sound:
        url = ("--base-url", sound.url, "--model-id", "weights")
        assert lab.run(*url, model="openai:sim", to="sound", cache="sound.sqlite").code == 0
    tally.invented += differing(lab.table(), lab.table("sound"))
    assert same_table(lab.table(), lab.table("sound"))


def two_processes(zygote: Zygote, folder: Path, seed: int = 0, processes: int = 3) -> list[Tally]:
    """Several processes ask the same of one endpoint, into one cache: whoever commits first has said it, for all of them."""
    import pandas as pd

    lab = Lab(zygote, folder, pictures=False)
    with FaultyServer(faults.status(503), 0.3, 1, seed, delay_s=0.01) as endpoint:
        url = ("--base-url", endpoint.url, "--model-id", "weights", "--concurrency", "4")
        children = [lab.start(*url, model="openai:sim", to=f"run{number}") for number in range(processes)]
        for child in children:
            ended = child.wait()
            assert ended.code == 0, ended.err
        tally = Tally("several processes on one cache", "the same runs: the first committed answer stands", processes)
        kept = lab.committed()
        assert len(kept) == lab.questions
        tables = [pd.read_parquet(lab.folder / f"run{number}/results.parquet") for number in range(processes)]
        for number, table in enumerate(tables):
            tally.invented += invented_words(table)
            tally.duplicated += twice(table)
            # The reasoning numbers the delivery: a run that shows another one than the cache would change when it is resumed.
            tally.lost += int((table["reasoning"] != tables[0]["reasoning"]).sum()) if number else 0
        asked = endpoint.asked.total()
        assert lab.run(*url, model="openai:sim", to="run0").code == 0
        tally.lost += endpoint.asked.total() - asked + lost_entries(kept, lab.committed())
        after = pd.read_parquet(lab.folder / "run0/results.parquet")
        tally.lost += int((after["reasoning"] != tables[0]["reasoning"]).sum())
    return [tally]


def one_folder(zygote: Zygote, folder: Path, seed: int = 0, processes: int = 5) -> list[Tally]:
    """The same command is started several times at once: one of them runs, the others are refused by name and ask nothing."""
    lab = Lab(zygote, folder, pictures=False)
    with FaultyServer(delay_s=0.05) as endpoint:
        url = ("--base-url", endpoint.url, "--model-id", "weights", "--concurrency", "4")
        ended = [child.wait() for child in [lab.start(*url, model="openai:sim") for _ in range(processes)]]
        assert sorted({one.code for one in ended}) == [0, 2], [one.err for one in ended]
        assert all("another mmeval process" in one.err for one in ended if one.code), [one.err for one in ended]
        tally = Tally("several processes on one run folder", "one of the same runs; the others are refused", processes)
        # Whoever comes after the first one has ended finds everything in the cache.
        tally.duplicated += twice(lab.table()) + endpoint.asked.total() - lab.questions
        tally.invented += invented_words(lab.table())
        tally.lost += lab.questions - len(lab.committed())
    return [tally]
