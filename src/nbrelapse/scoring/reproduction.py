"""What scoring a model's training patients anew must give, wherever it is done."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd

from nbrelapse.metrics.discrimination import auc, harrell_c
from nbrelapse.scoring.bundle import Bundle
from nbrelapse.scoring.scores import _score_features


def reproducible_figures(bundle: Bundle, X: pd.DataFrame, y: np.ndarray) -> dict[str, Any]:
    """Summarise the scores of a model's training patients, for a test that scoring them anew gives the same.

    Parameters
    ----------
    bundle : Bundle
    X : DataFrame of shape (n, n_features)
        Features of the training patients; NaN = not assayed.
    y : ndarray of shape (n,)
        Their outcome.

    Returns
    -------
    dict
        JSON data: ``patients``; ``scored``, how many have enough evidence; of these the leading metric (``harrell_c``
        or ``auc``: apparent, so too good), ``log_risk_mean``, ``log_risk_sd``, and ``probability``, the mean by
        column of the scores. None where nobody is scored.
    """
    scores = _score_features(bundle, X)
    known = scores["log_risk"].notna().to_numpy()
    log_risk, metric = scores.loc[known, "log_risk"].to_numpy(), bundle.model.kind.leading_metric
    figures: dict[str, Any] = {"patients": len(X), "scored": int(known.sum())}
    if not known.any():
        return figures | {metric: None, "log_risk_mean": None, "log_risk_sd": None, "probability": {}}
    rank = harrell_c if bundle.model.kind.has_time else auc
    columns = [name for name in scores if re.fullmatch(r"incidence_\dy|probability_[a-z]+", str(name))]
    means = scores.loc[known, columns].mean().dropna()
    return figures | {
        metric: float(rank(y[known], log_risk)),
        "log_risk_mean": float(log_risk.mean()),
        "log_risk_sd": float(log_risk.std()),
        "probability": {str(name): float(value) for name, value in means.items()},
    }
