"""What the values of a metric mean."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pandas as pd

_Values = TypeVar("_Values", float, np.ndarray, pd.Series)


@dataclass(frozen=True)
class MetricKind:
    """Which values of a metric are good, what chance gives, and why a model may have none.

    Parameters
    ----------
    best : float
        The value of a perfect model; the nearer the better.
    undefined : str
        Why a model may have no value, as a clause.
    chance : float or None
        The value of a model that knows nothing, where that does not depend on the patients.
    """

    best: float
    undefined: str = "its patients do not determine it"
    chance: float | None = None

    @classmethod
    def of(cls, metric: str) -> MetricKind:
        """Return the kind of a metric, whatever its horizon.

        Examples
        --------
        >>> MetricKind.of("auc_3y").chance, MetricKind.of("integrated_brier").best
        (0.5, 0.0)
        """
        return _KINDS[re.sub(r"_\d+y$", "", metric)]

    def goodness(self, values: _Values) -> _Values:
        """Return a number that is higher the better a value is; NaN stays NaN.

        Examples
        --------
        >>> MetricKind.of("calibration_slope").goodness(1.5), MetricKind.of("brier_5y").goodness(0.25)
        (-0.5, -0.25)
        """
        return -abs(values - self.best)


_NO_PAIR = "no fold has patients to compare"
_NO_SLOPE = "its log risk is constant or separates the events"
_KINDS = {
    "harrell_c": MetricKind(1.0, _NO_PAIR, chance=0.5),
    "uno_c": MetricKind(1.0, _NO_PAIR, chance=0.5),
    "cause_specific_c": MetricKind(1.0, _NO_PAIR, chance=0.5),
    "auc": MetricKind(1.0, _NO_PAIR, chance=0.5),
    "brier": MetricKind(0.0),
    "ipa": MetricKind(1.0, "nobody has the event by then", chance=0.0),
    "integrated_brier": MetricKind(0.0),
    "calibration_slope": MetricKind(1.0, _NO_SLOPE),
    "calibration_intercept": MetricKind(0.0, "nobody has the event by then, or everybody"),
    "ici": MetricKind(0.0, _NO_SLOPE),
}
