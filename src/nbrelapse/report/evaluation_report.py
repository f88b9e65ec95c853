"""The page of a saved model's evaluation on another cohort."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from nbrelapse.metrics.evaluation import Evaluation
from nbrelapse.report.facts import _leaderboard
from nbrelapse.report.guard_sections import decisions_section
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
    """

    title: str
    created: str
    endpoint: str
    model: str
    evaluation: Evaluation
    verdicts: Sequence[Any]
    summary: Sequence[str] = ()
    facts: dict[str, Any] = field(default_factory=dict)


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
            "subtitle": ENDPOINTS.get(content.endpoint, content.endpoint),
            "verdicts": content.verdicts,
            "summary": content.summary,
            "notes": evaluation.notes,
            "boards": [
                _leaderboard(evaluation, population, content.model)
                for population in dict.fromkeys(evaluation.metrics["population"])
            ],
            "decisions": None if utility is None else decisions_section(utility),
            "facts": content.facts,
            "figures": {name: _figure_data_uri(plot()) for name, plot in evaluation_figures(content).items()},
        },
    )
