"""An interrupt that other code turned into an error of its own still ends a command as one."""

from __future__ import annotations

import gc
import os
import signal
import sys
from asyncio.base_events import BaseEventLoop

import pytest
from pydantic_core import CoreConfig, SchemaValidator, core_schema

from mmeval.cli import main
from mmeval.cli.signals import run_loop, was_interrupt


def interrupted_build() -> Exception:
    """What pydantic raises when Ctrl-C comes while it builds a model."""

    class Interrupting:
        def __repr__(self) -> str:
            raise KeyboardInterrupt

    try:
        SchemaValidator(core_schema.literal_schema([Interrupting()]), CoreConfig())
    except Exception as error:  # its class is not public
        return error
    raise AssertionError("no error")


def test_ctrl_c_while_pydantic_builds_a_model(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    error = interrupted_build()

    def raising(*arguments: object, **options: object) -> None:
        raise error

    monkeypatch.setattr(main.cli, "main", raising)
    assert main._carry_out(["tasks", "list"]) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_an_interrupt_before_or_after_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupting(*arguments: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(main, "end_as_by_ctrl_c", lambda: None)
    monkeypatch.setattr(main, "_carry_out", interrupting)
    with pytest.raises(SystemExit) as caught:
        main.main()
    assert caught.value.code == 130


def test_ctrl_c_while_the_event_loop_is_made_leaves_no_half_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    complaints: list[object] = []
    started: list[bool] = []
    make = BaseEventLoop.__init__

    def interrupted(self: BaseEventLoop) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        make(self)

    async def work() -> None:
        started.append(True)

    monkeypatch.setattr(sys, "unraisablehook", complaints.append)
    monkeypatch.setattr(BaseEventLoop, "__init__", interrupted)
    before = signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # ignored where a shell started the tests with `&`
    try:
        with pytest.raises(KeyboardInterrupt):
            run_loop(work)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    gc.collect()
    assert (complaints, started) == ([], [])
    monkeypatch.undo()
    run_loop(work)
    assert started == [True]


def test_a_command_that_is_over_is_ended_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(number) for number in numbers]
    monkeypatch.setattr(main, "_carry_out", lambda arguments: 0)
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        with pytest.raises(SystemExit):
            main.main()
        assert [signal.getsignal(number) for number in numbers] == [signal.SIG_DFL] * 2
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # as `nohup` does with SIGHUP
        with pytest.raises(SystemExit):
            main.main()
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def test_other_errors_are_none() -> None:
    assert not was_interrupt(ValueError("KeyboardInterrupt: a column"))
    assert not was_interrupt(ValueError(""))


def half_read() -> None:
    try:
        raise KeyboardInterrupt
    except KeyboardInterrupt:
        raise ValueError("half read") from None


def test_what_came_of_an_interrupt_is_one() -> None:
    with pytest.raises(ValueError, match="half read") as caught:
        half_read()
    assert was_interrupt(caught.value)
