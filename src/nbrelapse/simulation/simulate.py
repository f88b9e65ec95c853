"""A simulated cohort in one call."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from nbrelapse.cohort.cohort import Cohort
from nbrelapse.readers.cbioportal import import_cbioportal
from nbrelapse.simulation.files import write_raw_files


def simulate_cohort(n_patients: int = 500, seed: int = 0) -> Cohort:
    """Simulate a study and read its files with the reader of real studies.

    Parameters
    ----------
    n_patients : int, default 500
    seed : int, default 0

    Returns
    -------
    Cohort
        Named ``simulated``; equal arguments give equal cohorts. The true log hazards are not in it: use
        :func:`write_raw_files` and :func:`read_truth` where they are wanted.

    Raises
    ------
    InputError
        `n_patients` or `seed` is out of range.

    Examples
    --------
    >>> cohort = simulate_cohort(60, seed=1)
    >>> len(cohort.patients), cohort.name
    (60, 'simulated')
    """
    with tempfile.TemporaryDirectory(prefix="nbrelapse-simulated-") as folder:
        cohort = import_cbioportal(write_raw_files(Path(folder) / "simulated", n_patients, seed))
    source: dict[str, Any] = {"reader": "simulation", "n_patients": n_patients, "seed": seed}
    return replace(cohort, metadata={**cohort.metadata, "source": source})
