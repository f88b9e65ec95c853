"""Score patients with a saved model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from nbrelapse.cohort import Cohort
from nbrelapse.errors import InputError
from nbrelapse.explanation.explanation import roll_up
from nbrelapse.mechanisms import build_features
from nbrelapse.models.design import read_columns
from nbrelapse.models.resamples import prediction_interval
from nbrelapse.scoring.bundle import QUANTILES, Bundle
from nbrelapse.scoring.load_model import load_model
from nbrelapse.scoring.score_columns import HORIZON_YEARS, score_columns
from nbrelapse.validation.horizons import YEAR

LEAST_EVIDENCE = 0.25
"""Below this share of what the model relies on, no score is given. A choice of caution, not an estimate."""

FULL_EVIDENCE = 0.75
"""Below this share a warning goes with the score. A choice of caution, not an estimate."""


def score(model: Bundle | str | Path, cohort: Cohort, *, allow_missing_assays: bool = False) -> pd.DataFrame:
    """Score the patients of a cohort.

    Parameters
    ----------
    model : Bundle, or folder or MLflow URI of one
    cohort : Cohort
    allow_missing_assays : bool
        Score although nobody in the cohort has an assay that the model reads.

    Returns
    -------
    DataFrame
        A row a patient, ``patient_id`` first, then the columns of :func:`score_features`.

    Raises
    ------
    InputError
        Nobody in the cohort has an assay that the model reads, and ``allow_missing_assays`` is False.
    BundleError
        The model cannot be trusted; see :func:`load_model`.
    """
    bundle = model if isinstance(model, Bundle) else load_model(model)
    table = build_features(cohort, bundle.catalogue, bundle.gene_sets)
    values = table.values[list(bundle.schema.index)]
    if not allow_missing_assays:
        require_assays(bundle, values)
    return score_features(bundle, values).rename_axis("patient_id").reset_index()


def score_features(bundle: Bundle, values: pd.DataFrame) -> pd.DataFrame:
    """Score feature rows.

    Parameters
    ----------
    bundle : Bundle
    values : DataFrame of shape (n_patients, n_features)
        The model's features; NaN = not assayed.

    Returns
    -------
    DataFrame of shape (n_patients, n_columns)
        ``risk_percentile`` (0-100, among the training patients); ``log_risk`` with its 95 % interval over bootstrap
        refits; for 1, 2, 3 and 5 years ``incidence_<years>y`` (probability of the event by then) with its interval
        and ``survival_<years>y`` (of neither the event nor a competing one); ``baseline`` and ``mechanism__<name>``,
        which add up to ``log_risk``; ``evidence``, the share of what the model relies on that is known of the
        patient, 0 to 1; ``missing_assays``, ``out_of_range_features`` and ``warnings``, lists in text.
        Where ``evidence`` is below ``LEAST_EVIDENCE`` no number is given, and horizons beyond the training
        follow-up have none: NaN.
    """
    names = list(bundle.schema.index)
    known = ~np.isnan(read_columns(values, np.asarray(names, dtype=object)))
    X = values[names].astype(float)
    evidence = _evidence(bundle, known)
    numbers = _numbers(bundle, X)
    numbers.loc[evidence < LEAST_EVIDENCE] = np.nan
    outside = (X.lt(bundle.schema["low"]) | X.gt(bundle.schema["high"])).to_numpy()
    result = numbers.assign(
        evidence=evidence,
        missing_assays=_missing_assays(bundle, known),
        out_of_range_features=_join(outside, names),
        warnings=_warnings(bundle, evidence, outside),
    )
    return result[score_columns(bundle.mechanisms)]


def _numbers(bundle: Bundle, X: pd.DataFrame) -> pd.DataFrame:
    times = np.array(HORIZON_YEARS) * YEAR
    log_risk = bundle.model.predict_log_risk(X)
    states = bundle.model.predict_cumulative_incidence(X, times)
    interval = prediction_interval(bundle.refits, X, times)
    followed = times <= bundle.model.baseline_.last_time
    columns = {
        "risk_percentile": 100 * np.interp(log_risk, bundle.log_risk_quantiles, QUANTILES),
        "log_risk": log_risk,
        "log_risk_low": interval["log_risk_low"],
        "log_risk_high": interval["log_risk_high"],
    }
    for column, years in enumerate(HORIZON_YEARS):
        columns |= {
            f"incidence_{years}y": states[:, 1, column],
            f"incidence_{years}y_low": interval["incidence_low"][:, column],
            f"incidence_{years}y_high": interval["incidence_high"][:, column],
            f"survival_{years}y": states[:, 0, column],
        }
    numbers = pd.DataFrame(columns, index=X.index)
    for years in np.array(HORIZON_YEARS)[~followed]:
        numbers.loc[:, numbers.columns.str.contains(f"_{years}y")] = np.nan
    attribution = bundle.model.attribute(X)
    mechanisms = roll_up(attribution.values, bundle.schema["mechanism"])
    numbers["baseline"] = attribution.baseline
    return numbers.join(mechanisms[bundle.mechanisms].add_prefix("mechanism__"))


def _evidence(bundle: Bundle, known: np.ndarray) -> np.ndarray:
    importance = bundle.schema["importance"].to_numpy()
    if not importance.sum() > 0:
        return known.mean(axis=1)
    return known @ (importance / importance.sum())


def _relied_on(bundle: Bundle) -> dict[str, np.ndarray]:
    """Positions of the features that carry weight, by assay."""
    used = bundle.schema["importance"].to_numpy() > 0
    assays = bundle.schema["assay"].to_numpy()
    return {assay: np.flatnonzero(used & (assays == assay)) for assay in dict.fromkeys(assays[used])}


def _missing_assays(bundle: Bundle, known: np.ndarray) -> list[str]:
    by_assay = _relied_on(bundle)
    missing = np.column_stack([~known[:, features].any(axis=1) for features in by_assay.values()])
    return _join(missing, list(by_assay))


def _join(flags: np.ndarray, names: list[str]) -> list[str]:
    """Names of the flags raised in each row, as text; each distinct row is spelt out once."""
    rows, which = np.unique(flags, axis=0, return_inverse=True)
    texts = [", ".join(np.asarray(names, dtype=object)[row]) for row in rows]
    return [texts[row] for row in which.ravel()]


def _warnings(bundle: Bundle, evidence: np.ndarray, outside: np.ndarray) -> list[str]:
    followed = bundle.model.baseline_.last_time
    flags = {
        f"no score: less than {LEAST_EVIDENCE:.0%} of what the model relies on is known": evidence < LEAST_EVIDENCE,
        f"less than {FULL_EVIDENCE:.0%} of what the model relies on is known": (evidence >= LEAST_EVIDENCE)
        & (evidence < FULL_EVIDENCE),
        "values outside the range of the training patients": outside.any(axis=1),
        f"training patients were followed for {followed / YEAR:.1f} years: no longer horizon is given": np.full(
            len(evidence), followed < HORIZON_YEARS[-1] * YEAR
        ),
    }
    rows = np.column_stack(list(flags.values()))
    return [text.replace(", ", "; ") for text in _join(rows, list(flags))]


def require_assays(bundle: Bundle, values: pd.DataFrame) -> None:
    """Refuse a cohort in which nobody has an assay that the model relies on; raises InputError."""
    known = values.notna().to_numpy()
    lacking = [assay for assay, features in _relied_on(bundle).items() if not known[:, features].any()]
    if lacking:
        raise InputError(
            f"the cohort lacks what the model reads: nobody has {', '.join(lacking)}",
            expected=", ".join(_relied_on(bundle)),
            mend="import these assays, or allow missing assays and read the warnings",
        )
