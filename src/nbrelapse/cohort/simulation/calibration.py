"""The figures that a simulation follows."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

import numpy as np

STRATA = ("mna", "high_na", "other")
"""MYCN amplified; high-risk without; not high-risk."""


@cache
def load_calibration() -> Mapping[str, Any]:
    """Return the content of ``calibration.toml``."""
    text = resources.files("nbrelapse.cohort.simulation").joinpath("calibration.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def by_stratum(values: Mapping[str, float], stratum: np.ndarray) -> np.ndarray:
    """Return each patient's value of a figure that is given by stratum.

    Parameters
    ----------
    values : dict
        A value for each of ``STRATA``.
    stratum : ndarray of int, shape (n_patients,)
        Positions in ``STRATA``.
    """
    return np.array([values[name] for name in STRATA], dtype=np.float64)[stratum]
