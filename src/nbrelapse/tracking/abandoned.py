"""Runs whose process is gone: each run says which process it is of, and the next command closes what was left."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from nbrelapse.tracking._process import _host, _is_gone, _this_process
from nbrelapse.tracking.names import _PROCESS_TAG
from nbrelapse.tracking.store import _in_words, has_store, open_store

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run


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
    """Return the tag that says which process a run is of; nothing where the system does not tell."""
    process = _this_process()
    return {} if process is None else {_PROCESS_TAG: process}


def _is_alive(run: Run) -> bool:
    """Whether a run is of a process of this machine that is there."""
    process = run.data.tags.get(_PROCESS_TAG, "")
    return process.split(" ")[0] == _host() and not _is_gone(process)
