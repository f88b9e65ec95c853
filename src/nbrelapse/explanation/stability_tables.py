"""Tables of what refits say beside what the model says."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nbrelapse.explanation.explanation import Explanation
from nbrelapse.explanation.refit_figures import RefitFigures, value_effects

ESTABLISHED = 0.95
"""Smallest share of the refits that must give a feature the model's sign. A feature without any effect gets there about
one time in ten: its sign is chosen by the same patients."""

SUGGESTED = 0.80
"""The same of a sign that is only suggested. A choice."""

_TAILS = (0.025, 0.975)


def mechanism_table(own: Explanation, refits: RefitFigures, folds: RefitFigures) -> pd.DataFrame:
    """Return the table of the mechanisms, see :class:`nbrelapse.explanation.stability.Stability`."""
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
        [(table["distinct"] >= ESTABLISHED) & (table["spread_low"] > 0), table["distinct"] >= SUGGESTED],
        ["established", "suggested"],
        default="undecided",
    )
    return table.sort_values("importance", ascending=False, kind="stable")


def feature_table(own: Explanation, refits: RefitFigures, directions: pd.DataFrame) -> pd.DataFrame:
    """Return the table of the features, given what :func:`direction_agreement` says of the model."""
    names = own.features.columns
    found = directions["found"].reindex(names).to_numpy()
    same = np.where(found != 0, (refits.sign == found).mean(axis=0), np.nan)
    columns = pd.DataFrame(index=names)
    columns["low"], columns["high"] = np.quantile(refits.feature_importance, _TAILS, axis=0)
    columns["effect"] = value_effects(own.values, own.features)
    columns["effect_low"], columns["effect_high"] = np.quantile(refits.effect, _TAILS, axis=0)
    columns["same_sign"] = same
    columns["status"] = np.select(
        [names.isin(own.constrained), same >= ESTABLISHED, same >= SUGGESTED],
        ["constrained", "established", "suggested"],
        default="undecided",
    )
    return directions.join(columns)


def _ranks(importances: np.ndarray) -> np.ndarray:
    """Rank each row, 1 = largest; those that tie share the worse rank."""
    return pd.DataFrame(-importances).rank(axis=1, method="max").to_numpy().astype(int)
