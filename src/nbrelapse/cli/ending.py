"""How a command ends when it is told to: by SIGTERM and SIGHUP as by Ctrl-C, and nothing that it started goes on."""

from __future__ import annotations

import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_WORDS = {128 + signal.SIGINT: "interrupted", 128 + signal.SIGTERM: "terminated"}
"""By exit code."""

if hasattr(signal, "SIGHUP"):
    _WORDS[128 + signal.SIGHUP] = "terminated: the terminal was closed"


@contextmanager
def ending_by_signals() -> Iterator[None]:
    """Let SIGINT, SIGTERM and SIGHUP end a command in order, with one word on standard error and 128 + the signal.

    What was begun is closed, and worker processes are ended. A second SIGTERM does not wait for that. What is ignored
    stays so: SIGHUP by ``nohup``, SIGINT by a shell of its background jobs.
    """
    wanted = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    asked = threading.current_thread() is threading.main_thread()
    usual = (signal.SIG_DFL, signal.default_int_handler)
    before = {one: signal.getsignal(one) for one in wanted if asked and signal.getsignal(one) in usual}
    for one in before:
        signal.signal(one, _end)
    excepthook = threading.excepthook
    try:
        with warnings.catch_warnings():
            # Of tasks that nobody waits for any more.
            warnings.filterwarnings("ignore", category=UserWarning, module=r"joblib\.parallel")
            yield
    except SystemExit as done:
        # Typer turns Ctrl-C into 130 without a word.
        if done.code in _WORDS:
            _end_workers()
            print(_WORDS[int(done.code)], file=sys.stderr)
        raise
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
        threading.excepthook = excepthook


def _end(number: int, _: FrameType | None) -> None:
    threading.excepthook = lambda _: None  # what joblib's thread says of the workers that it loses
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    signal.signal(number, _end_now)
    raise SystemExit(128 + number)


def _end_now(number: int, _: FrameType | None) -> None:
    os._exit(128 + number)  # workers see that and end, too


def _end_workers() -> None:
    if "nbrelapse.models.processes" in sys.modules:
        from nbrelapse.models.processes import end_processes

        end_processes()
