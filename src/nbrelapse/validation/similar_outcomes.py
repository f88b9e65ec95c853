"""What became of the patients with the predictions nearest to a given one."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import binomtest

from nbrelapse.outcome.event_of import event_of, is_survival
from nbrelapse.validation.horizons import HORIZON_YEARS, YEAR
from nbrelapse.validation.observed_incidence import observed_incidence

NEIGHBOURS = 50
LEAST_NEIGHBOURS = 20
"""With a quarter of the patients below this nothing is said. Choices: an interval over 20 patients is wide already."""

_POINTS = 41


def similar_outcomes(probability: np.ndarray, y: np.ndarray) -> list[dict[str, Any]]:
    """Return the outcomes of the patients with the nearest predictions, on a grid of predicted probability.

    Parameters
    ----------
    probability : ndarray of shape (n_patients,)
        Of the event, predicted without the patient.
    y : ndarray of shape (n_patients,)
        Structured, ``event`` and ``time`` in days, or binary.

    Returns
    -------
    list of dict
        JSON data, no identifiers; a point of the grid each, rising, at the quantiles of ``probability``:
        ``probability``; of the 50 nearest patients, or a quarter of all where that is fewer, ``low`` and ``high``, the
        range of their predictions, ``patients`` and ``events``; and ``observed``, a list of ``years`` (1, 2, 3 and 5 as
        far as they were followed; None for a binary endpoint), ``incidence``, ``low`` and ``high``, the 95% interval
        of :func:`observed_incidence` or the exact binomial one. Empty where a quarter is fewer than 20 patients.

    Examples
    --------
    >>> point = similar_outcomes(np.linspace(0, 1, 200), np.repeat([0, 1], 100))[0]
    >>> point["patients"], point["events"], round(point["observed"][0]["high"], 3)
    (50, 0, 0.071)
    """
    count = min(NEIGHBOURS, len(y) // 4)
    if count < LEAST_NEIGHBOURS:
        return []
    grid = np.unique(np.quantile(probability, np.linspace(0, 1, _POINTS)))
    points = []
    for centre in grid:
        nearest = np.argsort(np.abs(probability - centre), kind="stable")[:count]
        own = y[nearest]
        points.append(
            {
                "probability": float(centre),
                "low": float(probability[nearest].min()),
                "high": float(probability[nearest].max()),
                "patients": count,
                "events": int((event_of(own) == 1).sum()),
                "observed": _by_years(own) if is_survival(own) else [_once(own)],
            }
        )
    return points


def _by_years(y: np.ndarray) -> list[dict[str, Any]]:
    found = [(years, observed_incidence(y, years * YEAR)) for years in HORIZON_YEARS]
    return [
        {"years": years, "incidence": value, "low": low, "high": high}
        for years, (value, low, high) in found
        if np.isfinite([value, low, high]).all()
    ]


def _once(y: np.ndarray) -> dict[str, Any]:
    events = int((event_of(y) == 1).sum())
    interval = binomtest(events, len(y)).proportion_ci(method="exact")
    return {"years": None, "incidence": events / len(y), "low": float(interval.low), "high": float(interval.high)}
