"""What chance makes of the calibration index: outcomes drawn from a model's own predictions."""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from nbrelapse.metrics.calibration import _integrated_calibration_index, ici
from nbrelapse.metrics.horizons import CensoringDistribution
from nbrelapse.metrics.incidence import pseudo_observations, weighted_incidence
from nbrelapse.metrics.predictions import Predictions, _JudgedPatients
from nbrelapse.outcome import SURVIVAL_DTYPE, YEAR

_DRAWS = 100


def _ici_by_chance(prediction: Predictions, patients: _JudgedPatients, seed: int = 0) -> dict[int | None, float]:
    """Return the calibration index that a perfectly calibrated model with the same predictions would have.

    The mean over outcomes that are drawn from the predictions themselves, with the competing events and the censoring
    of the patients: so many patients, so predicted, and no error of calibration at all. An index is to be read beside
    it, because a mean of distances is never 0. Of several repeats each draw takes the predictions of one.

    Parameters
    ----------
    prediction : Predictions
    patients : JudgedPatients
        The same patients; how they are weighted does not matter.
    seed : int

    Returns
    -------
    dict of (int or None) to float
        By year at which the incidence is judged; by None of a binary outcome. NaN where the index is undefined.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> log_odds = rng.normal(size=(1, 60))
    >>> model = Predictions("m", log_odds, np.zeros((1, 60), int), expit(log_odds)[:, :, None], np.array([np.inf]))
    >>> few = _JudgedPatients(np.arange(60) % 2, np.ones((60, 1)), model.times)
    >>> round(_ici_by_chance(model, few)[None], 2)
    0.08
    """
    rng = np.random.default_rng(seed)
    if not patients.kind.has_time:
        return {None: _binary_index(prediction, rng)}
    years = patients.horizons.incidence_at
    if not years:
        return {}
    found: dict[int, list[np.ndarray]] = {year: [] for year in years}
    n_repeats = len(prediction.incidence)
    for repeat, incidence in enumerate(prediction.incidence):
        drawn = _drawn_outcomes(
            incidence, prediction.times, patients.y, patients.censoring, len(range(repeat, _DRAWS, n_repeats)), rng
        )
        for year, column in years.items():
            pseudo = pseudo_observations(drawn, year * YEAR).T
            found[year].append(_integrated_calibration_index(incidence[None, :, column], pseudo, np.ones(pseudo.shape)))
    return {year: float(np.mean(np.concatenate(values))) for year, values in found.items()}


def _binary_index(prediction: Predictions, rng: np.random.Generator) -> float:
    n_repeats = len(prediction.log_risk)
    found = np.empty(_DRAWS)
    for draw in range(_DRAWS):
        log_odds, fold = prediction.log_risk[draw % n_repeats], prediction.fold[draw % n_repeats]
        y = (rng.random(len(log_odds)) < expit(log_odds)).astype(np.int8)
        found[draw] = ici(y, log_odds, fold=fold)
    return float("nan") if np.isnan(found).all() else float(np.nanmean(found))


def _drawn_outcomes(
    incidence: np.ndarray,
    times: np.ndarray,
    y: np.ndarray,
    censoring: CensoringDistribution,
    n_draws: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Draw what would happen to patients of these incidences, competing events and censoring as observed in ``y``.

    The competing event comes to those who do not have the event, at the rate at which it came to the patients.
    """
    swapped = np.empty(len(y), dtype=SURVIVAL_DTYPE)
    swapped["event"], swapped["time"] = np.array([0, 2, 1])[y["event"].astype(int)], y["time"]
    rival = weighted_incidence(swapped, np.ones((len(y), 1)), times)[:, 0]
    rival = np.minimum(rival / max(1.0 - float(incidence[:, -1].mean()), 1e-9), 1.0)
    end = max(float(y["time"].max()), float(times[-1]))
    outcomes = np.empty((n_draws, len(y)), dtype=SURVIVAL_DTYPE)
    for drawn in outcomes:
        event = _time_of(rng.random(len(y)), incidence, times)
        competing = np.where(np.isinf(event), _time_of(rng.random(len(y)), np.tile(rival, (len(y), 1)), times), np.inf)
        left = np.concatenate([censoring.times, [np.inf]])[
            np.searchsorted(-censoring.probability, -rng.random(len(y)), side="left")
        ]
        first = np.minimum.reduce([event, competing, left])
        drawn["event"] = np.select([first == np.inf, first == event, first == competing], [0, 1, 2], 0)
        drawn["time"] = np.minimum(first, end)
    return outcomes


def _time_of(share: np.ndarray, incidence: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Return when incidences, straight between the times, reach a share each; infinity where they do not."""
    curve = np.column_stack([np.zeros(len(incidence)), incidence])
    days = np.concatenate([[0.0], times])
    step = np.sum(curve < share[:, None], axis=1)
    inside = np.clip(step, 1, len(times))
    rows = np.arange(len(share))
    before, after = curve[rows, inside - 1], curve[rows, inside]
    with np.errstate(invalid="ignore", divide="ignore"):
        part = np.clip((share - before) / (after - before), 0.0, 1.0)
    return np.where(step > len(times), np.inf, days[inside - 1] + part * (days[inside] - days[inside - 1]))
