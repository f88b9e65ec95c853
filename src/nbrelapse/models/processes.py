"""Work in other processes, the same ones for all that an experiment does: starting one takes seconds of imports."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from importlib import import_module
from typing import Any, Protocol

from joblib import Parallel, delayed, parallel_config
from joblib.externals.loky import get_reusable_executor

_Task = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]


class _Elsewhere(Protocol):
    """Where tasks go instead of to processes of this machine."""

    def begin(self, tasks: Iterable[_Task], *, ordered: bool) -> Iterator[Any]: ...


_ELSEWHERE: ContextVar[_Elsewhere | None] = ContextVar("_ELSEWHERE", default=None)
"""Set by :func:`nbrelapse.models.executing_on`."""


def in_processes(tasks: Iterable[_Task], n_jobs: int, *, ordered: bool = True) -> Iterator[Any]:
    """Begin tasks in other processes, each with one thread, and return their results as one asks for them.

    Parameters
    ----------
    tasks : iterable of joblib.delayed calls
    n_jobs : int
        Processes. With 1 there is none: a task runs here when its result is asked for. Inside of
        :func:`nbrelapse.models.executing_on` all tasks go to the cluster, whatever their number of jobs.
    ordered : bool
        Whether the results come in the order of the tasks, or as they are done.

    Returns
    -------
    iterator
        What is asked for before it is done is waited for; what else this process does meanwhile costs no time.

    Examples
    --------
    >>> list(in_processes([delayed(round)(1.26, 1), delayed(abs)(-2)], n_jobs=1))
    [1.3, 2]
    """
    elsewhere = _ELSEWHERE.get()
    if elsewhere is not None:
        return elsewhere.begin(tasks, ordered=ordered)
    # One setting for all callers: joblib starts its workers anew where it changes.
    with parallel_config(
        backend="loky", inner_max_num_threads=1, initializer=_end_with_parent, initargs=(os.getpid(),)
    ):
        results = Parallel(n_jobs=n_jobs, return_as="generator" if ordered else "generator_unordered")(tasks)
    return iter(results)


@contextmanager
def starting_processes(n_jobs: int) -> Iterator[None]:
    """Start the processes of :func:`in_processes`, and what models import, while this one does something else.

    Parameters
    ----------
    n_jobs : int
        With 1 there is nothing to start.
    """
    imports = [delayed(import_module)(name) for name in _IMPORTS * n_jobs] if n_jobs > 1 else []
    begun = in_processes(imports, n_jobs)
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        raise  # a signal waits for nothing
    except BaseException:
        _await(begun)  # tasks that nobody waits for end with a traceback of joblib's thread
        raise
    _await(begun)


def _await(begun: Iterator[Any]) -> None:
    for _ in begun:
        pass


def end_processes() -> None:
    """End the processes of :func:`in_processes` at once, whatever they do; without any, nothing happens."""
    get_reusable_executor(reuse=True, kill_workers=True).shutdown(wait=True, kill_workers=True)


_IMPORTS = ("nbrelapse.models.linear", "sksurv.linear_model", "xgboost", "optuna")


def _end_with_parent(parent: int) -> None:
    """Watch, in a worker, the process that started it, and end when that is gone, however it was killed."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
