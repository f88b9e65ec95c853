"""Which machines work: the processes of this one, or a Dask cluster that is at an address or described in a file."""

from __future__ import annotations

import inspect
import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module, util
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nbrelapse.cohort.content import parse_toml, read_bytes
from nbrelapse.errors import InputError, illegal_key
from nbrelapse.models.processes import _ELSEWHERE

_EXPECTED = "local, dask, dask:ADDRESS such as dask:tcp://host:8786, or a TOML file that describes a cluster"
_LOCAL = "distributed.LocalCluster"
_WAIT = 10.0
"""Seconds to wait for a first worker at an address: those of a scheduler that is there should be there, too."""

_PACKAGES = {"dask_jobqueue": "dask-jobqueue", "dask_kubernetes": "dask-kubernetes"}


class _ClusterSection(BaseModel):
    """``[cluster]`` of a file: what starts workers, and how many."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Annotated[str, Field(alias="class", pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)+$")]
    """Such as ``dask_jobqueue.SLURMCluster``."""
    jobs: Annotated[int, Field(ge=1)]
    """Of a queue, each of as many workers as it has cores; else workers."""
    wait: Annotated[float, Field(gt=0)] = 3600.0
    """Seconds to wait for the first worker: a queue may be long."""
    options: dict[str, Any] = {}
    """Arguments of the class."""


class _ClusterFile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    cluster: _ClusterSection


@contextmanager
def executing_on(executor: str, n_jobs: int) -> Iterator[int]:
    """Let all that goes through :func:`in_processes` meanwhile be done by a Dask cluster.

    Results are the same bits wherever they are computed: each task has its own seed and one thread. Tables that many
    tasks read are sent once. Workers that are lost are survived; those of another version are refused.

    Parameters
    ----------
    executor : str
        ``local`` (processes of this machine, without Dask), ``dask`` (a Dask cluster of this machine, for as long as
        the context lasts), ``dask:ADDRESS`` (of a scheduler that has workers), or the name of a TOML file.
    n_jobs : int
        Processes of ``local`` and ``dask``; elsewhere the cluster's number counts.

    Yields
    ------
    int
        The number of processes to divide work by.

    Raises
    ------
    InputError
        The executor or its file cannot be read, a package is missing, the scheduler is away, no worker comes, or one
        has another version of Python, of this package or of a library that results depend on.

    Notes
    -----
    ``dask`` starts Python anew: a script that uses it guards what it does with ``if __name__ == "__main__":``.

    Examples
    --------
    >>> with executing_on("local", 2) as jobs:
    ...     jobs
    2
    """
    if executor == "local":
        yield n_jobs
        return
    with _workers(executor, n_jobs) as (cluster, jobs):
        token = _ELSEWHERE.set(cluster)
        try:
            yield jobs
        finally:
            _ELSEWHERE.reset(token)


@contextmanager
def _workers(executor: str, n_jobs: int) -> Iterator[tuple[Any, int]]:
    """Connect to a cluster, after starting it where it is one of ours; yield it and its number of workers."""
    kind, _, address = executor.partition(":")
    if kind != "dask" and not executor.endswith(".toml"):
        raise InputError(f"unknown executor {executor!r}", column="--executor", expected=_EXPECTED)
    if kind == "dask" and ":" in executor and not address:
        raise InputError("the executor has no address", column="--executor", expected=_EXPECTED)
    file = None if kind == "dask" else Path(executor)
    section = _ClusterSection.model_validate({"class": _LOCAL, "jobs": n_jobs}) if file is None else _read(file)
    if util.find_spec("distributed") is None:
        raise InputError(
            "Dask is not installed", column="--executor", fix='pip install "nbrelapse[dask]", or say --executor local'
        )
    from nbrelapse.models._dask import _connected

    if address:
        with _connected(address, _WAIT) as cluster:
            yield cluster, cluster.workers
        return
    with _started(section, file) as (started, workers), _connected(started, section.wait) as cluster:
        yield cluster, workers


def _read(file: Path) -> _ClusterSection:
    """Read a file that describes a cluster.

    Raises
    ------
    InputError
        It is missing, no TOML, or a key is unknown, missing or illegal.
    """
    document = parse_toml(read_bytes(file), file, "the file of the cluster")
    try:
        return _ClusterFile.model_validate(document).cluster
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        legal = ["class", "jobs", "wait", "options"] if len(first["loc"]) > 1 else ["cluster"]
        raise illegal_key(first, file=file, column=where, legal=legal) from None


def _class_of(section: _ClusterSection, file: Path | None) -> Any:
    from distributed.deploy import Cluster

    module, _, name = section.kind.rpartition(".")
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        package = _PACKAGES.get(module.split(".")[0])
        fix = f"pip install {package}" if package and isinstance(error, ImportError) else "correct the name"
        raise InputError(f"there is no {section.kind} here: {error}", file=file, column="class", fix=fix) from None
    if not (inspect.isclass(found) and issubclass(found, Cluster)):
        raise InputError(
            f"{section.kind} is no cluster of Dask",
            file=file,
            column="class",
            expected="such as dask_jobqueue.SLURMCluster or distributed.LocalCluster",
        )
    return found


def _arguments(found: type, options: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of a class: nothing listens that is not needed, nothing is spilled, a thread a worker."""
    from distributed import LocalCluster

    defaults: dict[str, Any] = {}
    if issubclass(found, LocalCluster):
        defaults = {
            "n_workers": 0,
            "threads_per_worker": 1,
            "memory_limit": 0,
            "dashboard_address": "127.0.0.1:0",
            "security": True,
            "silence_logs": logging.ERROR,
        }
    elif _is_queue(found):
        defaults = {"processes": options.get("cores", 1), "scheduler_options": {"dashboard_address": ":0"}}
    return defaults | options


def _is_queue(found: type) -> bool:
    """Whether it is one of dask-jobqueue's."""
    return hasattr(found, "job_cls")


def _check_queue(found: Any, file: Path | None) -> None:
    """Refuse a queue that jobs cannot be submitted to from here."""
    submit = (getattr(found.job_cls, "submit_command", None) or "") if _is_queue(found) else ""
    if submit and shutil.which(submit.split()[0]) is None:
        raise InputError(
            f"jobs cannot be submitted here: there is no {submit.split()[0]}",
            file=file,
            column="class",
            fix="run the command where jobs are submitted, or name the class of another queue",
        )


@contextmanager
def _started(section: _ClusterSection, file: Path | None) -> Iterator[tuple[Any, int]]:
    """Start the cluster that a file describes, and yield it with its number of workers; it ends with the context."""
    import dask

    found = _class_of(section, file)
    _check_queue(found, file)
    arguments = _arguments(found, section.options)
    try:
        cluster = found(**arguments)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{section.kind} cannot be made with these options: {error}", file=file, column="cluster.options"
        ) from None
    with cluster:
        if _is_queue(found):
            cluster.adapt(minimum_jobs=section.jobs, maximum_jobs=section.jobs)  # a job that ends is started again
            yield cluster, section.jobs * int(arguments["processes"])
        else:
            # What starts a lost worker again would be given up where two losses are 15 seconds apart.
            with dask.config.set({"distributed.deploy.lost-worker-timeout": "1h"}):
                cluster.scale(section.jobs)
                yield cluster, section.jobs
