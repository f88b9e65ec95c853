"""How often a hold-out has been looked at."""

from __future__ import annotations

from nbrelapse.tracking.records import EXPERIMENT, KIND_TAG
from nbrelapse.tracking.store import database_file, open_store, store_uri

HOLDOUT_TAG = "nbrelapse.holdout"
"""Tag of an experiment's run; its value is the fingerprint of the hold-out that was looked at."""


def count_holdout_openings(fingerprint: str) -> int:
    """How many experiments in the store have already looked at a hold-out.

    Failed and deleted runs count: they have looked as well.

    Parameters
    ----------
    fingerprint : str
        Of the hold-out's patients and endpoint.
    """
    database = database_file(store_uri())
    if database is not None and not database.exists():
        return 0
    client = open_store()
    from mlflow.entities import ViewType

    experiments = [found.experiment_id for found in client.search_experiments(view_type=ViewType.ALL)]
    condition = f"tags.`{HOLDOUT_TAG}` = '{fingerprint}' and tags.`{KIND_TAG}` = '{EXPERIMENT}'"
    count = 0
    page: str | None = None
    while True:
        runs = client.search_runs(experiments, condition, run_view_type=ViewType.ALL, page_token=page)
        count, page = count + len(runs), runs.token
        if not page:
            return count
