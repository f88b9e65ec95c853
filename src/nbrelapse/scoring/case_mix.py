"""Whom a saved model is judged on, beside whom it was trained on: features, predicted risks, distance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd
from scipy import stats
from scipy.special import expit

from nbrelapse.models.binary import weighted_logistic
from nbrelapse.outcome import event_of, kind_of
from nbrelapse.scoring._profile import _Distributions, _Profile, _shares
from nbrelapse.scoring.bundle import Bundle

_LEAST_DIFFERENCE = 0.1
"""Standardised difference below which groups count as alike (Austin 2009, 10.1002/sim.3697)."""

_LEAST_PSI = 0.1
"""Population stability index below which a distribution counts as the same (Siddiqi 2006, Credit Risk Scorecards)."""

_FALSE_DISCOVERIES = 0.05
"""Share of the named differences that chance may have made (Benjamini and Hochberg 1995,
10.1111/j.2517-6161.1995.tb02031.x): in small cohorts differences of these sizes are common by chance alone."""

_FAR = 95.0
"""Percentile of the distance: one in twenty of patients as in training lies beyond."""

_MOST_RISKS = 1001
_Z = 1.959964


@dataclass(frozen=True)
class CaseMix:
    """How the patients that a model is judged on differ from those it was trained on, whatever became of them.

    Parameters
    ----------
    features : DataFrame
        A row a feature of the model, in its order: ``feature``, ``mechanism``, ``title``, ``kind``; ``training_known``
        and ``known``, the shares with a value; ``training_mean``, ``mean``, ``training_sd``, ``sd`` (the mean of a
        binary feature is its prevalence), and ``p10``, ``median``, ``p90`` here; ``difference``, the standardised
        difference of the means [1]_ with its 95 % limits ``low`` and ``high``; ``psi``, the population stability index
        over bins of the training patients, whose chance is a chi-square [2]_; ``out_of_range``, the share of the known
        values that no training patient had; ``differs``, in what it differs beyond chance: ``known``, ``mean``,
        ``distribution``, separated by commas. NaN where it cannot be told, as what models saved before 0.4.0 did not
        keep.
    figures : DataFrame
        A row a figure: ``figure``, ``training``, ``here``, ``low``, ``high`` (95 % limits of ``here``) and ``meaning``.

    References
    ----------
    .. [1] Austin 2009, Statistics in Medicine, 10.1002/sim.3697
    .. [2] Yurdakul and Naranjo 2020, Journal of Risk Model Validation, 10.21314/JRMV.2020.227
    """

    features: pd.DataFrame
    figures: pd.DataFrame

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return the tables, by the names that they are written with."""
        return {"case_mix": self.features, "case_mix_figures": self.figures}

    def value(self, figure: str, column: str = "here") -> float:
        """Return one figure; NaN where it could not be computed."""
        found = self.figures.loc[self.figures["figure"] == figure, column]
        return float(found.iloc[0]) if len(found) else float("nan")


def compare_case_mix(
    bundle: Bundle, X: pd.DataFrame, y: np.ndarray, calibration: Mapping[str, float] | None = None
) -> CaseMix:
    """Hold patients against what a saved model remembers of its training patients.

    Parameters
    ----------
    bundle : Bundle
    X : DataFrame of shape (n, at least n_features)
        NaN = not assayed.
    y : ndarray of shape (n,)
        Read for the concordance that the model's calibration here would give only.
    calibration : mapping of str to float, optional
        ``slope``, ``low`` and ``high`` of the calibration here, where they are known.

    Returns
    -------
    CaseMix
    """
    values = X[list(bundle.schema.index)].to_numpy(dtype=float)
    features = _features(bundle, values)
    return CaseMix(features, _figures(bundle, X, values, y, features, calibration or {}))


def _features(bundle: Bundle, values: np.ndarray) -> pd.DataFrame:
    schema, definitions = bundle.schema, bundle.catalogue.features
    kinds = np.array([definitions[name].kind for name in schema.index])
    here = _Distributions.of(values)
    low, high = schema["low"].to_numpy(dtype=float), schema["high"].to_numpy(dtype=float)
    with np.errstate(invalid="ignore"):
        outside = ((values < low) | (values > high)).sum(axis=0) / np.where(here.known, here.known, np.nan)
    table = pd.DataFrame(
        {
            "feature": list(schema.index),
            "mechanism": schema["mechanism"].to_numpy(),
            "title": schema["title"].to_numpy(),
            "kind": kinds,
            "training_known": schema["observed"].to_numpy(dtype=float),
            "known": here.known / max(1, len(values)),
            "training_mean": np.nan,
            "mean": here.mean,
            "training_sd": np.nan,
            "sd": here.sd,
            **dict(zip(("p10", "median", "p90"), _quantiles(values), strict=True)),
            "difference": np.nan,
            "low": np.nan,
            "high": np.nan,
            "psi": np.nan,
            "out_of_range": outside,
            "differs": "",
        }
    )
    if bundle.profile is None:
        return table
    training = bundle.profile.distributions
    table = table.assign(training_mean=training.mean, training_sd=training.sd)
    difference, error = _standardised_difference(training, here)
    psi, chances = _stability(training, here, values)
    table = table.assign(difference=difference, low=difference - _Z * error, high=difference + _Z * error, psi=psi)
    coverage = _standardised_difference(*(_shares_known(found) for found in (training, here)))[0]
    found = {
        "known": (coverage, _LEAST_DIFFERENCE, _chance_of_known(training, here)),
        "mean": (difference, _LEAST_DIFFERENCE, _chance_of_mean(training, here, kinds == "binary")),
        "distribution": (np.where(kinds == "binary", np.nan, psi), _LEAST_PSI, chances),
    }
    return table.assign(differs=_beyond_chance(found))


def _quantiles(values: np.ndarray) -> np.ndarray:
    found = np.full((3, values.shape[1]), np.nan)
    some = ~np.isnan(values).all(axis=0)
    found[:, some] = np.nanquantile(values[:, some], [0.1, 0.5, 0.9], axis=0)
    return found


def _shares_known(found: _Distributions) -> _Distributions:
    share = found.known / max(1, found.patients)
    everybody = np.full(len(share), found.patients)
    return _Distributions(found.patients, everybody, share, np.sqrt(share * (1 - share)), (), ())


def _standardised_difference(training: _Distributions, here: _Distributions) -> tuple[np.ndarray, np.ndarray]:
    """Return the differences of the means over the pooled standard deviation, and their standard errors.

    0 where both are constant and equal; NaN where both are constant and differ, or either is unknown.
    """
    n, m = training.known.astype(float), here.known.astype(float)
    moved, pooled = here.mean - training.mean, np.sqrt((training.sd**2 + here.sd**2) / 2)
    with np.errstate(invalid="ignore", divide="ignore"):
        found = np.where(moved == 0, 0.0, np.where(pooled > 0, moved / pooled, np.nan))
        return found, np.sqrt((n + m) / (n * m) + found**2 / (2 * (n + m)))


def _chance_of_known(training: _Distributions, here: _Distributions) -> np.ndarray:
    rows = zip(training.known.tolist(), here.known.tolist(), strict=True)
    return np.array([_fisher(one, training.patients - one, other, here.patients - other) for one, other in rows])


def _chance_of_mean(training: _Distributions, here: _Distributions, binary: np.ndarray) -> np.ndarray:
    n, m = training.known, here.known
    enough = (n > 1) & (m > 1)
    sds = [found.sd * np.sqrt(found.known / np.maximum(found.known - 1, 1)) for found in (training, here)]
    with np.errstate(invalid="ignore", divide="ignore"):
        found = stats.ttest_ind_from_stats(training.mean, sds[0], n, here.mean, sds[1], m, equal_var=False).pvalue
    found = np.where(enough, found, np.nan)
    for column in np.flatnonzero(binary & (n > 0) & (m > 0)):
        counts = [round(float(one.mean[column] * one.known[column])) for one in (training, here)]
        found[column] = _fisher(counts[0], int(n[column]) - counts[0], counts[1], int(m[column]) - counts[1])
    return np.asarray(found)


@cache
def _fisher(one: int, without: int, other: int, other_without: int) -> float:
    return float(stats.fisher_exact([[one, without], [other, other_without]]).pvalue)


def _stability(training: _Distributions, here: _Distributions, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the population stability index of each feature, and the chance of as uneven counts without a shift."""
    psi, chance = np.full((2, values.shape[1]), np.nan)
    for column, (edges, shares) in enumerate(zip(training.edges, training.shares, strict=True)):
        own = values[:, column]
        own = own[~np.isnan(own)]
        if not len(edges) or not len(own):
            continue
        counts = np.stack([shares * training.known[column], _shares(own, edges) * len(own)])
        # Half a patient in each bin: an empty one would make the index infinite.
        p, q = (counts + 0.5) / (counts + 0.5).sum(axis=1, keepdims=True)
        psi[column] = ((q - p) * np.log(q / p)).sum()
        counts = counts[:, counts.sum(axis=0) > 0]
        if counts.shape[1] > 1:
            chance[column] = stats.chi2_contingency(counts, correction=False).pvalue
    return psi, chance


def _beyond_chance(found: Mapping[str, tuple[np.ndarray, float, np.ndarray]]) -> list[str]:
    """Return in what each feature differs: by the least size that counts, and beyond what chance makes of all tests."""
    sizes = np.stack([np.abs(size) / least for size, least, _ in found.values()])
    chances = np.stack([np.where(np.isnan(size), np.nan, chance) for size, _, chance in found.values()])
    tested = ~np.isnan(chances)
    adjusted = np.full(chances.shape, np.nan)
    if tested.any():
        adjusted[tested] = stats.false_discovery_control(chances[tested])
    with np.errstate(invalid="ignore"):
        marks = (sizes >= 1) & (adjusted < _FALSE_DISCOVERIES)
    names = list(found)
    return [", ".join(names[row] for row in np.flatnonzero(column)) for column in marks.T]


def _figures(
    bundle: Bundle,
    X: pd.DataFrame,
    values: np.ndarray,
    y: np.ndarray,
    features: pd.DataFrame,
    calibration: Mapping[str, float],
) -> pd.DataFrame:
    risk, before = bundle.model.predict_log_risk(X), bundle.log_risk_quantiles
    binary = not kind_of(y).has_time
    outside = values < bundle.schema["low"].to_numpy(dtype=float)
    outside |= values > bundle.schema["high"].to_numpy(dtype=float)
    patients = bundle.training.patients
    n, nan = len(values), np.nan
    rows = [
        ("patients", nan if patients is None else patients, n, nan, nan, "patients"),
        ("log_risk_mean", before.mean(), risk.mean(), *_mean_limits(risk), "mean of the log risk"),
        ("log_risk_sd", before.std(), risk.std(), nan, nan, "its standard deviation: how unlike each other they are"),
        (
            "expected_c",
            _expected_c(before, binary),
            _expected_c(risk, binary),
            nan,
            nan,
            "concordance that the model would have, were its risks right",
        ),
        ("calibrated_c", nan, *_calibrated_c(risk, y, calibration), "the same, with the calibration found here"),
        ("membership_c", 0.5, *_membership(bundle.profile, values), "concordance of distance and not of training"),
        ("far", (100 - _FAR) / 100, *_beyond(bundle.profile, values), f"share beyond {_FAR:g} % of training"),
        ("out_of_range", 0.0, *_share(int(outside.any(axis=1).sum()), n), "share with a value no training patient had"),
        ("features", nan, len(features), nan, nan, "features that the model reads"),
        ("features_differing", nan, int((features["differs"] != "").sum()), nan, nan, "that differ beyond chance"),
        ("features_never_known", nan, int((features["known"] == 0).sum()), nan, nan, "known of nobody here"),
    ]
    if bundle.profile is None:
        rows = [row for row in rows if row[0] not in ("membership_c", "far", "features_differing")]
    return pd.DataFrame(rows, columns=["figure", "training", "here", "low", "high", "meaning"]).astype(
        dict.fromkeys(("training", "here", "low", "high"), float)
    )


def _mean_limits(values: np.ndarray) -> tuple[float, float]:
    half = _Z * values.std() / np.sqrt(max(1, len(values)))
    return float(values.mean() - half), float(values.mean() + half)


def _share(count: int, n: int) -> tuple[float, float, float]:
    if not n:
        return np.nan, np.nan, np.nan
    interval = stats.binomtest(count, n).proportion_ci(method="exact")
    return count / n, float(interval.low), float(interval.high)


def _beyond(profile: _Profile | None, values: np.ndarray) -> tuple[float, float, float]:
    if profile is None:
        return np.nan, np.nan, np.nan
    far = profile.percentile(values)
    far = far[~np.isnan(far)]
    return _share(int((far > _FAR).sum()), len(far))


def _membership(profile: _Profile | None, values: np.ndarray) -> tuple[float, float, float]:
    """Return how often a patient here lies farther from the training mean than a training patient, with its limits.

    The concordance of one distance, which only looks away from the mean, where a model of membership (Debray 2015,
    10.1016/j.jclinepi.2014.06.018) needs the patients of both cohorts. Variance as that of a rank sum.
    """
    if profile is None:
        return np.nan, np.nan, np.nan
    ranks = profile.percentile(values) / 100
    ranks = ranks[~np.isnan(ranks)]
    if len(ranks) < 2:
        return np.nan, np.nan, np.nan
    error = _Z * np.sqrt(ranks.var() / len(ranks) + 1 / (12 * max(1, profile.distributions.patients)))
    centre = float(ranks.mean())
    return centre, max(0.0, centre - error), min(1.0, centre + error)


def _expected_c(risk: np.ndarray, binary: bool) -> float:
    r"""Return the concordance that predictions expect of themselves: how unlike each other the patients are.

    Of two patients with log hazards a and b the one of higher hazard has the event first with probability
    :math:`1 / (1 + e^{-|a - b|})`, averaged over all pairs [1]_ [2]_; of log odds the share of the pairs of an event
    and none in which the one with the event has the higher. Competing events are censoring, as in ``cause_specific_c``.

    References
    ----------
    .. [1] Gonen and Heller 2005, Biometrika, 10.1093/biomet/92.4.965
    .. [2] van Klaveren 2016, Statistics in Medicine, 10.1002/sim.6997

    Examples
    --------
    >>> round(_expected_c(np.array([0.0, np.log(3)]), binary=False), 2), round(_expected_c(np.zeros(3), binary=True), 2)
    (0.75, 0.5)
    """
    if len(risk) < 2:
        return float("nan")
    if len(risk) > _MOST_RISKS:
        risk = np.quantile(risk, np.linspace(0, 1, _MOST_RISKS))
    higher, lower = np.triu_indices(len(risk), 1)
    risk = np.sort(risk)[::-1]
    apart = risk[higher] - risk[lower]
    if not binary:
        return float(expit(apart).mean())
    event = expit(risk)
    right = event[higher] * (1 - event[lower])
    wrong = event[lower] * (1 - event[higher])
    ranked = np.where(apart == 0, (right + wrong) / 2, right)
    return float(ranked.sum() / (right + wrong).sum())


def _calibrated_c(risk: np.ndarray, y: np.ndarray, calibration: Mapping[str, float]) -> tuple[float, float, float]:
    """Return the expected concordance after the log risks are given the size that they have here, with its limits."""
    if len(risk) < 2 or np.ptp(risk) == 0:
        return np.nan, np.nan, np.nan
    binary = not kind_of(y).has_time

    def expected(slope: float) -> float:
        if np.isnan(slope):
            return np.nan
        if not binary:
            found = _expected_c(abs(slope) * risk, binary)
            return found if slope >= 0 else 1 - found
        event = (event_of(y) == 1).astype(float)
        level = weighted_logistic(np.ones((len(y), 1)), event, np.ones((len(y), 1)), offset=slope * risk)[0, 0]
        found = _expected_c(level + abs(slope) * risk, binary)
        return found if slope >= 0 else 1 - found

    value, low, high = (expected(calibration.get(name, np.nan)) for name in ("slope", "low", "high"))
    return value, low, high
