"""How far sums of feature contributions lie from the values of the mechanisms' own game."""

from __future__ import annotations

import pandas as pd

from nbrelapse.errors import InputError
from nbrelapse.explanation.explanation import Explanation
from nbrelapse.explanation.rank_correlation import rank_correlation
from nbrelapse.explanation.settle_ties import settle_ties


def roll_up_difference(explanation: Explanation, grouped: pd.DataFrame) -> pd.DataFrame:
    """Compare an explanation's mechanisms, sums over features, with the game whose players are the mechanisms.

    Parameters
    ----------
    explanation : Explanation
        On the scale that `grouped` shares out.
    grouped : DataFrame of shape (n_patients, n_mechanisms)
        Of the same patients, see :func:`nbrelapse.explanation.grouped_shapley`.

    Returns
    -------
    DataFrame
        Index ``mechanism``, in the explanation's order: ``importance`` and ``importance_grouped`` (mean absolute
        contributions), ``spearman`` (rank correlation over patients,
        what differs by rounding tied; NaN where one is constant),
        ``mean_absolute_difference``, and ``mean_difference`` (sum less grouped), the part of it that all patients
        share: another background moves it.

    Raises
    ------
    InputError
        The two are not of the same patients or mechanisms.
    """
    sums = explanation.mechanisms
    if not sums.index.equals(grouped.index):
        raise InputError("the explanation and the grouped values are not of the same patients", column="grouped")
    if set(sums.columns) != set(grouped.columns):
        different = sorted(set(sums.columns) ^ set(grouped.columns))
        raise InputError(
            "the explanation and the grouped values are not of the same mechanisms", column=", ".join(different[:5])
        )
    grouped = grouped[sums.columns]
    difference = sums - grouped
    return pd.DataFrame(
        {
            "importance": sums.abs().mean(),
            "importance_grouped": grouped.abs().mean(),
            "spearman": rank_correlation(settle_ties(sums), settle_ties(grouped)),
            "mean_absolute_difference": difference.abs().mean(),
            "mean_difference": difference.mean(),
        }
    ).rename_axis("mechanism")
