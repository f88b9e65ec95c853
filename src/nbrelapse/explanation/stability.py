"""Whether a model's explanation would have come out the same in other patients, from its refits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import numpy as np
import pandas as pd
from joblib import delayed

from nbrelapse.errors import InputError
from nbrelapse.explanation.checks import _rank_correlation_with, _rank_signs_with, direction_agreement
from nbrelapse.explanation.explanation import Explanation, _attributed, _mechanism_of, explain
from nbrelapse.mechanisms.catalogue import Catalogue
from nbrelapse.models.base import RiskModel
from nbrelapse.models.design import ReadFeatures, read_columns
from nbrelapse.models.processes import in_processes

_MOST_PATIENTS = 1000
"""Patients explained by every refit; a mean of so many varies by some 3 %, far less than refits do. A choice."""

_ESTABLISHED = 0.95
"""Smallest share of the refits that must give a feature the model's sign. A feature without any effect gets there about
one time in ten: its sign is chosen by the same patients."""

_SUGGESTED = 0.80
"""The same of a sign that is only suggested. A choice."""

_TAILS = (0.025, 0.975)


@dataclass(frozen=True)
class Stability:
    """What bootstrap and fold refits of a model make of the same patients; build it with :func:`stability`.

    Parameters
    ----------
    mechanisms : DataFrame
        Index ``mechanism``, most important first. ``importance`` (mean absolute contribution), ``low``, ``high``;
        ``rank``, ``rank_low``, ``rank_high`` (1 = most important, ties get the worse rank); ``first`` and
        ``first_three`` (share of the refits that rank it so); ``fold_low``, ``fold_high`` (range of the importance
        over the fold refits, NaN without any); ``agreement``, ``agreement_low``, ``agreement_high`` (Spearman's
        correlation of the patients' contributions between the model and a refit: median, least and greatest; a refit
        that does not use the mechanism counts as 0); ``signed_share`` (share of the refits in which it is above 0);
        ``spread``, ``spread_low``, ``spread_high``, ``distinct`` and ``status``, see Notes.
    features : DataFrame
        Index ``feature``, most important first: what :func:`direction_agreement` gives, and ``low``, ``high`` of the
        importance; ``effect`` (least-squares slope of the contribution on the value, times the value's standard
        deviation: in a linear model the coefficient per standard deviation), ``effect_low``, ``effect_high``;
        ``same_sign`` (share of the refits with the model's sign; NaN where the model has none) and ``status``:
        ``established`` (``same_sign`` at least 0.95), ``suggested`` (0.80), ``undecided``, or ``constrained`` where
        the model could take no other sign. A feature without any effect is called established one time in ten: its
        sign is chosen by the same patients.
    rank_agreement : DataFrame
        Index ``refits`` and, where there are any, ``folds``: how alike pairs of them order the mechanisms, see
        :func:`nbrelapse.explanation.stability.rank_agreement`. Fold refits share most of their patients.
    n_patients, n_refits, n_folds : int
        How many patients were explained, by how many bootstrap and fold refits.
    scale : str
        Of the contributions.
    features_used : tuple of int
        How many features move a prediction, in each bootstrap refit and then in each fold refit.

    Notes
    -----
    Intervals named ``low`` and ``high`` hold 95 % of the refits. A mean of absolute values is never 0 and rises with
    noise, in the refits more than in the model: such an interval says how large a mechanism may look, never whether it
    has an effect. Nor does agreement on the patients: a mechanism of many features without any effect ranks them alike
    in model and refits, which share their noise.

    ``spread`` can say no. It is the standard deviation of the mechanism's contributions over patients. A refit differs
    from the model as the model does from what it estimates (the bootstrap's principle [1]_); let q be the standard
    deviation of that difference that 95 % of the refits keep below. By the triangle inequality the spread of what is
    estimated lies within q of the model's, with 95 % confidence or more: ``spread_low`` and ``spread_high``. A lower
    limit of 0 or below: the mechanism cannot be told from noise. ``distinct`` is the share of the refits that differ
    by less than the model's spread; the ``status`` is ``established`` at 0.95 or more, where ``spread_low`` is above
    0, ``suggested`` at 0.80, else ``undecided``.

    Refits share what the model was given: expected effects that it starts from, directions that it is held to. That
    they agree on these is no finding of the patients. A penalty keeps the refits closer to the model than the model is
    to the truth, and correlated features trade their effect: a sign or a rank may be stable and still be another
    feature's. Parameters are those of the model: tuning is not repeated.

    References
    ----------
    .. [1] Davison & Hinkley 1997, Bootstrap Methods and their Application, 10.1017/CBO9780511802843
    """

    mechanisms: pd.DataFrame
    features: pd.DataFrame
    rank_agreement: pd.DataFrame
    n_patients: int
    n_refits: int
    n_folds: int
    scale: str
    features_used: tuple[int, ...]

    @property
    def disagreements(self) -> pd.DataFrame:
        """The features whose sign in the model is not the catalogue's, those that the model was free in."""
        return self.features[self.features["agrees"].eq(False).fillna(False).astype(bool)]


@dataclass(frozen=True)
class _RefitFigures:
    """Figures of refits, a row a refit; the columns are the model's mechanisms or features, in its order."""

    # Mean absolute contribution; standard deviation over patients of the difference to the model's contribution;
    # Spearman's correlation of the patients' contributions with the model's, 0 where one is constant.

    mechanism_importance: np.ndarray
    mechanism_change: np.ndarray
    agreement: np.ndarray
    # Mean absolute contribution; see _value_effects; sign of Spearman's correlation of value and contribution.
    feature_importance: np.ndarray
    effect: np.ndarray
    sign: np.ndarray


def stability(
    explanation: Explanation,
    refits: Sequence[RiskModel],
    catalogue: Catalogue,
    endpoint: str,
    folds: Sequence[RiskModel] = (),
    *,
    n_jobs: int = 1,
) -> Stability:
    """Explain the same patients by refits of the model, and compare.

    Parameters
    ----------
    explanation : Explanation
        Of the model, on the scale of the log risk. Of more than 1,000 patients as many, evenly spaced, stand for all;
        the model's own figures are then those of them, too.
    refits : sequence of RiskModel
        Bootstrap refits, see :func:`nbrelapse.models.resamples.bootstrap_refits`.
    catalogue : Catalogue
    endpoint : {"relapse", "efs", "os", "refractory"}
    folds : sequence of RiskModel, optional
        The model refitted without each fold, see :func:`nbrelapse.models.resamples.fold_refits`.
    n_jobs : int
        Processes; the figures do not depend on it.

    Returns
    -------
    Stability

    Raises
    ------
    InputError
        There are no refits, no patients, or the explanation is of probabilities.
    """
    if not refits:
        raise InputError("no stability without bootstrap refits", column="refits", expected="at least one")
    if explanation.features.empty:
        raise InputError("no stability without patients and features", column="explanation")
    if explanation.scale == "probability":
        raise InputError(
            "the explanation is of probabilities", column="explanation", expected="one on the scale of the log risk"
        )
    own = explanation.evenly(_MOST_PATIENTS)
    found = _in_parts(own, refits, catalogue, n_jobs)
    by_fold = _refit_figures(own, folds, catalogue)
    agreement = {"refits": _rank_agreement(found.mechanism_importance)}
    if folds:
        agreement["folds"] = _rank_agreement(by_fold.mechanism_importance)
    return Stability(
        mechanisms=_mechanism_table(own, found, by_fold),
        features=_feature_table(own, found, direction_agreement(own, catalogue, endpoint)),
        rank_agreement=pd.DataFrame.from_dict(agreement, orient="index").rename_axis("between"),
        n_patients=len(own.features),
        n_refits=len(refits),
        n_folds=len(folds),
        scale=explanation.scale,
        features_used=tuple(
            int(count) for part in (found, by_fold) for count in (part.feature_importance > 0).sum(axis=1)
        ),
    )


def _in_parts(
    explanation: Explanation, refits: Sequence[RiskModel], catalogue: Catalogue, n_jobs: int
) -> _RefitFigures:
    """Explain the patients by each refit, several refits in a process."""
    parts = [refits[part::n_jobs] for part in range(min(n_jobs, len(refits)))]
    found = list(in_processes([delayed(_refit_figures)(explanation, part, catalogue) for part in parts], n_jobs))
    whole = _RefitFigures(*(np.empty((len(refits), getattr(found[0], own.name).shape[1])) for own in fields(found[0])))
    for number, part in enumerate(found):
        for own in fields(part):
            getattr(whole, own.name)[number::n_jobs] = getattr(part, own.name)
    return whole


def _refit_figures(explanation: Explanation, refits: Sequence[RiskModel], catalogue: Catalogue) -> _RefitFigures:
    """Explain the patients by each refit, against the background of the explanation."""
    mechanisms, features = explanation.mechanisms.columns, explanation.features.columns
    wide = {"mechanism": mechanisms, "feature": features}
    found = _RefitFigures(*(np.zeros((len(refits), len(wide[kind]))) for kind in ("mechanism",) * 3 + ("feature",) * 3))
    agreement, signs = _rank_correlation_with(explanation.mechanisms), _rank_signs_with(explanation.values)
    effects = _value_effects(explanation.values)
    names = explanation.values.columns
    X = ReadFeatures(read_columns(explanation.values, names.to_numpy()), index=explanation.values.index, columns=names)
    for row, refit in enumerate(refits):
        own = explain(refit, X, catalogue, background=explanation.background)
        by_mechanism = own.mechanisms.reindex(columns=mechanisms, fill_value=0.0)
        same = own.features.columns.equals(features)
        by_feature = own.features if same else own.features.reindex(columns=features, fill_value=0.0)
        found.mechanism_importance[row] = by_mechanism.abs().mean()
        found.mechanism_change[row] = (by_mechanism - explanation.mechanisms).std(ddof=0)
        found.agreement[row] = agreement(by_mechanism).fillna(0.0)
        found.feature_importance[row] = by_feature.abs().mean()
        found.effect[row] = effects(by_feature)
        found.sign[row] = signs(by_feature)
    return found


def _value_effects(values: pd.DataFrame) -> Callable[[pd.DataFrame], np.ndarray]:
    """Least-squares slope of each feature's contribution on its known values, times their standard deviation."""
    known = values.notna().to_numpy()
    centred = (values - values.mean()).fillna(0.0).to_numpy()
    size = np.sqrt((centred**2).sum(axis=0) * known.sum(axis=0))
    size = np.where(size > 0, size, np.inf)
    return lambda contributions: (centred * contributions.to_numpy()).sum(axis=0) / size


def _mechanism_table(own: Explanation, refits: _RefitFigures, folds: _RefitFigures) -> pd.DataFrame:
    names = own.mechanisms.columns
    ranks = _ranks(refits.mechanism_importance)
    importance = own.mechanism_importance()[names]
    spread = own.mechanisms.std(ddof=0).to_numpy()
    varies = spread > 0
    table = pd.DataFrame({"importance": importance}, index=names.rename("mechanism"))
    table["low"], table["high"] = np.quantile(refits.mechanism_importance, _TAILS, axis=0)
    table["rank"] = _ranks(importance.to_numpy()[np.newaxis])[0]
    table["rank_low"], table["rank_high"] = np.quantile(ranks, _TAILS, axis=0, method="nearest")
    table["first"], table["first_three"] = (ranks <= 1).mean(axis=0), (ranks <= 3).mean(axis=0)
    by_fold = folds.mechanism_importance if len(folds.mechanism_importance) else np.full((1, len(names)), np.nan)
    table["fold_low"], table["fold_high"] = by_fold.min(axis=0), by_fold.max(axis=0)
    agreement = np.where(varies, refits.agreement, np.nan)
    table["agreement"] = np.median(agreement, axis=0)
    table["agreement_low"], table["agreement_high"] = agreement.min(axis=0), agreement.max(axis=0)
    table["signed_share"] = np.where(varies, (refits.agreement > 0).mean(axis=0), np.nan)
    change = refits.mechanism_change
    likely = np.quantile(change, 0.95, axis=0)
    table["spread"], table["spread_low"], table["spread_high"] = spread, spread - likely, spread + likely
    table["distinct"] = (change < spread).mean(axis=0)
    table["status"] = np.select(
        [(table["distinct"] >= _ESTABLISHED) & (table["spread_low"] > 0), table["distinct"] >= _SUGGESTED],
        ["established", "suggested"],
        default="undecided",
    )
    return table.sort_values("importance", ascending=False, kind="stable")


def _feature_table(own: Explanation, refits: _RefitFigures, directions: pd.DataFrame) -> pd.DataFrame:
    """Join what the refits say to what :func:`direction_agreement` says of the model."""
    names = own.features.columns
    found = directions["found"].reindex(names).to_numpy()
    same = np.where(found != 0, (refits.sign == found).mean(axis=0), np.nan)
    columns = pd.DataFrame(index=names)
    columns["low"], columns["high"] = np.quantile(refits.feature_importance, _TAILS, axis=0)
    columns["effect"] = _value_effects(own.values)(own.features)
    columns["effect_low"], columns["effect_high"] = np.quantile(refits.effect, _TAILS, axis=0)
    columns["same_sign"] = same
    columns["status"] = np.select(
        [names.isin(own.constrained), same >= _ESTABLISHED, same >= _SUGGESTED],
        ["constrained", "established", "suggested"],
        default="undecided",
    )
    return directions.join(columns)


def _ranks(importances: np.ndarray) -> np.ndarray:
    """Rank each row, 1 = largest; those that tie share the worse rank."""
    return pd.DataFrame(-importances).rank(axis=1, method="max").to_numpy().astype(int)


def _rank_agreement(importances: np.ndarray) -> dict[str, float]:
    """Return the agreement of the orders that several models give to the same mechanisms.

    Parameters
    ----------
    importances : ndarray of shape (n_models, n_mechanisms)

    Returns
    -------
    dict of str to float
        ``pairs`` of models compared; median, lowest and highest over the pairs of Kendall's tau-b (``kendall``,
        ``kendall_low``, ``kendall_high``) and of Spearman's correlation (``spearman``, …). A pair of which one model
        gives all mechanisms the same importance is left out; NaN without any pair.

    Examples
    --------
    >>> round(_rank_agreement(np.array([[3.0, 2.0, 1.0], [3.0, 1.0, 2.0]]))["spearman"], 6)
    0.5
    """
    upper = np.triu_indices(importances.shape[1], 1)
    order = np.sign(importances[:, upper[0]] - importances[:, upper[1]])
    ranks = pd.DataFrame(importances).rank(axis=1).to_numpy()
    found: dict[str, float] = {}
    for name, rows in (("kendall", order), ("spearman", ranks - ranks.mean(axis=1, keepdims=True))):
        pairs = _cosines(rows)
        low, median, high = np.quantile(pairs, [0, 0.5, 1]) if len(pairs) else (np.nan,) * 3
        found |= {name: float(median), f"{name}_low": float(low), f"{name}_high": float(high), "pairs": len(pairs)}
    return found


def _cosines(rows: np.ndarray) -> np.ndarray:
    """Cosines of all pairs of rows: tau-b of orders, Spearman's correlation of centred ranks."""
    size = np.sqrt((rows**2).sum(axis=1))
    rows = rows[size > 0] / size[size > 0, np.newaxis]
    return np.clip(rows @ rows.T, -1, 1)[np.triu_indices(len(rows), 1)]


NOT_ASSAYED = "not_assayed"
"""The row of all contributions from missing values together."""


def patient_intervals(explanation: Explanation, refits: Sequence[RiskModel], catalogue: Catalogue) -> pd.DataFrame:
    """Return what a patient's measured features contribute by mechanism, and what the refits make of it.

    Parameters
    ----------
    explanation : Explanation
        Of the log risk of one patient.
    refits : sequence of RiskModel
        Bootstrap refits of the model.
    catalogue : Catalogue

    Returns
    -------
    DataFrame
        Index ``mechanism``: those of which something was measured, the largest absolute contribution first, then
        ``NOT_ASSAYED`` where something was not. ``value``; ``low`` and ``high``, which hold 95% of the refits; NaN
        without refits; ``established``, whether they lie on one side of zero, the side of ``value``. They hold the
        uncertainty of estimation, not that of tuning, and not whether the patient is like those of the training.

    Raises
    ------
    ValueError
        The explanation is of another number of patients, or of a probability.
    """
    if len(explanation.features) != 1 or explanation.scale == "probability":
        raise ValueError("intervals are of the log risk of one patient")
    known = explanation.values.iloc[0].notna().to_numpy()
    row = np.where(known, explanation.mechanism_of.to_numpy(dtype=object), NOT_ASSAYED)
    value = _summed(explanation.features.iloc[0], row)
    by_size = value.abs().sort_values(ascending=False, kind="stable").index
    order = [*by_size.drop(NOT_ASSAYED, errors="ignore"), *([] if known.all() else [NOT_ASSAYED])]
    table = pd.DataFrame({"value": value.loc[order], "low": np.nan, "high": np.nan}).rename_axis("mechanism")
    if refits:
        by_refit = pd.DataFrame(_contributions(explanation, refits, catalogue).T).groupby(row, sort=False).sum()
        table["low"], table["high"] = np.quantile(by_refit.loc[order], _TAILS, axis=1)
    table["established"] = ((table["low"] > 0) & (table["value"] > 0)) | ((table["high"] < 0) & (table["value"] < 0))
    return table


def _summed(contributions: pd.Series, row: np.ndarray) -> pd.Series:
    return contributions.groupby(row, sort=False).sum()


def _contributions(explanation: Explanation, refits: Sequence[RiskModel], catalogue: Catalogue) -> np.ndarray:
    """Return what each feature of one patient contributes by each refit, shape (n_refits, n_features)."""
    columns, values = explanation.features.columns, explanation.values
    X = ReadFeatures(read_columns(values, values.columns.to_numpy()), index=values.index, columns=values.columns)
    found = np.empty((len(refits), len(columns)))
    for row, refit in enumerate(refits):
        own = _attributed(refit, X, explanation.background)[0].values
        if not own.columns.equals(columns):
            _mechanism_of(own.columns, catalogue)  # refuses what it does not know
            own = own.reindex(columns=columns, fill_value=0.0)
        found[row] = own.to_numpy()[0]
    return found
