"""Attributed contributions against true ones, where a simulation knows them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from nbrelapse.errors import InputError
from nbrelapse.explanation.rank_correlation import rank_correlation
from nbrelapse.explanation.settle_ties import ROUNDING, settle_ties

FEWEST_MECHANISMS = 3
"""A patient with fewer judged mechanisms has no rank correlation: two are always ordered alike or oppositely."""


@dataclass(frozen=True)
class TruthAgreement:
    """How well contributions recover the truth.

    Parameters
    ----------
    mechanisms : DataFrame
        Index ``mechanism``, in the order of the truth: ``n_patients`` judged, ``spearman`` (rank correlation over
        them, NaN where either side is constant), ``sign_accuracy`` (share of the patients with a true contribution
        other than 0 whose attributed one has its sign; NaN without any), ``mean_absolute_error`` and, to compare it
        with, ``true_size`` (mean absolute true contribution), both on the scale of the contributions.
    patients : DataFrame
        Index as given: ``n_mechanisms`` judged, ``spearman`` (rank correlation over them of the signed contributions,
        NaN with fewer than three or where either side is constant), ``leading`` (whether the mechanism with the
        largest absolute attributed contribution is one with the largest true one; missing where the patient has none
        judged, or no true contribution).
    """

    mechanisms: pd.DataFrame
    patients: pd.DataFrame

    @property
    def leading_share(self) -> float:
        """Share of the patients whose leading mechanism is the right one; NaN without any."""
        return float(self.patients["leading"].dropna().astype(float).mean())


def truth_agreement(mechanisms: pd.DataFrame, truth: pd.DataFrame) -> TruthAgreement:
    """Compare attributed contributions with true ones, by mechanism and by patient.

    Parameters
    ----------
    mechanisms : DataFrame of shape (n_patients, n_mechanisms)
        Attributed contributions, such as :attr:`Explanation.mechanisms`.
    truth : DataFrame of shape (n_patients, n_mechanisms)
        True contributions of the same patients on the same scale, relative to the same background: contributions
        that start elsewhere differ by a constant, which signs and errors would count. NaN = not to be judged, for
        instance a mechanism that acts through an assay which the patient has not had. A mechanism that only one of
        the two has is 0 in the other.

    Returns
    -------
    TruthAgreement
        Differences that are rounding (``settle_ties.ROUNDING``) have no rank, contributions that are have no sign.

    Raises
    ------
    InputError
        The two are not of the same patients, or there are none.

    Examples
    --------
    >>> truth = pd.DataFrame({"mycn": [1.0, -0.5, -0.5], "alk": [0.0, 0.2, np.nan]})
    >>> found = truth_agreement(pd.DataFrame({"mycn": [0.8, -0.4, -0.4], "alk": [0.1, 0.6, 0.3]}), truth)
    >>> found.mechanisms["mean_absolute_error"].round(3).tolist()
    [0.133, 0.25]
    >>> found.patients["leading"].tolist()
    [True, False, True]
    """
    if not mechanisms.index.equals(truth.index):
        raise InputError("the contributions and the truth are not of the same patients", column="truth")
    if truth.empty:
        raise InputError("no agreement without patients and mechanisms", column="truth")
    names = truth.columns.append(mechanisms.columns.difference(truth.columns, sort=False))
    found = mechanisms.reindex(columns=names, fill_value=0.0)
    truth = truth.reindex(columns=names, fill_value=0.0)
    return TruthAgreement(_by_mechanism(found, truth), _by_patient(found.where(truth.notna()), truth))


def _by_mechanism(found: pd.DataFrame, truth: pd.DataFrame) -> pd.DataFrame:
    judged, acts = truth.notna(), truth.abs() > ROUNDING
    same_sign = (np.sign(found.where(found.abs() > ROUNDING, 0.0)) == np.sign(truth)) & acts
    return pd.DataFrame(
        {
            "n_patients": judged.sum(),
            "spearman": rank_correlation(settle_ties(truth), settle_ties(found)),
            "sign_accuracy": same_sign.sum() / acts.sum().where(acts.any()),
            "mean_absolute_error": (found - truth).abs().mean(),
            "true_size": truth.abs().mean(),
        }
    ).rename_axis("mechanism")


def _by_patient(found: pd.DataFrame, truth: pd.DataFrame) -> pd.DataFrame:
    n_judged = truth.notna().sum(axis=1)
    size, true_size = found.abs().fillna(-1.0).to_numpy(), truth.abs().fillna(-1.0).to_numpy()
    rows = np.arange(len(size))
    right = true_size[rows, size.argmax(axis=1)] >= true_size.max(axis=1) - ROUNDING
    # Whom the model says nothing of has no leading mechanism that could be right.
    right &= size.max(axis=1) > ROUNDING
    decided = true_size.max(axis=1) > ROUNDING
    return pd.DataFrame(
        {
            "n_mechanisms": n_judged,
            "spearman": rank_correlation(settle_ties(truth.T), settle_ties(found.T)).where(
                n_judged >= FEWEST_MECHANISMS
            ),
            "leading": pd.Series(right, index=truth.index, dtype="boolean").where(decided),
        },
        index=truth.index,
    )
