"""Copy number that switches to and fro between two states: the trace of chromothripsis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from nbrelapse.mechanisms.builders.copy_number_arms import genome_wide
from nbrelapse.mechanisms.builders.copy_number_tables import CopyNumberTables


def oscillation(tables: CopyNumberTables, parameters: Mapping[str, Any]) -> np.ndarray:
    """Count the switches in the longest series in which a chromosome alternates between two states.

    States are lost, neutral and gained, of the smoothed profile. A shattered chromosome whose pieces were joined
    again alternates between few states many times (10.1016/j.cell.2011.11.023).

    Parameters
    ----------
    tables : CopyNumberTables
    parameters : dict
        ``at_least``: say whether there are so many switches; else the logarithm of 1 + their number is returned.

    Returns
    -------
    ndarray, shape (n_patients,)
        The largest value over the autosomes.
    """
    profile, segments = tables.profile, tables.profile.segments
    state = profile.gained.astype(np.int8) - profile.lost.astype(np.int8)
    # A run of segments of one state is one piece.
    starts = ~segments.follows
    starts[1:] |= state[1:] != state[:-1]
    rows = np.flatnonzero(starts & profile.autosomal)
    switches = _longest_alternation(state[rows], ~segments.follows[rows])
    longest = np.zeros(len(profile.patient_ids), dtype=np.int64)
    np.maximum.at(longest, segments.sample[rows], switches)
    if "at_least" in parameters:
        return genome_wide(tables, longest >= parameters["at_least"])
    return genome_wide(tables, np.log1p(longest))


def _longest_alternation(state: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Count the switches of the alternating series that ends at each piece.

    0 at the first piece of a chromosome, then 1, and one more wherever a piece has the state of the last but one.
    """
    place = np.arange(len(state))
    since_first = place - np.maximum.accumulate(np.where(first, place, 0)) if len(state) else place
    returns = np.zeros(len(state), dtype=bool)
    returns[2:] = state[2:] == state[:-2]
    returns &= since_first >= 2
    # Where a piece does not return, a new series begins with the switch into it.
    begins = np.maximum.accumulate(np.where(returns, 0, place)) if len(state) else place
    return np.where(since_first == 0, 0, place - begins + 1)
