"""The page of a saved model's evaluation on another cohort."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from nbrelapse.metrics.evaluation import Evaluation
from nbrelapse.report.case_mix_section import _case_mix_section
from nbrelapse.report.guard_sections import decisions_section
from nbrelapse.report.leaderboard import _leaderboard
from nbrelapse.report.plots.performance import decision_curve_plot, leaderboard_forest
from nbrelapse.report.render import Plot, _figure_data_uri, _render
from nbrelapse.report.wording import ENDPOINTS


@dataclass(frozen=True)
class EvaluationContent:
    """What the page shows; no patient identifier among it.

    Parameters
    ----------
    title, created : str
        Of the page; date and time as shown.
    endpoint : {"relapse", "efs", "os", "refractory"}
    model : str
        The saved model's name in the tables.
    evaluation : Evaluation
        Its ``utility`` is shown, too.
    verdicts : sequence
        From :func:`nbrelapse.report.verdict`, the one of all patients first.
    summary : sequence of str
        What stands below the first verdict.
    facts : dict
        What is said of the model and the patients, label by label.
    case_mix : mapping of str to DataFrame
        The tables of :class:`nbrelapse.scoring.CaseMix`; nothing is said of it without them.
    mechanisms : mapping of str to str
        Titles of the model's mechanisms.
    caution : str
        What limits every number of the page, in a sentence at its top.
    """

    title: str
    created: str
    endpoint: str
    model: str
    evaluation: Evaluation
    verdicts: Sequence[Any]
    summary: Sequence[str] = ()
    facts: dict[str, Any] = field(default_factory=dict)
    case_mix: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    mechanisms: Mapping[str, str] = field(default_factory=dict)
    caution: str = ""


def observed_concordance(evaluation: Evaluation, model: str) -> float:
    """Return the concordance of a model in all patients: cause-specific with competing events, else the leading one.

    NaN where there is none.
    """
    table = evaluation.metrics
    own = table[(table["model"] == model) & (table["population"] == "all")].set_index("metric")["value"]
    for name in ("cause_specific_c", evaluation.kind.leading_metric):
        if name in own.index and not math.isnan(own[name]):
            return float(own[name])
    return math.nan


def evaluation_figures(content: EvaluationContent) -> dict[str, Plot]:
    """Return the plots of an evaluation by name: the leaderboard, and net benefit where decisions were judged."""
    utility = content.evaluation.utility
    figures: dict[str, Plot] = {"leaderboard": partial(leaderboard_forest, content.evaluation, content.model)}
    if utility is not None and len(utility.decisions.net_benefit):
        figures["decision_curve"] = partial(decision_curve_plot, utility)
    return figures


def write_evaluation_report(content: EvaluationContent, file: str | Path) -> Path:
    """Write the evaluation of a saved model as one HTML file that loads nothing from anywhere.

    Parameters
    ----------
    content : EvaluationContent
    file : path
        Written whole or not at all.

    Returns
    -------
    Path
        The file.
    """
    evaluation, utility = content.evaluation, content.evaluation.utility
    return _render(
        "evaluation.html",
        file,
        {
            "kind": "Evaluation of a saved model",
            "title": content.title,
            "created": content.created,
            "caution": content.caution,
            "subtitle": ENDPOINTS.get(content.endpoint, content.endpoint),
            "verdicts": content.verdicts,
            "summary": content.summary,
            "notes": evaluation.notes,
            "boards": [
                _leaderboard(evaluation, population, content.model)
                for population in dict.fromkeys(evaluation.metrics["population"])
            ],
            "case_mix": _case_mix(content),
            "decisions": None if utility is None else decisions_section(utility),
            "facts": content.facts,
            "figures": {name: _figure_data_uri(plot()) for name, plot in evaluation_figures(content).items()},
        },
    )


def _case_mix(content: EvaluationContent) -> dict[str, Any] | None:
    if not content.case_mix:
        return None
    observed = observed_concordance(content.evaluation, content.model)
    features, figures = content.case_mix["case_mix"], content.case_mix["case_mix_figures"]
    return _case_mix_section(features, figures, content.mechanisms, observed, content.evaluation.kind.has_time)
