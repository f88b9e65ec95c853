"""Second samples, taken at relapse."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd


def draw_relapse_samples(
    rng: np.random.Generator, drawn: pd.DataFrame, courses: pd.DataFrame, calibration: Mapping[str, Any]
) -> pd.DataFrame:
    """Draw samples of some relapsed patients; they keep what the first sample carried and gain some.

    Parameters
    ----------
    rng : Generator
    drawn : DataFrame
        From ``draw_patients``, with ``patient_id``, ``sample_id`` and the assays.
    courses : DataFrame
        From ``draw_courses``.
    calibration : dict

    Returns
    -------
    DataFrame
        The columns of `drawn`, a row a relapse sample; the same assays as at diagnosis.
    """
    figures = calibration["relapse_samples"]
    biopsied = courses["relapsed"].to_numpy() & (rng.random(len(drawn)) < figures["share"])
    second = drawn[biopsied].reset_index(drop=True)
    gained = {
        name: np.maximum(second[name], rng.random(len(second)) < share) for name, share in figures["gained"].items()
    }
    return second.assign(sample_id=second["patient_id"] + "-02", **gained)
