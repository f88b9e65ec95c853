"""The true log hazards of a simulated cohort."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from nbrelapse.errors import InputError

TRUTH_FILE = "truth.parquet"


def read_truth(folder: str | Path) -> pd.DataFrame:
    """Read what :func:`write_raw_files` kept aside.

    Parameters
    ----------
    folder : path
        The folder that the study was written to.

    Returns
    -------
    DataFrame of float64
        Index ``patient_id``, a column a mechanism: its true contribution to the log hazard of relapse or
        progression. The log hazard is the sum of the columns, up to a constant; a mechanism without effect is 0.

    Raises
    ------
    InputError
        The folder has no truth file.
    """
    file = Path(folder) / TRUTH_FILE
    if not file.exists():
        raise InputError(
            "the true log hazards are not there",
            file=file,
            expected="a folder written by write_raw_files (`nbrelapse cohort simulate`)",
        )
    return pd.read_parquet(file).set_index("patient_id")
