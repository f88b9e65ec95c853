"""Runs whose process is gone: each run says which process it is of, and the next command closes what was left."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from nbrelapse.tracking.names import _PROCESS_TAG
from nbrelapse.tracking.store import _in_words, has_store, open_store

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

_SYSTEM = Path("/proc")
_FIRST_NAMESPACE = "pid:[4026531836]"
"""Of the processes of a Linux system that are in no container; fixed in the kernel (PROC_PID_INIT_INO)."""


def close_abandoned() -> int:
    """Mark the runs of killed processes of this machine as KILLED, and the models that they were saving as failed.

    Runs of living processes, of other machines, and those that nothing is known of are left alone.

    Returns
    -------
    int
        How many; 0 without a store, and none is made.

    Raises
    ------
    InputError
        The store cannot be opened or asked.

    Examples
    --------
    >>> close_abandoned()  # doctest: +SKIP
    1
    """
    return _close() if has_store() else 0


@_in_words
def _close() -> int:
    from mlflow.exceptions import MlflowException

    client = open_store()
    closed = 0
    for run in _abandoned_runs(client):
        with suppress(MlflowException):  # another command was first, or this user may not
            for model in client.search_logged_models([run.info.experiment_id], f"source_run_id = '{run.info.run_id}'"):
                if str(model.status) == "PENDING":
                    client.finalize_logged_model(str(model.model_id), "FAILED")
            client.set_terminated(run.info.run_id, status="KILLED")
            closed += 1
    return closed


def _abandoned_runs(client: MlflowClient) -> list[Run]:
    """Return the runs that are RUNNING and of processes of this machine that are gone."""
    host = _host()
    experiments = [found.experiment_id for found in client.search_experiments()]
    if host is None or not experiments:
        return []
    asked = f"attributes.status = 'RUNNING' and tags.`{_PROCESS_TAG}` LIKE '{host} %'"
    return [run for run in _all_runs(client, experiments, asked) if _is_gone(run.data.tags[_PROCESS_TAG])]


def _all_runs(client: MlflowClient, experiments: list[str], asked: str) -> Iterator[Run]:
    page: str | None = None
    while True:
        found = client.search_runs(experiments, asked, page_token=page)
        yield from found
        page = found.token
        if not page:
            return


def _process_tags() -> dict[str, str]:
    """Return the tag that says which process a run is of: machine (hashed), start of the system, process, its start.

    Nothing where the system does not tell.
    """
    host, start = _host(), _start(os.getpid())
    return {} if host is None or start is None else {_PROCESS_TAG: f"{host} {_boot()} {os.getpid()} {start}"}


def _is_alive(run: Run) -> bool:
    """Whether a run is of a process of this machine that is there."""
    process = run.data.tags.get(_PROCESS_TAG, "")
    return process.split(" ")[0] == _host() and not _is_gone(process)


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
