"""What a model's log risks are made of, by feature and by mechanism."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from nbrelapse.errors import InputError, NbRelapseError
from nbrelapse.mechanisms.catalogue import Catalogue
from nbrelapse.models.binary_model import BinaryModel
from nbrelapse.models.risk_model import RiskModel

if TYPE_CHECKING:
    import shap

TOLERANCE = 1e-5
"""Largest tolerated |baseline + sum of contributions - log risk|, in proportion more for log risks
beyond 10; XGBoost computes its contributions in float32."""


@dataclass(frozen=True)
class Explanation:
    """Additive explanation of a model's log risks; build it with :func:`nbrelapse.explanation.explain`.

    ``baseline + mechanisms.sum(axis=1) == baseline + features.sum(axis=1) == log_risk``. The rows of every table are
    the same patients in the same order.

    Parameters
    ----------
    baseline : float
        The model's expected log risk: that of the training mean (0 in Cox regression) for linear models; for trees the
        mean over their leaves, weighted as in training, which lies near it.
    features : DataFrame of shape (n_patients, n_features)
        Exact SHAP values on the scale of the log risk.
    mechanisms : DataFrame of shape (n_patients, n_mechanisms)
        Sums of the features of each mechanism, in the catalogue's order.
    values : DataFrame of shape (n_patients, n_features)
        What the model saw; NaN = not assayed or unknown.
    log_risk : Series of shape (n_patients,)
        The model's log relative hazard, or log odds.
    mechanism_of : Series
        The mechanism of each feature.
    constrained : frozenset of str
        Features that the model was forced to be monotone in: that they act as expected is no finding.
    scale : {"log hazard", "log odds"}
        What the log risk is called.
    """

    baseline: float
    features: pd.DataFrame
    mechanisms: pd.DataFrame
    values: pd.DataFrame
    log_risk: pd.Series
    mechanism_of: pd.Series
    constrained: frozenset[str] = frozenset()
    scale: str = "log hazard"

    @property
    def mechanisms_not_assayed(self) -> pd.DataFrame:
        """The part of ``mechanisms`` that comes from missing values: it speaks of absence, not of the tumour."""
        return roll_up(self.features.where(self.values.isna(), 0.0), self.mechanism_of)[self.mechanisms.columns]

    @property
    def mechanisms_observed(self) -> pd.DataFrame:
        """The part of ``mechanisms`` that comes from what was measured."""
        return roll_up(self.features.where(self.values.notna(), 0.0), self.mechanism_of)[self.mechanisms.columns]

    def mechanism_importance(self) -> pd.Series:
        """Mean absolute contribution of each mechanism to the log risk, largest first."""
        return self.mechanisms.abs().mean().sort_values(ascending=False, kind="stable")

    def feature_importance(self) -> pd.Series:
        """Mean absolute contribution of each feature to the log risk, largest first."""
        return self.features.abs().mean().sort_values(ascending=False, kind="stable")

    def not_assayed_share(self) -> pd.Series:
        """Share of each mechanism's absolute feature contributions that comes from missing values, 0 to 1."""
        size = self.features.abs().sum()
        missing = self.features.abs().where(self.values.isna(), 0.0).sum()
        by_mechanism = pd.DataFrame({"all": size, "missing": missing}).groupby(self.mechanism_of, sort=False).sum()
        share = by_mechanism["missing"] / by_mechanism["all"].where(by_mechanism["all"] > 0)
        return share.fillna(0.0)[self.mechanisms.columns]

    def to_shap(self) -> shap.Explanation:
        """Return the feature attributions as shap's own object, for its plots in a notebook."""
        import shap

        return shap.Explanation(
            values=self.features.to_numpy(),
            base_values=self.baseline,
            data=self.values.to_numpy(),
            feature_names=list(self.features.columns),
        )


def roll_up(features: pd.DataFrame, mechanism_of: pd.Series) -> pd.DataFrame:
    """Sum the columns of each mechanism.

    Parameters
    ----------
    features : DataFrame of shape (n_patients, n_features)
    mechanism_of : Series
        The mechanism of each column of ``features``.

    Returns
    -------
    DataFrame of shape (n_patients, n_mechanisms)
        Mechanisms in their order of first appearance in ``mechanism_of``.

    Examples
    --------
    >>> features = pd.DataFrame({"alk__a": [0.5], "alk__b": [0.25], "mycn__a": [-1.0]})
    >>> roll_up(features, pd.Series({"alk__a": "alk", "alk__b": "alk", "mycn__a": "mycn"}))
        alk  mycn
    0  0.75  -1.0
    """
    return features.T.groupby(mechanism_of.reindex(features.columns).to_numpy(), sort=False).sum().T


def explain(model: RiskModel, X: pd.DataFrame, catalogue: Catalogue) -> Explanation:
    """Explain a model's log risks by feature and by mechanism.

    Parameters
    ----------
    model : RiskModel
        A fitted model.
    X : DataFrame of shape (n_patients, n_features)
        Its features; NaN = not assayed. Columns that the model does not read are left out.
    catalogue : Catalogue
        Says which mechanism each feature belongs to.

    Returns
    -------
    Explanation

    Raises
    ------
    InputError
        The model reads a feature that the catalogue does not know.
    NbRelapseError
        The contributions do not add up to the log risk: the model's ``attribute`` and ``predict_log_risk``
        contradict each other, so no explanation is given.
    """
    attribution = model.attribute(X)
    features = attribution.values
    mechanism_of = _mechanism_of(features.columns, catalogue)
    log_risk = pd.Series(model.predict_log_risk(X), index=features.index, name="log_risk")
    _refuse_a_gap(attribution.baseline + features.sum(axis=1).to_numpy() - log_risk.to_numpy(), log_risk.to_numpy())
    order = [name for name in catalogue.mechanisms if name in set(mechanism_of)]
    return Explanation(
        baseline=float(attribution.baseline),
        features=features,
        mechanisms=roll_up(features, mechanism_of)[order],
        values=X[list(features.columns)],
        log_risk=log_risk,
        mechanism_of=mechanism_of,
        constrained=frozenset(name for name, sign in (getattr(model, "directions", None) or {}).items() if sign),
        scale="log odds" if isinstance(model, BinaryModel) else "log hazard",
    )


def _mechanism_of(columns: pd.Index, catalogue: Catalogue) -> pd.Series:
    unknown = [name for name in columns if name not in catalogue.features]
    if unknown:
        raise InputError(
            "the model reads features that the catalogue does not know",
            column=", ".join(unknown[:5]),
            mend="use the catalogue that the model was trained with",
        )
    names = [catalogue.features[name].mechanism for name in columns]
    return pd.Series(names, index=columns, name="mechanism", dtype="object")


def _refuse_a_gap(gap: np.ndarray, log_risk: np.ndarray) -> None:
    worst = float(np.max(np.abs(gap) / np.maximum(1.0, np.abs(log_risk) / 10), initial=0.0))
    if not worst <= TOLERANCE:
        raise NbRelapseError(
            f"the contributions do not add up to the log risk: largest gap {worst:.3g}, tolerated {TOLERANCE:g}"
        )
