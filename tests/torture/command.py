"""Run a command on a damaged input in this process, and judge what came of it."""

from __future__ import annotations

import hashlib
import io
import os
import re
import resource
import shutil
import signal
import sys
import tempfile
import threading
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest
from damages import Damage
from subjects import Subject

from nbrelapse.cli import main
from nbrelapse.errors import NbRelapseError
from nbrelapse.mechanisms import read_features

LONGEST = 10.0
"""Seconds of processor time: the machine may have other work."""
LONGEST_WAIT = 60.0
"""Seconds until what waits for something that does not come is stopped."""
MOST_MEMORY = 3 << 30
"""Bytes of address space that a command may take beyond what the process has."""
UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
"""What may reach no terminal: controls, escape sequences, marks that turn the direction of what follows."""


@dataclass(frozen=True)
class Answer:
    """What a command gave back, and what it wrote: of each file a hash."""

    code: int | str
    out: str
    err: str
    written: dict[str, str]
    left: list[str]
    seconds: float = 0.0

    @property
    def said(self) -> list[str]:
        return [*self.out.splitlines(), *self.err.splitlines()]


class Hanging(BaseException):
    """A command took longer than it may."""


def _release(folder: Path, done: threading.Event) -> None:
    """Open the other end of pipes that a command waits at: a signal does not reach what waits outside Python."""
    if done.wait(LONGEST_WAIT + 1):
        return
    for pipe in [path for path in folder.rglob("*") if path.is_fifo()]:
        os.close(os.open(pipe, os.O_RDWR | os.O_NONBLOCK))


@contextmanager
def limits(folder: Path) -> Iterator[None]:
    """Limit time and memory of what runs inside."""

    def stop(*_: object) -> None:
        raise Hanging

    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    done = threading.Event()
    before = {sign: signal.signal(sign, stop) for sign in (signal.SIGALRM, signal.SIGPROF)}
    signal.setitimer(signal.ITIMER_REAL, LONGEST_WAIT)
    signal.setitimer(signal.ITIMER_PROF, LONGEST)
    resource.setrlimit(resource.RLIMIT_AS, (size + MOST_MEMORY, hard))
    threading.Thread(target=_release, args=(folder, done), daemon=True).start()
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.setitimer(signal.ITIMER_PROF, 0)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        done.set()
        for sign, handler in before.items():
            signal.signal(sign, handler)


def _call(words: tuple[str, ...]) -> int | str:
    if words[0] == "read_features":
        try:
            print(hashlib.sha256(read_features(words[1]).values.to_csv().encode()).hexdigest())
        except NbRelapseError as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
        return 0
    try:
        main()
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else 0
    return 0


def run(words: tuple[str, ...], folder: Path, scratch: Path) -> Answer:
    """Run a command in a folder; exceptions are told as its code."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("error")
        patch.chdir(folder)
        patch.setattr(tempfile, "tempdir", str(scratch))
        patch.setattr(sys, "argv", ["nbrelapse", *words])
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        before = snapshot(folder)
        try:
            with limits(folder), redirect_stdout(out), redirect_stderr(err):
                code = _call(words)
        except Hanging:
            code = f"hangs: {last_line()}"
        except BaseException as error:
            code = f"{type(error).__name__}: {error}"[:300] + f" at {last_line()}"
    after = snapshot(folder)
    written = {name: state for name, state in after.items() if before.get(name) != state}
    lost = [name for name in before if name not in after]
    left = sorted([*lost, *(path.name for path in scratch.iterdir())])
    return Answer(code, out.getvalue(), err.getvalue(), written, left)


def last_line() -> str:
    """Return where in nbrelapse an exception passed last."""
    frames = [frame for frame in traceback.extract_tb(sys.exc_info()[2]) if "/nbrelapse/" in frame.filename]
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "?"


def snapshot(folder: Path) -> dict[str, str]:
    """Return what is in a folder: of regular files a hash."""
    found = {}
    for path in sorted(folder.rglob("*")):
        regular = path.is_file() and not path.is_symlink()
        found[str(path.relative_to(folder))] = hashlib.sha256(path.read_bytes()).hexdigest() if regular else "-"
    return found


def lay_out(subject: Subject, folder: Path) -> None:
    """Put the files of a subject into an empty folder."""
    for name, tree in subject.trees.items():
        shutil.copytree(tree, folder / name, dirs_exist_ok=True)
    for name, content in subject.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def judge(subject: Subject, damage: Damage, good: Answer, folder: Path) -> tuple[str, str]:
    """Damage a subject and run it; return "refused", "told", "same", "plausible" or what is wrong, and why."""
    work, scratch = folder / "work", folder / "scratch"
    for place in (work, scratch):
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
    lay_out(subject, work)
    damage.make(work / subject.target)
    answer = run(subject.command, work, scratch)
    return verdict(subject, damage, good, answer)


def verdict(subject: Subject, damage: Damage, good: Answer, answer: Answer) -> tuple[str, str]:
    text = answer.out + answer.err
    shown = text.replace("\n", " | ")[-700:]
    if isinstance(answer.code, str):
        return ("hang" if answer.code.startswith("hangs") else "traceback"), answer.code
    if answer.left:
        return "leftovers", f"{answer.left} {shown}"
    if UNPRINTABLE.search(text):
        return "unprintable", repr(shown)
    if (answer.code, answer.out, answer.err) == (good.code, good.out, good.err) and answer.written == good.written:
        return "same", ""
    if answer.code == 2:
        return refusal(subject, answer, shown)
    if answer.code != good.code:
        return "exit code", f"{answer.code} {shown}"
    if any(line not in good.said for line in answer.said):
        return "told", shown
    return ("plausible", shown) if damage.plausible and not subject.checked else ("silent", shown)


def refusal(subject: Subject, answer: Answer, shown: str) -> tuple[str, str]:
    if answer.written:
        return "partial", f"{sorted(answer.written)} {shown}"
    if answer.err.count("error: ") != 1 or "Traceback" in answer.err:
        return "no message", shown
    # A setting may name another file than the one it stands in: that is the one to correct then.
    names = {Path(subject.target).name, Path(subject.target).parts[0], Path(subject.target).stem}
    if "  file: " not in answer.err and not any(name in answer.err for name in names):
        return "no file", shown
    return ("refused", shown) if "  fix: " in answer.err else ("no fix", shown)
