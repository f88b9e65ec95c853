"""The columns of a score."""

from __future__ import annotations

from collections.abc import Sequence

HORIZON_YEARS = (1, 2, 3, 5)
TEXT_COLUMNS = ("missing_assays", "out_of_range_features", "warnings")


def score_columns(mechanisms: Sequence[str], binary: str | None = None) -> list[str]:
    """Names of the columns that a model's scores have, in order, ``patient_id`` aside.

    Parameters
    ----------
    mechanisms : sequence of str
        Those that the model reads.
    binary : str, optional
        The endpoint, where it is binary: its probability takes the place of incidence and survival by years.

    Examples
    --------
    >>> score_columns(["mycn"])[:5]
    ['risk_percentile', 'log_risk', 'log_risk_low', 'log_risk_high', 'incidence_1y']
    >>> score_columns(["mycn"], "refractory")[4:7]
    ['probability_refractory', 'probability_refractory_low', 'probability_refractory_high']
    """
    names = [f"incidence_{years}y" for years in HORIZON_YEARS] if binary is None else [f"probability_{binary}"]
    probabilities = []
    for name in names:
        probabilities += [name, f"{name}_low", f"{name}_high"]
        if binary is None:
            probabilities.append(name.replace("incidence", "survival"))
    return [
        "risk_percentile",
        "log_risk",
        "log_risk_low",
        "log_risk_high",
        *probabilities,
        "baseline",
        *(f"mechanism__{name}" for name in mechanisms),
        "evidence",
        *TEXT_COLUMNS,
    ]
