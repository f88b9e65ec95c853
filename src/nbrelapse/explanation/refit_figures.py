"""What refits of a model say of the patients that the model was explained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from nbrelapse.explanation.explanation import Explanation, explain
from nbrelapse.explanation.rank_correlation import rank_correlation
from nbrelapse.mechanisms.catalogue import Catalogue
from nbrelapse.models.risk_model import RiskModel


@dataclass(frozen=True)
class RefitFigures:
    """Figures of refits, a row a refit; the columns are the model's mechanisms or features, in its order.

    Parameters
    ----------
    mechanism_importance, mechanism_change : ndarray of shape (n_refits, n_mechanisms)
        Mean absolute contribution; standard deviation over patients of the difference to the model's contribution.
    agreement : ndarray of shape (n_refits, n_mechanisms)
        Spearman's correlation of the patients' contributions with the model's; 0 where one is constant.
    feature_importance, effect, sign : ndarray of shape (n_refits, n_features)
        Mean absolute contribution; see :func:`value_effects`; sign of Spearman's correlation of value and contribution.
    """

    mechanism_importance: np.ndarray
    mechanism_change: np.ndarray
    agreement: np.ndarray
    feature_importance: np.ndarray
    effect: np.ndarray
    sign: np.ndarray


def refit_figures(explanation: Explanation, refits: Sequence[RiskModel], catalogue: Catalogue) -> RefitFigures:
    """Explain the explanation's patients by each refit, against its background.

    Parameters
    ----------
    explanation : Explanation
        Of the model that was refitted.
    refits : sequence of RiskModel
    catalogue : Catalogue

    Returns
    -------
    RefitFigures
    """
    mechanisms, features = explanation.mechanisms.columns, explanation.features.columns
    wide = {"mechanism": mechanisms, "feature": features}
    found = RefitFigures(*(np.zeros((len(refits), len(wide[kind]))) for kind in ("mechanism",) * 3 + ("feature",) * 3))
    for row, refit in enumerate(refits):
        own = explain(refit, explanation.values, catalogue, background=explanation.background)
        by_mechanism = own.mechanisms.reindex(columns=mechanisms, fill_value=0.0)
        by_feature = own.features.reindex(columns=features, fill_value=0.0)
        found.mechanism_importance[row] = by_mechanism.abs().mean()
        found.mechanism_change[row] = (by_mechanism - explanation.mechanisms).std(ddof=0)
        found.agreement[row] = rank_correlation(explanation.mechanisms, by_mechanism).fillna(0.0)
        found.feature_importance[row] = by_feature.abs().mean()
        found.effect[row] = value_effects(explanation.values, by_feature)
        found.sign[row] = np.sign(rank_correlation(explanation.values, by_feature).fillna(0.0))
    return found


def value_effects(values: pd.DataFrame, contributions: pd.DataFrame) -> np.ndarray:
    """Least-squares slope of each feature's contribution on its value, times the value's standard deviation.

    Parameters
    ----------
    values : DataFrame of shape (n_patients, n_features)
        NaN = not assayed: the patient is left out of that feature.
    contributions : DataFrame of shape (n_patients, n_features)

    Returns
    -------
    ndarray of shape (n_features,)
        On the scale of the contributions; 0 where the value does not vary.

    Examples
    --------
    >>> values = pd.DataFrame({"age": [1.0, 3.0, None]})
    >>> value_effects(values, pd.DataFrame({"age": [-0.2, 0.2, 9.0]}))
    array([0.2])
    """
    known = values.notna().to_numpy()
    centred = (values - values.mean()).fillna(0.0).to_numpy()
    size = np.sqrt((centred**2).sum(axis=0) * known.sum(axis=0))
    return (centred * contributions.to_numpy()).sum(axis=0) / np.where(size > 0, size, np.inf)
