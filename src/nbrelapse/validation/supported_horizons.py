"""How far the follow-up lets predictions be judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from nbrelapse.outcome.event_of import is_survival
from nbrelapse.validation.censoring import CensoringDistribution
from nbrelapse.validation.horizons import HORIZON_YEARS, LONGEST_YEARS, YEAR


@dataclass(frozen=True)
class SupportedHorizons:
    """Horizons that some patients were still followed beyond, and what was given up for want of follow-up.

    Parameters
    ----------
    auc_years : tuple of int
        Years at which metrics are defined: an event before, patients under observation after.
    incidence_at : mapping of int to int
        Of these, the years at which incidence was predicted, and their positions among the predictions' times.
    tau : float
        Days up to which Uno's C counts events: five years, or the end of the follow-up.
    n_times : int
        How many of the predictions' times the Brier score is integrated over; below 2 it is undefined.
    notes : tuple of str
        What was left out or shortened, and why.

    Examples
    --------
    >>> import numpy as np
    >>> y = np.array([(1, 200.0), (0, 600.0)], dtype=[("event", "i1"), ("time", "f8")])
    >>> found = SupportedHorizons.of(y, CensoringDistribution.fit(y), np.array([182.6, 365.2, 547.9]))
    >>> found.auc_years, found.tau, found.n_times, found.notes[0]
    ((1,), 600.0, 3, 'metrics at 2 y are left out, the follow-up ends after 1.6 years')
    """

    auc_years: tuple[int, ...]
    incidence_at: Mapping[int, int]
    tau: float
    n_times: int
    notes: tuple[str, ...]

    @classmethod
    def of(cls, y: np.ndarray, censoring: CensoringDistribution, times: np.ndarray) -> Self:
        """Return what the patients judged (``y``) and the censoring distribution support.

        Parameters
        ----------
        y : ndarray of shape (n,)
            A binary outcome knows no horizon.
        censoring : CensoringDistribution
        times : ndarray of shape (n_times,)
            Of the predicted incidence, in days.
        """
        if not is_survival(y):
            return cls(auc_years=(), incidence_at={}, tau=np.inf, n_times=0, notes=())
        end = min(censoring.last_time, float(y["time"].max()))
        longest = LONGEST_YEARS * YEAR
        tau = min(longest, end)
        followed = f"the follow-up ends after {end / YEAR:.2g} years"
        notes = []
        auc_years = []
        first_event = y["time"][y["event"] == 1].min(initial=np.inf)
        for years in HORIZON_YEARS:
            if years * YEAR >= end:
                notes.append(f"metrics at {years} y are left out, {followed}")
            elif years * YEAR < first_event:
                notes.append(f"metrics at {years} y are left out, there is no event before")
            else:
                auc_years.append(years)
        at = {years: np.flatnonzero(np.isclose(times, years * YEAR)) for years in auc_years}
        incidence_at = {years: int(found[0]) for years, found in at.items() if len(found)}
        notes += [
            f"metrics of the incidence at {years} y are left out, it was not predicted then"
            for years in auc_years
            if years not in incidence_at
        ]
        if end < longest:
            notes.append(f"uno_c counts events up to {tau / YEAR:.2g} years only, {followed}")
        n_times = int(np.sum((times <= longest) & (times < end)))
        if n_times < 2:
            notes.append(f"integrated_brier is left out, it needs two times within {tau / YEAR:.2g} years")
        elif n_times < np.sum(times <= longest):
            last, asked = (f"{times[i] / YEAR:.2g}" for i in (n_times - 1, -1))
            notes.append(f"integrated_brier ends at {last} of {asked} years, {followed}")
        return cls(tuple(auc_years), incidence_at, tau, n_times, tuple(notes))
