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
        Where it is too little for a score the prediction and its parts are missing.

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
    likely = to_probability(explanation, bundle.model, horizon_days)
    importance = likely.mechanisms[evidence >= LEAST_EVIDENCE].abs().mean()
    return {
        "attributions": _write_table(out / "attributions.parquet", explanation, evidence),
        "probability": {
            "attributions": _write_table(out / "attributions_probability.parquet", likely, evidence),
            "horizon_days": horizon_days,
            "mechanisms": {str(name): None if math.isnan(value) else value for name, value in importance.items()},
        },
    }


def _write_table(file: Path, explanation: Explanation, evidence: np.ndarray) -> str:
    table = attribution_table(explanation, evidence)
    numbers = table.columns.difference(["patient_id", "horizon_days", "evidence"])
    table.loc[evidence < LEAST_EVIDENCE, numbers] = math.nan
    return str(write_scores(table, file))
