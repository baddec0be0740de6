"""The processes that compare expressions: limits, crashes, threads, event loops, forks."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mmeval.core.errors import UndecidedError, UsageError
from mmeval.verifiers import symbolic, symbolic_worker
from mmeval.verifiers.formula import parse_formula
from mmeval.verifiers.symbolic import TIMED_OUT, SymbolicPool, symbolically_equal
from mmeval.verifiers.symbolic_worker import answer, build, limit_memory, load

SQUARE = parse_formula("x^2+2x+1"), parse_formula("(x+1)^2")
HANGING = parse_formula("x"), parse_formula("9^{9^{9^9}}")


@pytest.fixture(scope="module")
def pool() -> Iterator[SymbolicPool]:
    made = SymbolicPool(workers=2, time_limit_s=2.0)
    yield made
    made.close()


def test_a_process_serves_many_comparisons(pool: SymbolicPool) -> None:
    before = pool.started
    for constant in range(1, 8):
        first, second = parse_formula(f"(x+{constant})^2"), parse_formula(f"x^2+{2 * constant}x+{constant**2}")
        assert pool.equal(first, second)
        assert not pool.equal(first, parse_formula(f"x^2+{constant}"))
    assert pool.started - before <= 1


def test_a_comparison_without_end_is_ended_and_told(pool: SymbolicPool) -> None:
    before = pool.started
    with pytest.raises(UndecidedError, match=TIMED_OUT):
        pool.equal(*HANGING)
    # The same again is not waited for again: that would end both processes, and start another.
    started = pool.started
    for _ in range(2):
        with pytest.raises(UndecidedError, match=TIMED_OUT):
            pool.equal(*HANGING)
    assert pool.started == started
    assert pool.equal(*SQUARE)
    assert pool.started - before <= 2


def test_elapsed_time_is_limited_too() -> None:
    with_wall = SymbolicPool(workers=1, time_limit_s=60, wall_limit_s=1.5)
    with pytest.raises(UndecidedError, match=TIMED_OUT):
        with_wall.equal(*HANGING)
    with_wall.close()


def test_memory_is_limited() -> None:
    small = SymbolicPool(workers=1, time_limit_s=60, memory_limit_mib=600, wall_limit_s=60)
    with pytest.raises(UndecidedError, match=r"memory|timed out|ended by"):
        small.equal(parse_formula("x"), parse_formula("2^{10^{10}}"))
    assert small.equal(*SQUARE)
    small.close()


def test_a_killed_process_is_replaced(pool: SymbolicPool) -> None:
    assert pool.equal(parse_formula("x+0+1"), parse_formula("1+x"))
    for worker in list(pool._all):
        os.kill(worker._process.pid, signal.SIGKILL)
    time.sleep(0.2)
    assert pool.equal(parse_formula("x+0+2"), parse_formula("2+x"))


@contextlib.contextmanager
def killing(pool: SymbolicPool, most: int, at_start: bool = False) -> Iterator[list[int]]:
    """Kill the first so many processes of a pool, as the kernel does when memory runs out; those that are killed are listed."""
    killed: list[int] = []
    over = threading.Event()

    def work() -> None:
        while not over.wait(0.02):
            for worker in list(pool._all):
                if worker._process.pid not in killed and len(killed) < most:
                    killed.append(worker._process.pid)
                    over.wait(0.0 if at_start else 1.0)
                    os.kill(worker._process.pid, signal.SIGKILL)

    thread = threading.Thread(target=work)
    thread.start()
    yield killed
    over.set()
    thread.join()


@pytest.mark.parametrize("at_start", [True, False])
def test_a_comparison_whose_process_is_killed_is_made_again(at_start: bool) -> None:
    made = SymbolicPool(workers=1, time_limit_s=1)
    with killing(made, 1, at_start) as killed:
        if at_start:
            assert made.equal(*SQUARE)
        else:
            with pytest.raises(UndecidedError, match=TIMED_OUT):
                made.equal(*HANGING)
    assert len(killed) == 1
    assert made.started == 2
    made.close()


def test_a_comparison_whose_processes_are_all_killed_is_undecided() -> None:
    made = SymbolicPool(workers=1, time_limit_s=60)
    with killing(made, 9, at_start=True), pytest.raises(UndecidedError, match="ended by signal 9"):
        made.equal(*SQUARE)
    assert made.started == 2
    made.close()


def test_threads_share_the_processes(pool: SymbolicPool) -> None:
    found: list[bool] = []

    def work(offset: int) -> None:
        for constant in range(offset, offset + 4):
            found.append(pool.equal(parse_formula(f"2(x+{constant})"), parse_formula(f"2x+{2 * constant}")))

    threads = [threading.Thread(target=work, args=(10 * index + 20,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 16
    assert len(pool._all) <= 2


def test_inside_an_event_loop_and_its_threads(pool: SymbolicPool) -> None:
    async def both() -> tuple[bool, bool]:
        direct = pool.equal(parse_formula("3(x+1)"), parse_formula("3x+3"))
        return direct, await asyncio.to_thread(pool.equal, parse_formula("3(x+2)"), parse_formula("3x+6"))

    assert asyncio.run(both()) == (True, True)


def test_after_a_fork_the_child_has_processes_of_its_own() -> None:
    assert symbolically_equal(*SQUARE)
    parents = {worker._process.pid for worker in symbolic._POOL._all}
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        # Whatever happens here, the test session must not go on in the child.
        try:
            equal = symbolically_equal(parse_formula("5(x+1)"), parse_formula("5x+5"))
            own = {worker._process.pid for worker in symbolic._POOL._all}
            os.write(writer, json.dumps([equal, not own & parents]).encode())
            symbolic._POOL.close()
        finally:
            os._exit(0)
    os.close(writer)
    told = os.read(reader, 100)
    os.close(reader)
    os.waitpid(child, 0)
    assert json.loads(told) == [True, True]
    assert symbolically_equal(parse_formula("7(x+1)"), parse_formula("7x+7"))
    assert {worker._process.pid for worker in symbolic._POOL._all} >= parents


def test_a_pool_of_another_process_is_left_alone() -> None:
    made = SymbolicPool(workers=1)
    assert made.equal(*SQUARE)
    (worker,) = made._all
    process = worker._process
    made._pid = -1
    made.close()
    assert not made._all
    os.kill(process.pid, signal.SIGKILL)
    os.waitpid(process.pid, 0)


def test_processes_end_with_the_program() -> None:
    script = (
        "from mmeval.verifiers.symbolic import symbolically_equal, _POOL\n"
        "from mmeval.verifiers.formula import parse_formula as p\n"
        "assert symbolically_equal(p('x+0+x'), p('2x'))\n"
        "print([worker._process.pid for worker in _POOL._all][0])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=True)
    with pytest.raises(ProcessLookupError):
        os.kill(int(done.stdout), 0)


def test_a_process_that_cannot_start_is_the_installation_s_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "worker.py"
    broken.write_text("raise ImportError('No module named math_verify')\n")
    monkeypatch.setattr(symbolic, "_WORKER", broken)
    with pytest.raises(UsageError, match=r"No module named math_verify.*\n.*pip install math-verify"):
        SymbolicPool().equal(*SQUARE)
    broken.write_text("")
    with pytest.raises(UsageError, match="said nothing"):
        SymbolicPool().equal(*SQUARE)


def test_a_process_that_talks_nonsense_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = tmp_path / "worker.py"
    odd.write_text("import sys\nprint('{\"ready\": true}', flush=True)\nsys.stdin.readline()\nsys.exit(3)\n")
    monkeypatch.setattr(symbolic, "_WORKER", odd)
    with pytest.raises(UndecidedError, match="ended by exit code 3"):
        SymbolicPool().equal(*SQUARE)
    odd.write_text("print('{\"ready\": true}', flush=True)\nimport os\nos.close(0)\nimport time\ntime.sleep(60)\n")
    made = SymbolicPool(wall_limit_s=0.5)
    with pytest.raises(UndecidedError, match=r"lost its process|timed out"):
        made.equal(*SQUARE)


def test_results_are_remembered_in_bounded_number(pool: SymbolicPool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(symbolic, "REMEMBERED", 3)
    for constant in range(100, 106):
        assert not pool.equal(parse_formula(f"x+{constant}"), parse_formula("x"))
    assert len(pool._results) == 3


# The worker's own functions, in this process


def test_the_worker_builds_every_node() -> None:
    compare = load()
    for gold, given in [
        ("x+1.5", r"\frac{3}{2}+x"),
        (r"\sqrt[3]{x^3}", "x"),
        (r"|x|", r"|-x|"),
        (r"\log_2 (4x)", r"2+\log_2 x"),
        (r"\ln e^{\pi}", r"\pi"),
        (r"\binom{n}{2}", r"\frac{n(n-1)}{2}"),
        ("n!", "n(n-1)!"),
        (r"x\%", r"\frac{x}{100}"),
        (r"\sin(x^{\circ})", r"\sin\frac{\pi x}{180}"),
        (r"\arctan x + 0i", r"\arctan x"),
        (r"\lfloor x \rfloor", r"\lfloor x \rfloor + 0"),
        (r"e^{\infty}", r"\infty"),
        ("1<x<=2", r"1 < x \le 2"),
    ]:
        request = {"gold": _listed(parse_formula(gold)), "answer": _listed(parse_formula(given))}
        found = answer(compare, request)
        assert "error" not in found, (gold, found)
    assert answer(compare, {"gold": ["unit", ["int", "5"], "cm"], "answer": ["int", "5"]}) == {"equal": True}


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (MemoryError(), "ran out of memory"),
        (RecursionError(), "nested too deeply"),
        (TypeError("x"), "failed: TypeError"),
    ],
)
def test_the_worker_tells_what_went_wrong(error: Exception, told: str) -> None:
    def compare(gold: object, given: object) -> bool:
        raise error

    assert answer(compare, {"gold": ["int", "5"], "answer": ["int", "5"]}) == {"error": told}


@pytest.mark.parametrize(
    "tree",
    [["set", ["int", "1"]], ["fn", "exec", ["int", "1"]], ["const", "x"], ["rel", ["int", "1"], "in", ["int", "2"]]],
)
def test_the_worker_builds_nothing_but_known_nodes(tree: list[object]) -> None:
    with pytest.raises(KeyError):
        build(tree)


def test_memory_that_cannot_be_limited_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    import resource

    def refuse(*_: object) -> None:
        raise ValueError("current limit exceeds maximum limit")

    monkeypatch.setattr(resource, "setrlimit", refuse)
    limit_memory(100)


def _listed(tree: tuple[object, ...]) -> object:
    return json.loads(json.dumps(tree))


def test_the_worker_s_conversation(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    request = json.dumps({"gold": SQUARE[0], "answer": SQUARE[1]})
    monkeypatch.setattr(sys, "argv", ["symbolic_worker.py", "30", "1024"])
    monkeypatch.setattr(sys, "stdin", io.StringIO(request + "\n" + request + "\n"))
    # The limit of memory and the closed error output are meant for a process of its own.
    monkeypatch.setattr(symbolic_worker, "limit_memory", lambda mebibytes: None)
    monkeypatch.setattr(os, "dup2", lambda first, second: second)
    try:
        symbolic_worker.main()
    finally:
        logging.disable(logging.NOTSET)
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert told == [{"ready": True}, {"equal": True}, {"equal": True}]
    assert signal.getitimer(signal.ITIMER_PROF)[0] == 0
