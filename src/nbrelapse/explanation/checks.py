"""Checks of explanations: mechanisms' own Shapley values, deletion curves, known truth, expected directions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import factorial

import numpy as np
import pandas as pd

from nbrelapse.errors import InputError
from nbrelapse.explanation.explanation import Explanation, _refuse_a_gap
from nbrelapse.mechanisms.catalogue import Catalogue
from nbrelapse.metrics.resampling import bootstrap_interval, bootstrap_weights
from nbrelapse.models.base import RiskModel

_MOST_PREDICTIONS = 200_000_000
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
    _check_players(X, background, columns, names)
    member = np.arange(2 ** len(names))[:, np.newaxis] >> np.arange(len(names)) & 1 == 1
    own = member[:, [names.index(name) for name in mechanism_of]]
    worth = _worth(predict, X[columns], background[columns], own)
    values = (_weights(member) @ worth).T
    prediction = np.asarray(predict(X[columns]), dtype=float) if len(X) else np.zeros(0)
    usual = float(np.mean(predict(background[columns])))
    _refuse_a_gap(usual + values.sum(axis=1) - prediction, prediction, "prediction")
    return pd.DataFrame(values, index=X.index, columns=names)


def _check_players(X: pd.DataFrame, background: pd.DataFrame, columns: list[str], names: list[str]) -> None:
    if not names:
        raise InputError("no mechanism has a feature", column="mechanism_of", expected="at least one feature")
    if background.empty:
        raise InputError("the background is empty", column="background", expected="at least one patient")
    for what, table in (("X", X), ("background", background)):
        absent = [name for name in columns if name not in table.columns]
        if absent:
            raise InputError(f"{what} lacks features of mechanism_of", column=", ".join(absent[:5]))
    predictions = 2 ** len(names) * len(X) * len(background)
    if predictions > _MOST_PREDICTIONS:
        raise InputError(
            f"{2 ** len(names):,} coalitions of {len(names)} mechanisms, {len(X):,} patients and {len(background):,} "
            f"background rows need {predictions:,} predictions",
            column="background",
            expected=f"at most {_MOST_PREDICTIONS:,}",
            fix="explain fewer patients, or compare with a smaller background",
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


def roll_up_difference(explanation: Explanation, grouped: pd.DataFrame) -> pd.DataFrame:
    """Compare an explanation's mechanisms, sums over features, with the game whose players are the mechanisms.

    Parameters
    ----------
    explanation : Explanation
        On the scale that `grouped` shares out.
    grouped : DataFrame of shape (n_patients, n_mechanisms)
        Of the same patients, see :func:`nbrelapse.explanation.checks`.

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
            "spearman": _rank_correlation(_settle_ties(sums), _settle_ties(grouped)),
            "mean_absolute_difference": difference.abs().mean(),
            "mean_difference": difference.mean(),
        }
    ).rename_axis("mechanism")


_FEWEST_MECHANISMS = 3
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
    judged, acts = truth.notna(), truth.abs() > _ROUNDING
    same_sign = (np.sign(found.where(found.abs() > _ROUNDING, 0.0)) == np.sign(truth)) & acts
    return pd.DataFrame(
        {
            "n_patients": judged.sum(),
            "spearman": _rank_correlation(_settle_ties(truth), _settle_ties(found)),
            "sign_accuracy": same_sign.sum() / acts.sum().where(acts.any()),
            "mean_absolute_error": (found - truth).abs().mean(),
            "true_size": truth.abs().mean(),
        }
    ).rename_axis("mechanism")


def _by_patient(found: pd.DataFrame, truth: pd.DataFrame) -> pd.DataFrame:
    n_judged = truth.notna().sum(axis=1)
    size, true_size = found.abs().fillna(-1.0).to_numpy(), truth.abs().fillna(-1.0).to_numpy()
    rows = np.arange(len(size))
    right = true_size[rows, size.argmax(axis=1)] >= true_size.max(axis=1) - _ROUNDING
    # Whom the model says nothing of has no leading mechanism that could be right.
    right &= size.max(axis=1) > _ROUNDING
    decided = true_size.max(axis=1) > _ROUNDING
    return pd.DataFrame(
        {
            "n_mechanisms": n_judged,
            "spearman": _rank_correlation(_settle_ties(truth.T), _settle_ties(found.T)).where(
                n_judged >= _FEWEST_MECHANISMS
            ),
            "leading": pd.Series(right, index=truth.index, dtype="boolean").where(decided),
        },
        index=truth.index,
    )


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
    _check_deletion(explanation, background)
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


def _check_deletion(explanation: Explanation, background: pd.DataFrame | None) -> None:
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


def _rank_correlation(values: pd.DataFrame, contributions: pd.DataFrame) -> pd.Series:
    """Return Spearman's correlation of each column of two tables, over the rows where the first has a value.

    Parameters
    ----------
    values : DataFrame of shape (n_patients, n_columns)
        NaN = not assayed: the row is left out of that column.
    contributions : DataFrame of shape (n_patients, n_columns)
        The same rows and columns.

    Returns
    -------
    Series of shape (n_columns,)
        NaN where one side is constant.

    Examples
    --------
    >>> values = pd.DataFrame({"mycn__amplified": [0.0, 1.0, None], "alk__mutated": [1.0, 1.0, 1.0]})
    >>> _rank_correlation(values, pd.DataFrame({"mycn__amplified": [-0.1, 0.3, 9.0], "alk__mutated": [0.0, 0.1, 0.2]}))
    mycn__amplified    1.0
    alk__mutated       NaN
    dtype: float64
    """
    return _rank_correlation_with(values)(contributions)


def _rank_correlation_with(values: pd.DataFrame) -> Callable[[pd.DataFrame], pd.Series]:
    """Return :func:`_rank_correlation` of these values; they are ranked once for many contributions."""
    observed = values.notna()
    x = values.rank()
    x = x - x.mean()
    own = (x**2).sum()

    def correlation(contributions: pd.DataFrame) -> pd.Series:
        y = contributions.where(observed).rank()
        y = y - y.mean()
        spread = (own * (y**2).sum()) ** 0.5
        return (x * y).sum() / spread.where(spread > 0)

    return correlation


def _rank_signs_with(values: pd.DataFrame) -> Callable[[pd.DataFrame], np.ndarray]:
    """Return the signs of :func:`_rank_correlation` of these values with contributions; 0 where there is none.

    Contributions that never fall, or never rise, from the lowest value to the highest are not ranked: so are all of a
    linear model.
    """
    given = values.to_numpy(dtype=float)
    known = (~np.isnan(given)).sum(axis=0)
    # Of each column the patients by their values; the last who is known stands for those who are not.
    places = np.minimum(np.arange(len(given))[:, np.newaxis], np.maximum(known - 1, 0))
    order = np.take_along_axis(np.argsort(given, axis=0), places, axis=0)
    varies = np.nanmax(given, axis=0, initial=-np.inf) > np.nanmin(given, axis=0, initial=np.inf)

    def signs(contributions: pd.DataFrame) -> np.ndarray:
        ascending = np.take_along_axis(contributions.to_numpy(dtype=float), order, axis=0)
        one_way = (ascending[1:] >= ascending[:-1]).all(axis=0) | (ascending[1:] <= ascending[:-1]).all(axis=0)
        found = np.where(varies, np.sign(ascending[-1] - ascending[0]), 0.0)
        other = np.flatnonzero(varies & ~one_way)
        if len(other):
            ranked = _rank_correlation(values.iloc[:, other], contributions.iloc[:, other])
            found[other] = np.sign(ranked.fillna(0.0).to_numpy())
        return found

    return signs


_ROUNDING = 1e-6
"""Contributions of XGBoost are float32 sums over trees; those of the same value of a feature differ by less."""


def _settle_ties(contributions: pd.DataFrame) -> pd.DataFrame:
    """Make contributions equal that differ by rounding, column by column, so that it gives them no rank.

    Parameters
    ----------
    contributions : DataFrame of shape (n_patients, n_columns)
        NaN stays NaN.

    Returns
    -------
    DataFrame
        In each column, ascending values with gaps of at most ``ROUNDING`` have the smallest of them.

    Examples
    --------
    >>> _settle_ties(pd.DataFrame({"mycn": [0.3, 0.1, 0.30000001, None]}))["mycn"].tolist()
    [0.3, 0.1, 0.3, nan]
    """
    values = contributions.to_numpy(dtype=float)
    order = np.argsort(values, axis=0, kind="stable")
    ascending = np.take_along_axis(values, order, axis=0)
    new = np.vstack([np.ones((1, values.shape[1]), dtype=bool), np.diff(ascending, axis=0) > _ROUNDING])[: len(values)]
    first = np.maximum.accumulate(np.where(new, np.arange(len(values))[:, np.newaxis], 0), axis=0)
    settled = np.empty_like(values)
    np.put_along_axis(settled, order, np.take_along_axis(ascending, first, axis=0), axis=0)
    settled[np.isnan(values)] = np.nan
    return pd.DataFrame(settled, index=contributions.index, columns=contributions.columns)


def direction_agreement(explanation: Explanation, catalogue: Catalogue, endpoint: str) -> pd.DataFrame:
    """Compare each feature's effect in the model with the direction that the catalogue expects.

    A feature's direction in the model is the sign of Spearman's correlation between its value and its contribution
    among the patients that have the value.

    Parameters
    ----------
    explanation : Explanation
    catalogue : Catalogue
    endpoint : {"relapse", "efs", "os", "refractory"}

    Returns
    -------
    DataFrame
        Index ``feature``, most important first: ``mechanism``, ``importance`` (mean absolute contribution),
        ``correlation`` (NaN where the value or the contribution does not vary), ``expected`` and ``found``
        (-1, 0, +1; 0 = no expectation, no effect) and ``agrees`` (missing where either is 0, or where the model was
        constrained to the direction).
    """
    importance = explanation.feature_importance()
    correlation = _rank_correlation(explanation.values, explanation.features)[importance.index]
    expected = pd.Series(
        [catalogue.features[name].direction_for(endpoint) for name in importance.index], index=importance.index
    )
    found = pd.Series(np.sign(correlation.fillna(0.0)).astype(int), index=importance.index)
    undecided = (expected == 0) | (found == 0) | importance.index.isin(explanation.constrained)
    agrees = (expected == found).astype("boolean").mask(undecided)
    return pd.DataFrame(
        {
            "mechanism": explanation.mechanism_of[importance.index],
            "importance": importance,
            "correlation": correlation,
            "expected": expected,
            "found": found,
            "agrees": agrees,
        }
    ).rename_axis("feature")
