"""All pictures of what drives the predictions of a group of patients."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from nbrelapse.explanation.contributions_by_group import LEAST_PATIENTS
from nbrelapse.explanation.explanation import Explanation
from nbrelapse.explanation.mechanism_cooccurrence import mechanism_cooccurrence
from nbrelapse.explanation.stability import Stability
from nbrelapse.mechanisms.catalogue import Catalogue
from nbrelapse.report.plots import beeswarm, dependence, mechanism_bar, mechanism_cooccurrence_plot, risk_group_heatmap


def explanation_figures(
    explanation: Explanation,
    catalogue: Catalogue,
    stability: Stability | None = None,
    groups: pd.Series | None = None,
) -> dict[str, Figure]:
    """Draw what an explanation says of all its patients; no picture names one.

    Parameters
    ----------
    explanation : Explanation
    catalogue : Catalogue
    stability : Stability, optional
        Of the explanation.
    groups : Series, optional
        Risk groups of the patients, see :func:`nbrelapse.report.plots.risk_group_heatmap`.

    Returns
    -------
    dict of str to Figure
        ``mechanisms``, ``beeswarm`` and ``dependence``; ``risk_groups`` where a group has 10 patients; ``cooccurrence``
        where the model uses two mechanisms.
    """
    figures = {
        "mechanisms": mechanism_bar(explanation, catalogue, stability),
        "beeswarm": beeswarm(explanation, catalogue),
        "dependence": dependence(explanation, catalogue),
    }
    if groups is not None and groups.value_counts().max() >= LEAST_PATIENTS:
        figures["risk_groups"] = risk_group_heatmap(explanation, groups, catalogue)
    pairs = mechanism_cooccurrence(explanation)
    if len(pairs):
        figures["cooccurrence"] = mechanism_cooccurrence_plot(pairs, catalogue)
    return figures
