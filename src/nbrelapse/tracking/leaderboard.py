"""Reading experiments back."""

from __future__ import annotations

import pandas as pd

from nbrelapse.errors import InputError
from nbrelapse.tracking.store import default_uri, use_store

HOLDOUT_TAG = "nbrelapse.holdout"


def count_holdout_openings(fingerprint: str) -> int:
    """How many experiments in the store have already looked at a hold-out.

    Parameters
    ----------
    fingerprint : str
        Of the hold-out's patients and endpoint.
    """
    uri = use_store()
    from pathlib import Path

    import mlflow

    if uri == default_uri() and not Path(uri.removeprefix("sqlite:///")).exists():
        return 0
    runs = mlflow.search_runs(
        search_all_experiments=True,
        filter_string=f"tags.`{HOLDOUT_TAG}` = '{fingerprint}' and tags.`nbrelapse.kind` = 'experiment'",
        output_format="list",
    )
    return len(runs)


def read_leaderboard(experiment: str) -> pd.DataFrame:
    """Metrics of the latest run of an experiment, model by model.

    Parameters
    ----------
    experiment : str
        Its name.

    Returns
    -------
    DataFrame
        A row a model and metric: ``model``, ``metric`` (``<endpoint>/…``), ``value``, ``low``, ``high``, ``run_id``;
        NaN where a metric has no interval.

    Raises
    ------
    InputError
        The store has no such experiment, or no finished run of it.
    """
    use_store(create=False)
    import mlflow

    found = mlflow.get_experiment_by_name(experiment)
    if found is None:
        names = ", ".join(item.name for item in mlflow.search_experiments() if item.name != "Default")
        raise InputError(f"the store has no experiment named {experiment!r}", expected=names or "a trained experiment")
    parents = mlflow.search_runs(
        [found.experiment_id],
        "tags.`nbrelapse.kind` = 'experiment' and attributes.status = 'FINISHED'",
        order_by=["attributes.start_time DESC"],
        max_results=1,
        output_format="list",
    )
    if not parents:
        raise InputError(f"the experiment {experiment!r} has no finished run")
    children = mlflow.search_runs(
        [found.experiment_id], f"tags.mlflow.parentRunId = '{parents[0].info.run_id}'", output_format="list"
    )
    rows = []
    for child in children:
        metrics = child.data.metrics
        rows += [
            {
                "model": child.data.tags["nbrelapse.model"],
                "metric": name,
                "value": value,
                "low": metrics.get(f"{name}_low", float("nan")),
                "high": metrics.get(f"{name}_high", float("nan")),
                "run_id": child.info.run_id,
            }
            for name, value in metrics.items()
            if not name.endswith(("_low", "_high"))
        ]
    return pd.DataFrame(rows).sort_values(["metric", "model"], ignore_index=True)
