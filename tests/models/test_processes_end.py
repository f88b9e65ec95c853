"""Worker processes end with the process that started them, also where that was killed."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")

_PARENT = """
import os, time
from joblib import delayed
from nbrelapse.models.processes import in_processes

if __name__ == "__main__":
    list(in_processes([delayed(os.getpid)()] * 2, 2))
    print("ready", flush=True)
    list(in_processes([delayed(time.sleep)(60)] * 2, 2))
"""


def _children(pid: int) -> set[Path]:
    """Processes that a process started and that run, by their folders in /proc."""
    return {one.parent for one in Path("/proc").glob("[0-9]*/stat") if _parent_of(one) == pid}


def _parent_of(stat: Path) -> int | None:
    try:
        return int(stat.read_text().rpartition(")")[2].split()[1])
    except (OSError, ValueError):  # ended meanwhile
        return None


def test_no_worker_outlives_a_parent_that_was_killed(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(_PARENT)
    parent = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert parent.stdout is not None
    assert parent.stdout.readline() == b"ready\n"
    started = _children(parent.pid)
    assert len(started) >= 2
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    until = time.monotonic() + 10
    while (left := [one for one in started if one.exists()]) and time.monotonic() < until:
        time.sleep(0.2)
    assert not left
