"""Shapley values of the game whose players are the mechanisms."""

from __future__ import annotations

from collections.abc import Callable
from math import factorial

import numpy as np
import pandas as pd

from nbrelapse.errors import InputError
from nbrelapse.explanation.explanation import refuse_a_gap

MOST_PREDICTIONS = 200_000_000
"""Largest number of coalitions × patients × background rows. A choice: some minutes of a boosted model."""

_ROWS = 50_000
"""Rows predicted in one go. A choice: some tens of megabytes."""


def grouped_shapley(
    predict: Callable[[pd.DataFrame], np.ndarray],
    X: pd.DataFrame,
    background: pd.DataFrame,
    mechanism_of: pd.Series,
) -> pd.DataFrame:
    r"""Share a prediction out to mechanisms, each mechanism's features moving as one.

    The sum of the features' Shapley values answers a game in which single features join; here whole mechanisms do
    (groupShapley, Jullum 2021, 10.48550/arXiv.2106.12228). A coalition :math:`S` is worth

    .. math:: v(S) = \frac{1}{B} \sum_{b} f(x_S, b_{\bar S}),

    the mean prediction with the patient's values of its mechanisms and the others taken from a background row. All
    coalitions are evaluated, so the values are exact. Both games agree where no more than two features
    interact, as in linear models and in trees of depth two.

    Parameters
    ----------
    predict : callable
        Takes a DataFrame with the columns of `mechanism_of`, returns an ndarray of shape (n_rows,): a model's
        ``predict_log_risk``. A row's prediction must not depend on the other rows.
    X : DataFrame of shape (n_patients, n_features)
        The patients explained; NaN = not assayed, and passed on to `predict`. Columns beyond those of `mechanism_of`
        are left out.
    background : DataFrame of shape (n_background, n_features)
        Patients to compare with.
    mechanism_of : Series
        The mechanism of each feature that `predict` reads.

    Returns
    -------
    DataFrame of shape (n_patients, n_mechanisms)
        Mechanisms in their order of first appearance in `mechanism_of`. A row's sum is the patient's prediction less
        the mean prediction of the background, to 1e-6.

    Raises
    ------
    InputError
        A column is missing, the background or `mechanism_of` is empty, or coalitions × patients × background rows
        exceed ``MOST_PREDICTIONS``.
    NbRelapseError
        The values do not add up: predictions are missing, or depend on the other rows.

    Examples
    --------
    >>> both = lambda X: X["mycn__amplified"].to_numpy() * X["telomere__alt"].to_numpy()
    >>> mechanism_of = pd.Series({"mycn__amplified": "mycn", "telomere__alt": "telomere"})
    >>> X = pd.DataFrame({"mycn__amplified": [1.0], "telomere__alt": [1.0]})
    >>> grouped_shapley(both, X, X * 0, mechanism_of)
       mycn  telomere
    0   0.5       0.5
    """
    columns, names = list(mechanism_of.index), list(dict.fromkeys(mechanism_of))
    _check(X, background, columns, names)
    member = np.arange(2 ** len(names))[:, np.newaxis] >> np.arange(len(names)) & 1 == 1
    own = member[:, [names.index(name) for name in mechanism_of]]
    worth = _worth(predict, X[columns], background[columns], own)
    values = (_weights(member) @ worth).T
    prediction = np.asarray(predict(X[columns]), dtype=float) if len(X) else np.zeros(0)
    usual = float(np.mean(predict(background[columns])))
    refuse_a_gap(usual + values.sum(axis=1) - prediction, prediction, "prediction")
    return pd.DataFrame(values, index=X.index, columns=names)


def _check(X: pd.DataFrame, background: pd.DataFrame, columns: list[str], names: list[str]) -> None:
    if not names:
        raise InputError("no mechanism has a feature", column="mechanism_of", expected="at least one feature")
    if background.empty:
        raise InputError("the background is empty", column="background", expected="at least one patient")
    for what, table in (("X", X), ("background", background)):
        absent = [name for name in columns if name not in table.columns]
        if absent:
            raise InputError(f"{what} lacks features of mechanism_of", column=", ".join(absent[:5]))
    predictions = 2 ** len(names) * len(X) * len(background)
    if predictions > MOST_PREDICTIONS:
        raise InputError(
            f"{2 ** len(names):,} coalitions of {len(names)} mechanisms, {len(X):,} patients and {len(background):,} "
            f"background rows need {predictions:,} predictions",
            column="background",
            expected=f"at most {MOST_PREDICTIONS:,}",
            mend="explain fewer patients, or compare with a smaller background",
        )


def _worth(
    predict: Callable[[pd.DataFrame], np.ndarray], X: pd.DataFrame, background: pd.DataFrame, own: np.ndarray
) -> np.ndarray:
    """Return v(S) of shape (n_coalitions, n_patients); ``own`` says which features each coalition holds."""
    patients, usual = X.to_numpy(dtype=float), background.to_numpy(dtype=float)
    pairs = len(own) * len(patients)
    worth = np.empty(pairs)
    step = max(1, _ROWS // len(usual))
    for start in range(0, pairs, step):
        coalition, patient = np.divmod(np.arange(start, min(start + step, pairs)), len(patients))
        mixed = np.where(own[coalition][:, np.newaxis], patients[patient][:, np.newaxis], usual[np.newaxis])
        found = np.asarray(predict(pd.DataFrame(mixed.reshape(-1, len(X.columns)), columns=X.columns)), dtype=float)
        worth[start : start + step] = found.reshape(-1, len(usual)).mean(axis=1)
    return worth.reshape(len(own), len(patients))


def _weights(member: np.ndarray) -> np.ndarray:
    """Return Shapley's weights of shape (n_players, n_coalitions): positive where the player is in the coalition."""
    n = member.shape[1]
    orders = np.array([factorial(size) * factorial(n - 1 - size) / factorial(n) for size in range(n)])
    others = member.sum(axis=1)[:, np.newaxis] - member
    return (np.where(member, 1.0, -1.0) * orders[np.minimum(others, n - 1)]).T
