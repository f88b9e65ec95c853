"""Tasks on a Dask cluster: what is sent, what comes back, and which workers may have a part in it."""

from __future__ import annotations

import hashlib
import io
import json
import logging
import pickle
import platform
import queue
import time
import traceback
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import cloudpickle
import dask
import numpy as np
import pandas as pd
from distributed import Client, Future, KilledWorker, Reschedule, Worker, WorkerPlugin
from distributed.client import FutureCancelledError
from distributed.comm import parse_address
from distributed.comm.registry import get_backend
from threadpoolctl import threadpool_limits

from nbrelapse import __version__
from nbrelapse.errors import InputError
from nbrelapse.models.processes import _Task

_SHARED = 100_000
"""Bytes of a table or array from which on it is sent once and not with every task that has it. A choice."""

_ANSWER = 10.0
"""Seconds that a scheduler has to answer."""

_LOOK = 30.0
"""Seconds without a result after which it is asked whether there are workers left. A choice."""

_PACKAGE = Path(__file__).resolve().parents[1]
_DATA = (".py", ".json", ".toml", ".tsv")
_LIBRARIES = (
    *("distributed", "joblib", "matplotlib", "numpy", "optuna", "pandas", "scikit-learn", "scikit-survival", "scipy"),
    *("shap", "threadpoolctl", "xgboost", "xgboost-cpu"),
)
_CODE = "code of nbrelapse"
_REFUSED = "nbrelapse-refused"
_SAME = (
    "give the workers the environment of this command, the same nbrelapse and the same requirements.lock, and start "
    "them again"
)
_log = logging.getLogger("distributed.worker.nbrelapse")


class _Sealed:
    """Pickled content that shows nothing of itself: a cluster logs tasks and results, and they hold patients."""

    __slots__ = ("content",)

    def __init__(self, content: Any) -> None:
        self.content = content

    def __reduce_ex__(self, protocol: Any) -> tuple[type[_Sealed], tuple[Any]]:
        return _Sealed, (pickle.PickleBuffer(self.content) if protocol >= 5 else bytes(self.content),)

    def __repr__(self) -> str:
        return f"<{len(self.content):,} bytes>"

    def __sizeof__(self) -> int:
        return len(self.content)


class _Sealing(cloudpickle.Pickler):
    """Pickles a task without its large tables, which it replaces by numbers."""

    def __init__(self, file: io.BytesIO, number_of: Callable[[Any], int | None]) -> None:
        super().__init__(file, protocol=5)
        self._number_of = number_of

    def persistent_id(self, value: Any) -> int | None:
        return self._number_of(value)


class _Opening(pickle.Unpickler):
    def __init__(self, content: Any, tables: Sequence[Any]) -> None:
        super().__init__(io.BytesIO(content))
        self._tables = tables

    def persistent_load(self, number: Any) -> Any:
        return self._tables[number]


def _keep(sealed: _Sealed) -> _Sealed:
    """Keep a table on the worker that needs it first; others have it from there."""
    return sealed


def _run(sealed: _Sealed, expected: str, *shared: _Sealed) -> _Sealed:
    """Run a task on a worker; what it raises comes back like a result, and is not logged there."""
    if _fingerprint() != expected:
        raise Reschedule  # a worker that has just come, and is about to be closed
    try:
        # Opened anew for each task: what another worker hands on as an array may begin at an odd address in memory,
        # and NumPy then adds up in another order.
        tables = [pickle.loads(table.content) for table in shared]
        function, arguments, named = _Opening(sealed.content, tables).load()
        with threadpool_limits(1):
            outcome = True, function(*arguments, **named)
        return _Sealed(cloudpickle.dumps(outcome, protocol=5))
    except Exception as error:
        told = f"in a worker of the cluster:\n{traceback.format_exc()}"
        return _Sealed(cloudpickle.dumps((False, _carried(error, told)), protocol=5))


def _carried(error: Exception, told: str) -> Exception:
    """Return an error that can travel."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        error = RuntimeError(f"{type(error).__name__}: {error}")
    error.add_note(told)
    return error


@cache
def _own_versions() -> dict[str, str]:
    """Everything here that results depend on."""
    digest = hashlib.sha256()
    for file in sorted(_PACKAGE.rglob("*")):
        if file.suffix in _DATA:
            digest.update(f"{file.relative_to(_PACKAGE).as_posix()}\0".encode() + file.read_bytes())
    found = {
        "Python": ".".join(platform.python_version_tuple()[:2]),
        "nbrelapse": __version__,
        _CODE: digest.hexdigest()[:12],
    }
    for name in _LIBRARIES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


@cache
def _fingerprint() -> str:
    return hashlib.sha256(json.dumps(_own_versions()).encode()).hexdigest()


def _differences(expected: dict[str, str], found: dict[str, str] | Exception, threads: int = 1) -> list[str]:
    """Say why a worker cannot have a part in the work, in words; empty where it can.

    Examples
    --------
    >>> _differences({"Python": "3.12", "numpy": "2.4.1"}, {"Python": "3.11"}, threads=4)
    ['Python 3.11 there, 3.12 here', 'numpy absent there, 2.4.1 here', '4 threads, where tasks want one']
    >>> _differences({"Python": "3.12"}, ModuleNotFoundError("No module named 'nbrelapse'"))
    ["nbrelapse of this version cannot be imported there: No module named 'nbrelapse'"]
    """
    if isinstance(found, Exception):
        return [f"nbrelapse of this version cannot be imported there: {found}"]
    names = [name for name in {**expected, **found} if expected.get(name) != found.get(name)]
    if "nbrelapse" in names:
        names.remove(_CODE)  # goes without saying
    told = [f"{name} {found.get(name, 'absent')} there, {expected.get(name, 'absent')} here" for name in names]
    return told + ([f"{threads} threads, where tasks want one"] if threads > 1 else [])


class _SameVersions(WorkerPlugin):
    """Closes a worker that comes later and is not like the others."""

    def __init__(self, expected: dict[str, str]) -> None:
        self._expected = expected

    def setup(self, worker: Worker) -> None:
        told = _differences(self._expected, _own_versions(), worker.state.nthreads)
        if told:
            _log.error("nbrelapse refuses this worker: %s", "; ".join(told))
            worker.log_event(_REFUSED, f"{worker.address}: {'; '.join(told)}")
            worker.loop.add_callback(worker.close, reason=_REFUSED)


class _Cluster:
    """A scheduler and its workers, as :func:`nbrelapse.models.in_processes` uses them.

    Parameters
    ----------
    client : Client
    wait : float
        Seconds that there may be no worker.
    """

    def __init__(self, client: Client, wait: float) -> None:
        self._client = client
        self._wait = wait
        self._sent: dict[bytes, Future] = {}
        self._without_workers: float | None = None

    @property
    def workers(self) -> int:
        """How many there are now."""
        return len(self._client.nthreads())

    def begin(self, tasks: Iterable[_Task], *, ordered: bool) -> Iterator[Any]:
        numbers: dict[int, tuple[Any, Future]] = {}
        return self._results(deque(self._submit(task, numbers) for task in tasks), ordered)

    def _submit(self, task: _Task, known: dict[int, tuple[Any, Future]]) -> Future:
        """Send a task; ``known`` are the tables among the arguments of this one and those before it, by identity."""
        mine: list[int] = []

        def number_of(value: Any) -> int | None:
            if not _is_large(value):
                return None
            if id(value) not in known:
                known[id(value)] = value, self._share(value)
            if id(value) not in mine:
                mine.append(id(value))
            return mine.index(id(value))

        file = io.BytesIO()
        _Sealing(file, number_of).dump(task)
        shared = [known[number][1] for number in mine]
        key = f"{getattr(task[0], '__name__', 'task').strip('_')}-{uuid.uuid4().hex}"
        sealed = _Sealed(file.getvalue())
        return self._client.submit(_run, sealed, _fingerprint(), *shared, key=key, pure=False, retries=0)

    def _share(self, value: Any) -> Future:
        """Send a table once, whichever object it is in; the scheduler keeps it, for workers that are lost with it."""
        sealed = _Sealed(cloudpickle.dumps(value, protocol=5))
        digest = hashlib.blake2b(sealed.content).digest()
        if digest not in self._sent:
            with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1TB"}):
                self._sent[digest] = self._client.submit(_keep, sealed, key=f"table-{uuid.uuid4().hex}", pure=False)
        return self._sent[digest]

    def _results(self, futures: deque[Future], ordered: bool) -> Iterator[Any]:
        done: queue.SimpleQueue[Future] = queue.SimpleQueue()
        if not ordered:
            for future in futures:
                future.add_done_callback(done.put)
        for _ in range(len(futures)):
            if ordered:
                future = futures.popleft()
            else:
                future = self._patiently(done.get)
                futures.remove(future)
            fine, value = pickle.loads(self._patiently(future.result).content)
            if not fine:
                raise value
            yield value

    def _patiently(self, get: Callable[..., Any]) -> Any:
        while True:
            try:
                return get(timeout=_LOOK)
            except (TimeoutError, queue.Empty):
                self._look_for_workers()
            except KilledWorker as error:
                ended = error.allowed_failures + 1
                raise InputError(
                    "a task ended 1 worker" if ended == 1 else f"a task ended {ended} workers one after the other",
                    column=str(error.last_worker.address),
                    fix="read the log of that worker: most often the memory of its job is too small",
                ) from None
            except FutureCancelledError:
                raise InputError(
                    "the scheduler of the cluster is gone",
                    fix="start it again, and the command: folds that were finished come from the cache",
                ) from None

    def _look_for_workers(self) -> None:
        if self._client.nthreads():
            self._without_workers = None
            return
        self._without_workers = self._without_workers or time.monotonic()
        if time.monotonic() - self._without_workers > self._wait:
            raise InputError(f"the cluster has had no worker for {self._wait:.0f} seconds", fix="start workers")


def _is_large(value: Any) -> bool:
    if isinstance(value, np.ndarray):
        return bool(value.nbytes >= _SHARED and value.dtype != object)
    return isinstance(value, pd.DataFrame | pd.Series) and value.size * 8 >= _SHARED


@contextmanager
def _connected(address: Any, wait: float) -> Iterator[_Cluster]:
    """Connect to a scheduler, and refuse workers that would compute something else.

    Parameters
    ----------
    address : str or distributed.deploy.Cluster
    wait : float
        Seconds to wait for the first worker.
    """
    told = address if isinstance(address, str) else address.scheduler_address
    try:
        if isinstance(address, str):
            get_backend(parse_address(address)[0])
        client = Client(address, timeout=_ANSWER, set_as_default=False, name="nbrelapse")
    except (OSError, ValueError, RuntimeError) as error:
        raise InputError(
            f"no scheduler answers within {_ANSWER:.0f} seconds",
            column=told,
            expected="an address such as tcp://host:8786",
            fix=f"start one with `dask scheduler`, or correct the address ({type(error).__name__})",
        ) from None
    name = f"nbrelapse-{uuid.uuid4().hex}"
    try:
        _check_versions(client)
        client.register_plugin(_SameVersions(_own_versions()), name=name)
        _first_worker(client, told, wait)
        yield _Cluster(client, wait)
    finally:
        with suppress(Exception):  # a scheduler that is gone has no plugin
            client.unregister_worker_plugin(name)
        client.close(timeout=_ANSWER)


def _first_worker(client: Client, address: str, wait: float) -> None:
    try:
        client.wait_for_workers(1, timeout=wait)
    except TimeoutError:
        refused = [told for _, told in client.get_events(_REFUSED)]
        raise InputError(
            f"the scheduler has had no worker for {wait:.0f} seconds",
            column=address,
            rows=refused,
            fix=_SAME if refused else f"start some with `dask worker {address} --nthreads 1`",
        ) from None


def _check_versions(client: Client) -> None:
    """Refuse a cluster of which a member is another version, or has several threads.

    Raises
    ------
    InputError
        With the address and what differs.
    """
    expected, threads = _own_versions(), client.nthreads()
    found = dict(client.run(_own_versions, on_error="return"))
    try:
        found["the scheduler"] = client.run_on_scheduler(_own_versions)
    except Exception as error:
        found["the scheduler"] = error
    problems = {member: _differences(expected, own, threads.get(member, 1)) for member, own in found.items()}
    wrong = [f"{member}: {'; '.join(told)}" for member, told in problems.items() if told]
    if wrong:
        only_threads = all(told[-1:] == told and "threads" in told[0] for told in problems.values() if told)
        raise InputError(
            f"{len(wrong)} of {len(found)} members of the cluster would compute something else",
            rows=wrong,
            expected="the versions of this command everywhere, and one thread a worker",
            fix="start them with --nthreads 1, as many with --nworkers as there are cores" if only_threads else _SAME,
        )
