"""Whether the store does what a training will ask of it, and which runs never ended."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from nbrelapse.errors import InputError
from nbrelapse.tracking._trouble import _first_line, _shown
from nbrelapse.tracking.abandoned import _abandoned_runs, _is_alive
from nbrelapse.tracking.store import _address, _database_file, _in_words, check_store, open_store

_DAY = 24 * 3600
"""Seconds after which a run is told of that is not ended and of whose process nothing is known. A choice."""


class UnendedRun(NamedTuple):
    """A run that is RUNNING: ``gone`` where its process was killed, else one of which that is not known."""

    run_id: str
    started: datetime
    gone: bool


class StoreHealth(NamedTuple):
    """What was found of a store.

    ``address`` holds no password, ``folder`` is that of a SQLite database and else None, ``exists`` is None where only
    asking tells. ``problem`` and ``fix`` are None where all is well.
    """

    address: str
    folder: Path | None
    exists: bool | None
    readable: bool
    writable: bool
    problem: str | None
    fix: str | None
    unended: tuple[UnendedRun, ...]


def store_health() -> StoreHealth:
    """Open, read and try to write the current store; what is wrong is told, not raised, and no run is changed.

    Returns
    -------
    StoreHealth

    Examples
    --------
    >>> store_health().problem is None  # doctest: +SKIP
    True
    """
    uri = _address()
    database = _database_file(uri)
    exists = None if database is None else database.exists()
    readable = writable = False
    unended: tuple[UnendedRun, ...] = ()
    problem = fix = None
    try:
        if exists is not False:
            unended = _unended_runs()
            readable = True
        check_store()
        writable = True
    except InputError as error:
        problem, fix = error.problem, error.fix
    except Exception as error:
        problem = f"{type(error).__name__}: {_first_line(error)}"
    if problem is not None:
        problem, fix = _shown(problem), _shown(fix or "check MLFLOW_TRACKING_URI")
    folder = None if database is None else database.parent
    return StoreHealth(_shown(uri), folder, exists, readable, writable, problem, fix, unended)


@_in_words
def _unended_runs() -> tuple[UnendedRun, ...]:
    """Return runs that are RUNNING, the oldest first: of processes that are gone, and unknown ones of a day ago."""
    client = open_store(create=False)
    gone = {run.info.run_id: run for run in _abandoned_runs(client)}
    experiments = [found.experiment_id for found in client.search_experiments()]
    before = int((time.time() - _DAY) * 1000)
    asked = f"attributes.status = 'RUNNING' AND attributes.start_time < {before}"
    long = {run.info.run_id: run for run in client.search_runs(experiments, asked) if not _is_alive(run)}
    runs = sorted((long | gone).values(), key=lambda run: run.info.start_time)
    return tuple(
        UnendedRun(run.info.run_id, datetime.fromtimestamp(run.info.start_time / 1000, UTC), run.info.run_id in gone)
        for run in runs
    )
