"""Which tumours were looked at, and how."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

ASSAYS = ("copy_number", "mutations", "rearrangements", "expression")


def draw_assays(rng: np.random.Generator, drawn: pd.DataFrame, calibration: Mapping[str, Any]) -> pd.DataFrame:
    """Draw each patient's site, and from site and year of diagnosis the assays: they are missing in blocks.

    Parameters
    ----------
    rng : Generator
    drawn : DataFrame
        From :func:`draw_patients`.
    calibration : dict

    Returns
    -------
    DataFrame
        ``site``; booleans ``copy_number``, ``mutations``, ``rearrangements``, ``expression``; ``panel``: sequenced
        with a gene panel instead of the whole genome.
    """
    sites = pd.DataFrame.from_dict(calibration["sites"], orient="index")
    position = rng.choice(len(sites), size=len(drawn), p=sites["share"] / sites["share"].sum())
    own = sites.iloc[position]
    year = drawn["diagnosis_year"].to_numpy()
    assays = pd.DataFrame({name: year >= own[name].to_numpy() for name in ASSAYS}, index=drawn.index)
    panel = own["panel"].eq(True).to_numpy() & assays["mutations"].to_numpy()
    return assays.assign(site=own.index.to_numpy(), panel=panel)
