"""The page of ``nbrelapse explain``: a cohort's mechanisms, and the pictures of what drives predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from nbrelapse.explanation.explanation import APPROXIMATE, LEAST_PATIENTS, Explanation, mechanism_cooccurrence
from nbrelapse.explanation.stability import Stability
from nbrelapse.mechanisms.catalogue import Catalogue
from nbrelapse.models.families import model_title
from nbrelapse.report.facts import _cooccurrence_rows, _game_rows, _mechanism_rows, disagreements
from nbrelapse.report.plots.attributions import beeswarm, dependence
from nbrelapse.report.plots.mechanisms import mechanism_bar, mechanism_cooccurrence_plot, risk_group_heatmap
from nbrelapse.report.render import Picture, Plot, _render
from nbrelapse.report.sentences import ProbabilityImportance, _cohort_sentence, stability_sentences
from nbrelapse.report.wording import ENDPOINTS


@dataclass(frozen=True)
class ExplanationContent:
    """What an explanation report shows.

    Parameters
    ----------
    title, created : str
    model : str
        The model's family.
    endpoint : {"relapse", "efs", "os", "refractory"}
    explanation : Explanation
    catalogue : Catalogue
    pictures : dict of str to Picture
        ``mechanisms`` and ``beeswarm``.
    stability : Stability, optional
        Of the explanation, where the model has bootstrap refits.
    facts : dict
        Said of model and cohort, label by label.
    notes : sequence of str
    probability : ProbabilityImportance, optional
        What the mechanisms contribute to the probability.
    game : DataFrame, optional
        How far sums over features lie from the mechanisms' own game, see
        :func:`nbrelapse.explanation.checks`.
    caution : str
        What limits every number of the page, in a sentence at its top.
    """

    title: str
    created: str
    model: str
    endpoint: str
    explanation: Explanation
    catalogue: Catalogue
    pictures: Mapping[str, Picture]
    stability: Stability | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()
    probability: ProbabilityImportance | None = None
    game: pd.DataFrame | None = None
    caution: str = ""


def write_explanation_report(content: ExplanationContent, file: str | Path) -> Path:
    """Write an explanation as one HTML file that loads nothing from anywhere.

    Parameters
    ----------
    content : ExplanationContent
    file : path
        Written as :func:`nbrelapse.report.render._render` does.

    Returns
    -------
    Path
        The file.
    """
    return _render(
        "explanation.html",
        file,
        {
            "kind": "Explanation",
            "title": content.title,
            "created": content.created,
            "caution": content.caution,
            "subtitle": f"{model_title(content.model)}, {ENDPOINTS.get(content.endpoint, content.endpoint)}",
            "answer": _cohort_sentence(content.explanation, content.catalogue, content.stability),
            "scale": content.explanation.scale,
            "approximate": "" if content.explanation.exact else APPROXIMATE,
            "facts": content.facts,
            "rows": _mechanism_rows(content.explanation, content.catalogue, content.stability, content.probability),
            "points_title": "" if content.probability is None else content.probability.title,
            "mechanism_pairs": _cooccurrence_rows(mechanism_cooccurrence(content.explanation), content.catalogue),
            "stability": stability_sentences(content.stability),
            "agreement": disagreements(content.explanation, content.catalogue, content.endpoint, content.stability),
            "figures": {name: picture.data_uri for name, picture in content.pictures.items()},
            "notes": content.notes,
            "game": _game_rows(content.game, content.catalogue),
        },
    )


def explanation_figures(
    explanation: Explanation,
    catalogue: Catalogue,
    stability: Stability | None = None,
    groups: pd.Series | None = None,
) -> dict[str, Plot]:
    """Return the plots of what an explanation says of all its patients; no picture names one.

    Parameters
    ----------
    explanation : Explanation
    catalogue : Catalogue
    stability : Stability, optional
        Of the explanation.
    groups : Series, optional
        Risk groups of the patients, see :func:`nbrelapse.report.plots.mechanisms`.

    Returns
    -------
    dict of str to Plot
        For :func:`draw_figures`. ``mechanisms``, ``beeswarm`` and ``dependence``; ``risk_groups`` where a group has
        10 patients; ``cooccurrence`` where the model uses two mechanisms.
    """
    figures: dict[str, Plot] = {
        "mechanisms": partial(mechanism_bar, explanation, catalogue, stability),
        "beeswarm": partial(beeswarm, explanation, catalogue),
        "dependence": partial(dependence, explanation, catalogue),
    }
    if groups is not None and groups.value_counts().max() >= LEAST_PATIENTS:
        figures["risk_groups"] = partial(risk_group_heatmap, explanation, groups, catalogue)
    pairs = mechanism_cooccurrence(explanation)
    if len(pairs):
        figures["cooccurrence"] = partial(mechanism_cooccurrence_plot, pairs, catalogue)
    return figures
