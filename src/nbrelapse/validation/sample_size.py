"""Whether there are enough patients for the number of candidate parameters."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy.optimize import brentq

from nbrelapse.errors import InputError

SHRINKAGE = 0.9
"""Criterion (i) of Riley 2020: predictor effects overestimated by a tenth at most."""

_NAGELKERKE_DIFFERENCE = 0.05
"""Criterion (ii): apparent and adjusted Nagelkerke R² no further apart."""

_ANTICIPATED_SHARE = 0.15
"""Share of the largest possible Cox-Snell R² that Riley 2020 advises to anticipate where no figure is known."""


@dataclass(frozen=True)
class SampleSize:
    """How many patients an unpenalised regression on the candidate parameters would need.

    Parameters
    ----------
    patients, events, parameters : int
        What there is.
    anticipated_r2 : float
        Cox-Snell R².
    shrinkage : float
        By which the predictor effects would have to be multiplied, fitted without penalty to these patients: 1 is no
        overfitting.
    patients_needed, events_needed : int
        For an overestimation of a tenth at most, and an R² overestimated by 0.05 at most.
    """

    patients: int
    events: int
    parameters: int
    anticipated_r2: float
    shrinkage: float
    patients_needed: int
    events_needed: int

    @property
    def events_per_parameter(self) -> float:
        """Events for each candidate parameter."""
        return self.events / self.parameters

    @property
    def is_enough(self) -> bool:
        """Whether there are as many patients as needed."""
        return self.patients >= self.patients_needed


def sample_size(
    patients: int, events: int, parameters: int, *, binary: bool = False, anticipated_r2: float | None = None
) -> SampleSize:
    r"""Compare a data set with the minimum that the criteria of Riley et al. [1]_ [2]_ ask for.

    The patients needed are the larger of :math:`p / ((S - 1) \ln(1 - R^2 / S))` for S = 0.9 and for
    :math:`S = R^2 / (R^2 + 0.05 \max R^2)`, p the candidate parameters. The largest Cox-Snell R² follows from the log
    likelihood of a model without predictors: with :math:`\varphi` events a patient it is
    :math:`1 - \exp(2 (\varphi \ln \varphi - \varphi))` for a time to an event, and
    :math:`1 - \exp(2 (\varphi \ln \varphi + (1 - \varphi) \ln(1 - \varphi)))` for a binary outcome.

    Parameters
    ----------
    patients, events : int
        Of the training data; ``events`` counts the event of interest.
    parameters : int
        Candidates, chosen or not: every one that the data could have made part of the model.
    binary : bool
        A yes or no instead of a time to an event.
    anticipated_r2 : float, optional
        Cox-Snell R²; by default 0.15 of the largest possible, as the authors advise where nothing is known.

    Returns
    -------
    SampleSize

    Raises
    ------
    InputError
        There are no events, no parameters, nobody without the event of a binary outcome, or an R² that cannot be.

    References
    ----------
    .. [1] Riley 2020, BMJ, 10.1136/bmj.m441
    .. [2] Riley 2019, Statistics in Medicine, 10.1002/sim.7992

    Examples
    --------
    >>> size = sample_size(498, 183, 60)
    >>> size.patients_needed, size.events_needed, round(size.shrinkage, 2)
    (4368, 1606, 0.52)
    """
    if not 0 < events <= patients or (binary and events == patients) or parameters < 1:
        raise InputError(
            f"no sample size for {events} events of {patients} patients and {parameters} parameters",
            expected="at least one event and one parameter" + (", and patients of both kinds" if binary else ""),
        )
    largest = _largest_r2(events / patients, binary)
    r2 = _ANTICIPATED_SHARE * largest if anticipated_r2 is None else anticipated_r2
    if not 0 < r2 < min(largest, SHRINKAGE):
        raise InputError(
            f"illegal anticipated R² {r2!r}",
            column="anticipated_r2",
            expected=f"above 0, below {min(largest, SHRINKAGE):.3f}",
        )
    second = r2 / (r2 + _NAGELKERKE_DIFFERENCE * largest)
    needed = max(math.ceil(parameters / _per_parameter(s, r2)) for s in (SHRINKAGE, second))
    shrinkage = brentq(lambda s: patients * _per_parameter(s, r2) - parameters, r2 * (1 + 1e-12), 1.0)
    events_needed = math.ceil(needed * events / patients)
    return SampleSize(patients, events, parameters, r2, float(shrinkage), needed, events_needed)


def _largest_r2(share: float, binary: bool) -> float:
    rest = (1 - share) * math.log(1 - share) if binary else -share
    return 1 - math.exp(2 * (share * math.log(share) + rest))


def _per_parameter(shrinkage: float, r2: float) -> float:
    """Parameters that one patient carries at this shrinkage."""
    return (shrinkage - 1) * math.log(1 - r2 / shrinkage)
