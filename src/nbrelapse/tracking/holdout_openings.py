"""How often a hold-out has been looked at."""

from __future__ import annotations

from nbrelapse.tracking.count_experiments import count_experiments

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
    return count_experiments(HOLDOUT_TAG, fingerprint)
