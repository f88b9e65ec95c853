"""Whether a model would change decisions for the better."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from nbrelapse.validation.decision_curve import DecisionCurve, decision_curve
from nbrelapse.validation.horizons import YEAR
from nbrelapse.validation.predictions import Predictions
from nbrelapse.validation.reclassification import Reclassification, reclassification
from nbrelapse.validation.tertile_calibration import tertile_calibration

UTILITY_YEARS = (3, 5)

_MOST_UNKNOWN = 0.2
"""A choice: a rule that leaves more patients without a group is no strategy for all of them."""


@dataclass(frozen=True)
class ClinicalUtility:
    """Decisions by one model beside decisions by the clinical groups.

    Parameters
    ----------
    model : str
    years : tuple of int
        Horizons that predictions and follow-up reach.
    decisions : DecisionCurve
    tertiles : DataFrame
        ``years`` and the columns of :func:`tertile_calibration`.
    grouping : str or None
        The clinical grouping that is crossed with the model at the last horizon; None without one.
    reclassification : Reclassification or None
    notes : list of str
        What was left out.
    """

    model: str
    years: tuple[int, ...]
    decisions: DecisionCurve
    tertiles: pd.DataFrame
    grouping: str | None
    reclassification: Reclassification | None
    notes: list[str]

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return everything that has rows, by name."""
        found = {
            "net_benefit": self.decisions.net_benefit,
            "net_benefit_differences": self.decisions.differences,
            "tertile_calibration": self.tertiles,
        }
        if self.reclassification is not None:
            found["reclassification"] = self.reclassification.cells.assign(grouping=self.grouping)
            found["reclassification_improvement"] = self.reclassification.improvement
        return {name: table for name, table in found.items() if len(table)}


def clinical_utility(
    model: str,
    predictions: Mapping[str, Predictions],
    groups: Mapping[str, np.ndarray],
    y: np.ndarray,
    *,
    n_bootstrap: int = 500,
    seed: int = 0,
) -> ClinicalUtility:
    """Ask what decisions by a model would be worth at three and five years.

    Parameters
    ----------
    model : str
        Which of the predictions.
    predictions : mapping of str to Predictions
        By model; ``clinical_cox`` is judged beside the model where it is among them.
    groups : mapping of str to ndarray of shape (n,)
        Clinical groupings as numbers, higher is worse, NaN where it is not known; one unknown of more than a fifth of
        the patients is left out, with a note. Of each the highest group is treated, patients of unknown group are
        not; of groupings that treat the same patients the first stands for all. The first is the reference of the
        differences; that of most patients, and then of most groups, is crossed with the model.
    y : structured ndarray of shape (n,)
    n_bootstrap, seed : int

    Returns
    -------
    ClinicalUtility

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> hazard = np.exp(rng.normal(size=200)) / 1500
    >>> y = np.array([(t < 1500, min(t, 1500)) for t in rng.exponential(1 / hazard)], "i1, f8")
    >>> y.dtype.names = ("event", "time")
    >>> incidence = (1 - np.exp(-hazard * 3 * 365.25)).reshape(1, 200, 1)
    >>> cox = Predictions("cox", np.log(hazard)[None], np.zeros((1, 200), int), incidence, np.array([3 * 365.25]))
    >>> found = clinical_utility("cox", {"cox": cox}, {"high_risk": (hazard > 0.001) * 1.0}, y, n_bootstrap=100)
    >>> found.years, found.grouping, list(found.tables())[:2]
    ((3,), 'high_risk', ['net_benefit', 'net_benefit_differences'])
    """
    own = predictions[model]
    years = tuple(
        year for year in UTILITY_YEARS if (own.times >= year * YEAR - 1).any() and y["time"].max() > year * YEAR
    )
    levels, unknown = _known_groups(groups)
    treated = _distinct({name: group == np.nanmax(group) for name, group in levels.items()})
    models = {name: predictions[name] for name in dict.fromkeys([model, "clinical_cox"]) if name in predictions}
    decisions = decision_curve(models, treated, y, years=UTILITY_YEARS, n_bootstrap=n_bootstrap, seed=seed)
    tertiles = [tertile_calibration(own, y, year * YEAR).assign(years=year) for year in years]
    crossed, grouping = None, None
    if levels and years:
        grouping = max(levels, key=lambda name: _patients_and_groups(levels[name]))
        horizon = years[-1] * YEAR
        crossed = reclassification(levels[grouping], own, y, horizon, n_bootstrap=n_bootstrap, seed=seed)
    table = pd.concat(tertiles, ignore_index=True) if tertiles else pd.DataFrame()
    return ClinicalUtility(model, years, decisions, table, grouping, crossed, decisions.notes + unknown)


def _known_groups(groups: Mapping[str, np.ndarray]) -> tuple[dict[str, np.ndarray], list[str]]:
    """Return the groupings that most patients have, and what is to be said of unknown ones."""
    levels, notes = {}, []
    for name, values in groups.items():
        group = np.asarray(values, dtype=float)
        unknown = np.isnan(group)
        if unknown.mean() > _MOST_UNKNOWN:
            notes.append(f"decisions by {name} are left out, it is unknown of {unknown.sum()} of {len(group)} patients")
            continue
        levels[name] = group
        if unknown.any():
            notes.append(f"{unknown.sum()} patients of unknown {name} count as not treated by it")
    return levels, notes


def _distinct(treated: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return one of the groups that treat the same patients."""
    first = {mask.tobytes(): name for name, mask in reversed(treated.items())}
    return {name: mask for name, mask in treated.items() if first[mask.tobytes()] == name}


def _patients_and_groups(group: np.ndarray) -> tuple[int, int]:
    known = group[~np.isnan(group)]
    return len(known), len(np.unique(known))
