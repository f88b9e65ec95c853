"""Links to MLflow's pages: the models of an experiment, best first; the chosen models of several, side by side."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from nbrelapse.errors import InputError
from nbrelapse.tracking.names import (
    _CHOSEN_TAG,
    _EXPERIMENT,
    _KIND_TAG,
    _MODEL,
    _MODEL_TAG,
    COMPARED_METRICS,
    LEADING_FIGURE,
)
from nbrelapse.tracking.store import _find_experiment, _in_words, _server, open_store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlflow import MlflowClient
    from mlflow.entities import Run

_VIEW = "nbrelapse"
_VIEW_TAG = f"mlflow.sharedViewState.{_VIEW}"
"""Where MLflow keeps what its button *Share* keeps; a link names it. Only so can a link choose columns."""

_FINISHED_MODELS = f"tags.`{_KIND_TAG}` = '{_MODEL}' and attributes.status = 'FINISHED'"
_MARGIN, _LETTER = 60, 6
"""Pixels of a column's head; MLflow's own 100 would cut the longer names."""


def _share_view(client: MlflowClient, experiment: str) -> None:
    """Keep the view of an experiment's models in it, for :func:`models_link`."""
    columns = {name: f"metrics.`{name}`" for name in COMPARED_METRICS}
    state = {
        "searchFilter": _FINISHED_MODELS,
        "orderByKey": columns[LEADING_FIGURE],
        "orderByAsc": False,
        "selectedColumns": list(columns.values()),
        "columnOrder": list(columns.values()),
        "columnWidths": {column: _MARGIN + _LETTER * len(name) for name, column in columns.items()},
    }
    client.set_experiment_tag(experiment, _VIEW_TAG, json.dumps(state))


@_in_words
def models_link(experiment: str | None = None, *, port: int = 5000) -> str:
    """Return the address of the page that lists the models of an experiment, best first.

    The page is that of ``nbrelapse ui``, or of the server that is the store. Experiments that versions before 0.4
    recorded have no columns chosen and are not sorted.

    Parameters
    ----------
    experiment : str, optional
        Its name; by default the one that was trained last. Without any, the address is that of the list of experiments.
    port : int
        Of ``nbrelapse ui``.

    Returns
    -------
    str

    Raises
    ------
    InputError
        There is no store, or no experiment of that name in it.
    """
    client = open_store(create=False)
    base = _server(client.tracking_uri) or f"http://127.0.0.1:{port}"
    number = _latest(client) if experiment is None else str(_find_experiment(client, experiment).experiment_id)
    if number is None:
        return f"{base}/#/experiments"
    query = {"workflowType": "machine_learning"}
    if _VIEW_TAG in client.get_experiment(number).tags:
        query["viewStateShareKey"] = _VIEW
    else:
        query["searchFilter"] = _FINISHED_MODELS
    return f"{base}/#/experiments/{number}/runs?{urlencode(query)}"


@_in_words
def comparison_link(experiments: Sequence[str], *, port: int = 5000) -> str:
    """Return the address of the page that shows the chosen models of several experiments side by side.

    Parameters
    ----------
    experiments : sequence of str
        Their names, two or more; of each the training that ended last counts.
    port : int
        Of ``nbrelapse ui``.

    Returns
    -------
    str

    Raises
    ------
    InputError
        There is no store, no experiment of a name in it, or no finished training of one.
    """
    client = open_store(create=False)
    numbers, runs = [], []
    for name in experiments:
        number = str(_find_experiment(client, name).experiment_id)
        numbers.append(number)
        runs.append(_chosen_run(client, number, name))
    base = _server(client.tracking_uri) or f"http://127.0.0.1:{port}"
    return f"{base}/#/compare-runs?{urlencode({'runs': json.dumps(runs), 'experiments': json.dumps(numbers)})}"


def _chosen_run(client: MlflowClient, number: str, name: str) -> str:
    """Return the run of the model that the last finished training of an experiment chose."""
    training = _last_finished(client, [number])
    if training is None:
        raise InputError(f"the experiment {name!r} has no finished run", fix="train it first")
    chosen = training.data.tags.get(_CHOSEN_TAG, "")
    of_training = f"tags.mlflow.parentRunId = '{training.info.run_id}' and tags.`{_MODEL_TAG}` = '{chosen}'"
    found = client.search_runs([number], of_training, max_results=1)
    if not found:
        raise InputError(f"the last run of the experiment {name!r} has lost its chosen model", fix="train it again")
    return str(found[0].info.run_id)


def _latest(client: MlflowClient) -> str | None:
    last = _last_finished(client, [found.experiment_id for found in client.search_experiments()])
    return None if last is None else str(last.info.experiment_id)


def _last_finished(client: MlflowClient, experiments: list[str]) -> Run | None:
    """Return the training of these experiments that ended last."""
    runs = client.search_runs(
        experiments,
        f"tags.`{_KIND_TAG}` = '{_EXPERIMENT}' and attributes.status = 'FINISHED'",
        order_by=["attributes.end_time DESC"],
        max_results=1,
    )
    return runs[0] if runs else None
