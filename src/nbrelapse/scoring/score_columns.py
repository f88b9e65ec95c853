"""The columns of a score."""

from __future__ import annotations

from collections.abc import Sequence

HORIZON_YEARS = (1, 2, 3, 5)
TEXT_COLUMNS = ("missing_assays", "out_of_range_features", "warnings")


def score_columns(mechanisms: Sequence[str]) -> list[str]:
    """Names of the columns that a model's scores have, in order, ``patient_id`` aside.

    Examples
    --------
    >>> score_columns(["mycn"])[:3]
    ['risk_percentile', 'log_risk', 'log_risk_low']
    """
    horizons = [
        column
        for years in HORIZON_YEARS
        for column in (
            f"incidence_{years}y",
            f"incidence_{years}y_low",
            f"incidence_{years}y_high",
            f"survival_{years}y",
        )
    ]
    contributions = ["baseline", *(f"mechanism__{name}" for name in mechanisms)]
    return [
        "risk_percentile",
        "log_risk",
        "log_risk_low",
        "log_risk_high",
        *horizons,
        *contributions,
        "evidence",
        *TEXT_COLUMNS,
    ]
