"""Which process something is of, and whether that is gone."""

from __future__ import annotations

import hashlib
import os
import platform
import signal
import subprocess
import threading
import time
from contextlib import suppress
from functools import cache
from pathlib import Path

_SERVED_FOR = "NBRELAPSE_SERVED_FOR"
"""Environment variable of a server that is to end with a process: that process, as runs name it."""

_SYSTEM = Path("/proc")
_FIRST_NAMESPACE = "pid:[4026531836]"
"""Of the processes of a Linux system that are in no container; fixed in the kernel (PROC_PID_INIT_INO)."""


def _this_process() -> str | None:
    """Name this process: its machine (hashed), the start of the system, its number and its start."""
    host, start = _host(), _start(os.getpid())
    return None if host is None or start is None else f"{host} {_boot()} {os.getpid()} {start}"


def _end_with(process: str) -> None:
    """Watch a process of this machine, and end with the whole group of this one when that is gone, however it ended."""

    def watch() -> None:
        while not _is_gone(process):
            time.sleep(1)
        os.killpg(0, signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


def _is_gone(process: str) -> bool:
    """Whether a process of this machine is gone, by the tag of its run; False where one cannot be sure."""
    try:
        _, boot, number, start = process.split(" ")
        pid = int(number)
    except ValueError:
        return False
    if boot != _boot():
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:  # another user's
        pass
    now = _start(pid)
    return now is not None and now != start


@cache
def _host() -> str | None:
    """Return a hash of the machine: its name, its id, and in a container what tells that from others."""
    if os.name != "posix":
        return None
    parts = [platform.node()]
    with suppress(OSError):
        parts.append(Path("/etc/machine-id").read_text(encoding="ascii").strip())
    with suppress(OSError):
        namespace = str((_SYSTEM / "self" / "ns" / "pid").readlink())
        if namespace != _FIRST_NAMESPACE:
            parts += [namespace, _boot()]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


@cache
def _boot() -> str:
    """Return what changes with each start of the system; ``-`` where it does not tell."""
    try:
        return (_SYSTEM / "sys" / "kernel" / "random" / "boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return "-"


def _start(pid: int) -> str | None:
    """Return when a process started, in whatever unit; ``ended`` of one that nobody has waited for, None if unknown."""
    try:
        state, *fields = (_SYSTEM / str(pid) / "stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except OSError:
        return _start_by_ps(pid)
    return "ended" if state == "Z" else fields[18]


def _start_by_ps(pid: int) -> str | None:
    """Return the same where there is no /proc."""
    if _SYSTEM.is_dir():
        return None
    with suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(
            ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=True, timeout=5
        )
        return "_".join(done.stdout.split()) or None
    return None
