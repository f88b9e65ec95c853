"""How many experiments bear a mark."""

from __future__ import annotations

from nbrelapse.tracking.records import EXPERIMENT, KIND_TAG
from nbrelapse.tracking.store import database_file, open_store, store_uri

TRAINING_TAG = "nbrelapse.training"
"""Tag of an experiment's run; its value is the fingerprint of the training outcomes, whatever the features."""


def count_experiments(tag: str, value: str) -> int:
    """How many experiments of the store have a tag of this value.

    Failed and deleted runs count: they have looked at the data as well.

    Parameters
    ----------
    tag, value : str

    Returns
    -------
    int
        0 without a store; none is made.
    """
    database = database_file(store_uri())
    if database is not None and not database.exists():
        return 0
    client = open_store()
    from mlflow.entities import ViewType

    experiments = [found.experiment_id for found in client.search_experiments(view_type=ViewType.ALL)]
    condition = f"tags.`{tag}` = '{value}' and tags.`{KIND_TAG}` = '{EXPERIMENT}'"
    count = 0
    page: str | None = None
    while True:
        runs = client.search_runs(experiments, condition, run_view_type=ViewType.ALL, page_token=page)
        count, page = count + len(runs), runs.token
        if not page:
            return count
