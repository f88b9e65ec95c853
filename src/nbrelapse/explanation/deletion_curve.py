"""Whether predictions go where their explanations say, the largest contributions taken away, or put in, first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from nbrelapse.errors import InputError
from nbrelapse.explanation.explanation import Explanation
from nbrelapse.models.risk_model import RiskModel
from nbrelapse.validation.bootstrap_interval import bootstrap_interval
from nbrelapse.validation.bootstrap_weights import bootstrap_weights

_ROWS = 50_000
"""Rows predicted in one go. A choice: some tens of megabytes."""

_SAME = 1e-6
"""A mean change of the log risk that is rounding."""


@dataclass(frozen=True)
class DeletionCurve:
    """How predictions move as features are put to the background, or from there to the patient.

    Parameters
    ----------
    table : DataFrame
        Index ``deleted``, or ``inserted``: how many features were moved, from 0 to all that contribute to anybody.
        ``by_contribution`` and ``at_random``, each with ``_low`` and ``_high`` (95 % bootstrap over patients): the
        share of the way between the patient's log risk and that of the background, 0 to 1 at the ends. It can pass 1
        between them: what has not moved yet then speaks against what has.
    areas : DataFrame
        Index ``by_contribution``, ``at_random`` and ``difference``: ``value``, ``low`` and ``high`` of the area under
        each curve, the number of features taken as 1. A linear model has 0.5 at random; an explanation that says
        nothing of the prediction has the area at random.
    n_patients : int
    """

    table: pd.DataFrame
    areas: pd.DataFrame
    n_patients: int


def deletion_curve(
    model: RiskModel,
    explanation: Explanation,
    background: pd.DataFrame | None = None,
    *,
    insertion: bool = False,
    n_orders: int = 5,
    n_resamples: int = 1000,
    seed: int = 0,
) -> DeletionCurve:
    """Put each patient's features to the background, or back, in falling order of their absolute contributions.

    Deletion by contribution is the faithfulness test of Samek 2017 (10.1109/TNNLS.2016.2599820). The prediction with
    features taken away is the mean over the background's patients, whose values stand in for them. Insertion starts
    from the background and puts the patient's values in. Where features do not interact both give the same curve.
    Changes are counted in the direction between the two log risks, and summed over patients before shares are taken,
    so that a patient close to the background does not decide.

    Parameters
    ----------
    model : RiskModel
    explanation : Explanation
        Of its log risks.
    background : DataFrame of shape (n_background, n_features), optional
        What stands in; that of the explanation by default. Predictions are as many as patients × features ×
        background rows × orders, so some tens of rows are meant.
    insertion : bool, default False
        Insert instead of deleting.
    n_orders : int, default 5
        Random orders of each patient, for comparison.
    n_resamples : int, default 1000
        Of the patients, for the intervals. They do not hold the uncertainty of the model.
    seed : int, default 0

    Returns
    -------
    DeletionCurve

    Raises
    ------
    InputError
        There is no background, no patient or no contribution, the patients' log risks do not differ from the
        background's, or the explanation is of probabilities.
    """
    background = explanation.background if background is None else background
    _check(explanation, background)
    assert background is not None
    used = explanation.features.loc[:, (explanation.features != 0).any()].columns
    size = explanation.features[used].abs().to_numpy()
    rng = np.random.default_rng(seed)
    ranks = [_ranks(-size)] + [_ranks(rng.random(size.shape)) for _ in range(n_orders)]
    changes = [_changes(model, explanation.values, background, used, rank, insertion) for rank in ranks]
    toward = np.sign(changes[0][:, -1:])
    whole = np.abs(changes[0][:, -1])
    if whole.mean() <= _SAME:
        raise InputError("no patient's log risk differs from the background's", column="background")
    weights = bootstrap_weights(len(size), n_resamples, seed).astype(float)
    shares = {
        name: (toward * change).T @ weights / (whole @ weights)
        for name, change in (("by_contribution", changes[0]), ("at_random", np.mean(changes[1:], axis=0)))
    }
    table = _table(shares).rename_axis("inserted" if insertion else "deleted")
    return DeletionCurve(table, _areas(shares), len(size))


def _check(explanation: Explanation, background: pd.DataFrame | None) -> None:
    if explanation.scale == "probability":
        raise InputError(
            "the explanation is of probabilities", column="explanation", expected="one on the scale of the log risk"
        )
    if background is None or background.empty:
        raise InputError("no features can be put to the background without one", column="background")
    if not explanation.features.to_numpy().any():
        raise InputError("no feature contributes to any patient's log risk", column="explanation")


def _ranks(keys: np.ndarray) -> np.ndarray:
    """Position of each column in each row's ascending order; ties in the order of the columns."""
    return np.argsort(np.argsort(keys, axis=1, kind="stable"), axis=1)


def _changes(
    model: RiskModel,
    values: pd.DataFrame,
    background: pd.DataFrame,
    used: pd.Index,
    rank: np.ndarray,
    insertion: bool,
) -> np.ndarray:
    """Log risk with the first k features moved, less that with none; shape (n_patients, n_used + 1)."""
    columns = list(values.columns)
    own, usual = values.to_numpy(dtype=float), background[columns].to_numpy(dtype=float)
    # Features without contributions stay the patient's.
    order = np.full(own.shape, -1 if insertion else len(columns))
    order[:, values.columns.get_indexer(used)] = rank
    steps = len(used) + 1
    found = np.empty(len(own) * steps)
    chunk = max(1, _ROWS // len(usual))
    for start in range(0, len(found), chunk):
        patient, moved = np.divmod(np.arange(start, min(start + chunk, len(found))), steps)
        gone = (order[patient] < moved[:, np.newaxis]) != insertion
        gone &= order[patient] >= 0
        mixed = np.where(gone[:, np.newaxis], usual[np.newaxis], own[patient][:, np.newaxis])
        risk = model.predict_log_risk(pd.DataFrame(mixed.reshape(-1, len(columns)), columns=columns))
        found[start : start + chunk] = risk.reshape(-1, len(usual)).mean(axis=1)
    by_patient = found.reshape(len(own), steps)
    return by_patient - by_patient[:, :1]


def _table(shares: dict[str, np.ndarray]) -> pd.DataFrame:
    columns: dict[str, np.ndarray] = {}
    for name, share in shares.items():
        low, high = np.quantile(share[:, 1:], [0.025, 0.975], axis=1)
        columns |= {name: share[:, 0], f"{name}_low": low, f"{name}_high": high}
    return pd.DataFrame(columns)


def _areas(shares: dict[str, np.ndarray]) -> pd.DataFrame:
    areas = {name: (share[1:] + share[:-1]).mean(axis=0) / 2 for name, share in shares.items()}
    areas["difference"] = areas["by_contribution"] - areas["at_random"]
    rows = {name: (area[0], *bootstrap_interval(float(area[0]), area[1:])) for name, area in areas.items()}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["value", "low", "high"])
