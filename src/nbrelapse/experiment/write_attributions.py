"""The tables of ``nbrelapse explain``."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from nbrelapse.explanation import Explanation, attribution_table, to_probability
from nbrelapse.scoring import Bundle
from nbrelapse.scoring.score_features import LEAST_EVIDENCE
from nbrelapse.scoring.scores import write_scores


def write_attributions(
    out: Path, bundle: Bundle, explanation: Explanation, horizon_days: float | None, evidence: np.ndarray
) -> dict[str, Any]:
    """Write the attributions of the log risks and of the probabilities as Parquet.

    Parameters
    ----------
    out : path
    bundle : Bundle
    explanation : Explanation
        Of the log risks.
    horizon_days : float or None
        Days of the probability; None for a binary endpoint.
    evidence : ndarray of shape (n_patients,)
        Where it is too little for a score the probability and its parts are missing.

    Returns
    -------
    dict
        ``attributions``, the file; and ``probability`` with its file, ``horizon_days`` and ``mechanisms``, the mean
        absolute contributions over those who have one.

    Raises
    ------
    InputError
        A file cannot be written.
    """
    table = attribution_table(explanation, evidence)
    written: dict[str, Any] = {"attributions": str(write_scores(table, out / "attributions.parquet"))}
    likely = to_probability(explanation, bundle.model, horizon_days)
    table = attribution_table(likely, evidence)
    known = evidence >= LEAST_EVIDENCE
    table.loc[~known, table.columns.difference(["patient_id", "horizon_days", "evidence"])] = math.nan
    importance = likely.mechanisms[known].abs().mean()
    return written | {
        "probability": {
            "attributions": str(write_scores(table, out / "attributions_probability.parquet")),
            "horizon_days": horizon_days,
            "mechanisms": {str(name): None if math.isnan(value) else value for name, value in importance.items()},
        }
    }
