"""What a model's predictions are made of, by feature and by mechanism."""

from __future__ import annotations

from dataclasses import dataclass, replace
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
"""Largest tolerated |baseline + sum of contributions - prediction|, in proportion more for log risks beyond 10; XGBoost
computes its contributions in float32."""


@dataclass(frozen=True)
class Explanation:
    """Additive explanation of a model's predictions.

    :func:`nbrelapse.explanation.explain` builds it on the scale of the log risk,
    :func:`nbrelapse.explanation.to_probability` brings it to that of the probability.
    ``baseline + mechanisms.sum(axis=1) == baseline + features.sum(axis=1) == prediction``. The rows of every table are
    the same patients in the same order.

    Parameters
    ----------
    baseline : float
        What the contributions start from. The mean log risk of the background where one was given; without one the
        log risk of the training mean (0 in Cox regression) for linear models, and for trees the mean over their
        leaves, weighted as in training, which lies near it. Of a probability: that at this log risk.
    features : DataFrame of shape (n_patients, n_features)
        SHAP values; exact but for the forest (see :meth:`RiskModel.attribute`).
    mechanisms : DataFrame of shape (n_patients, n_mechanisms)
        Sums of the features of each mechanism, in the catalogue's order.
    values : DataFrame of shape (n_patients, n_features)
        What the model saw; NaN = not assayed or unknown.
    prediction : Series of shape (n_patients,)
        The model's log relative hazard, log odds, or probability of the event.
    mechanism_of : Series
        The mechanism of each feature.
    constrained : frozenset of str
        Features that the model was forced to be monotone in: that they act as expected is no finding.
    scale : {"log hazard", "log odds", "probability"}
        What ``prediction`` is.
    horizon_days : float or None
        Of a probability, the days by which the event is to happen; None for a binary endpoint.
    background : DataFrame of shape (n_background, n_features) or None
        The patients compared with; None: path-dependent, or against the training mean.
    """

    baseline: float
    features: pd.DataFrame
    mechanisms: pd.DataFrame
    values: pd.DataFrame
    prediction: pd.Series
    mechanism_of: pd.Series
    constrained: frozenset[str] = frozenset()
    scale: str = "log hazard"
    horizon_days: float | None = None
    background: pd.DataFrame | None = None

    @property
    def mechanisms_not_assayed(self) -> pd.DataFrame:
        """The part of ``mechanisms`` that comes from missing values: it speaks of absence, not of the tumour."""
        return roll_up(self.features.where(self.values.isna(), 0.0), self.mechanism_of)[self.mechanisms.columns]

    @property
    def mechanisms_observed(self) -> pd.DataFrame:
        """The part of ``mechanisms`` that comes from what was measured."""
        return roll_up(self.features.where(self.values.notna(), 0.0), self.mechanism_of)[self.mechanisms.columns]

    def mechanism_importance(self) -> pd.Series:
        """Mean absolute contribution of each mechanism to the prediction, largest first."""
        return self.mechanisms.abs().mean().sort_values(ascending=False, kind="stable")

    def feature_importance(self) -> pd.Series:
        """Mean absolute contribution of each feature to the prediction, largest first."""
        return self.features.abs().mean().sort_values(ascending=False, kind="stable")

    def not_assayed_share(self) -> pd.Series:
        """Share of each mechanism's absolute feature contributions that comes from missing values, 0 to 1."""
        size = self.features.abs().sum()
        missing = self.features.abs().where(self.values.isna(), 0.0).sum()
        by_mechanism = pd.DataFrame({"all": size, "missing": missing}).groupby(self.mechanism_of, sort=False).sum()
        share = by_mechanism["missing"] / by_mechanism["all"].where(by_mechanism["all"] > 0)
        return share.fillna(0.0)[self.mechanisms.columns]

    def evenly(self, most: int) -> Explanation:
        """Return this explanation of at most so many patients, evenly spaced."""
        n = len(self.features)
        if n <= most:
            return self
        rows = np.linspace(0, n - 1, most).round().astype(int)
        return replace(
            self,
            features=self.features.iloc[rows],
            mechanisms=self.mechanisms.iloc[rows],
            values=self.values.iloc[rows],
            prediction=self.prediction.iloc[rows],
        )

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
    values = features.to_numpy()
    mechanisms = mechanism_of.reindex(features.columns).to_numpy()
    names = list(dict.fromkeys(mechanisms))
    sums = [values[:, mechanisms == name].sum(axis=1) for name in names]
    return pd.DataFrame(dict(zip(names, sums, strict=True)), index=features.index)


def explain(
    model: RiskModel, X: pd.DataFrame, catalogue: Catalogue, *, background: pd.DataFrame | None = None
) -> Explanation:
    """Explain a model's log risks by feature and by mechanism.

    Parameters
    ----------
    model : RiskModel
        A fitted model.
    X : DataFrame of shape (n_patients, n_features)
        Its features; NaN = not assayed. Columns that the model does not read are left out.
    catalogue : Catalogue
        Says which mechanism each feature belongs to.
    background : DataFrame of shape (n_background, n_features), optional
        Patients to compare with, for interventional contributions; see :meth:`RiskModel.attribute`. Some hundred are
        enough, and time grows with their number.

    Returns
    -------
    Explanation

    Raises
    ------
    InputError
        The model reads a feature that the catalogue does not know, or the background cannot be read.
    NbRelapseError
        The contributions do not add up to the log risk: the model's ``attribute`` and ``predict_log_risk``
        contradict each other, so no explanation is given.
    """
    attribution = model.attribute(X, background)
    features = attribution.values
    mechanism_of = _mechanism_of(features.columns, catalogue)
    log_risk = model.predict_log_risk(X)
    refuse_a_gap(attribution.baseline + features.to_numpy().sum(axis=1) - log_risk, log_risk, "log risk")
    order = [name for name in catalogue.mechanisms if name in set(mechanism_of)]
    return Explanation(
        baseline=float(attribution.baseline),
        features=features,
        mechanisms=roll_up(features, mechanism_of)[order],
        values=X[list(features.columns)],
        prediction=pd.Series(log_risk, index=features.index, name="log_risk"),
        mechanism_of=mechanism_of,
        constrained=frozenset(name for name, sign in (getattr(model, "directions", None) or {}).items() if sign),
        scale="log odds" if isinstance(model, BinaryModel) else "log hazard",
        background=None if background is None else background[list(features.columns)],
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


def refuse_a_gap(gap: np.ndarray, prediction: np.ndarray, what: str) -> None:
    """Refuse contributions that do not add up to what they explain.

    Parameters
    ----------
    gap : ndarray of shape (n_patients,)
        Baseline plus contributions less prediction.
    prediction : ndarray of shape (n_patients,)
    what : str
        What is predicted, in words.

    Raises
    ------
    NbRelapseError
        A gap is larger than ``TOLERANCE``, or no number.
    """
    worst = float(np.max(np.abs(gap) / np.maximum(1.0, np.abs(prediction) / 10), initial=0.0))
    if not worst <= TOLERANCE:
        raise NbRelapseError(
            f"the contributions do not add up to the {what}: largest gap {worst:.3g}, tolerated {TOLERANCE:g}"
        )
