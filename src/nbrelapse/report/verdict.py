"""Whether the model beats the clinic: in words, from the paired difference and its interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from nbrelapse.report.wording import METRICS, POPULATIONS, model_title, signed
from nbrelapse.validation.leading_metric import leading_metric
from nbrelapse.validation.metric_kind import MetricKind

if TYPE_CHECKING:
    from nbrelapse.validation.evaluate import Evaluation


@dataclass(frozen=True)
class Verdict:
    """Whether a model is better than the strongest clinical baseline.

    Parameters
    ----------
    answer : {"better", "not shown", "worse", "no comparison"}
        "better" and "worse" only where the whole 95% interval of the difference lies on one side of 0.
    headline : str
        A few words.
    sentence : str
        With the figures.
    difference, low, high : float
        Of the metric; NaN without a comparison.
    """

    answer: str
    headline: str
    sentence: str
    difference: float
    low: float
    high: float


def strongest_reference(evaluation: Evaluation, population: str, metric: str | None = None) -> str | None:
    """Return the reference model with the best value (of the leading metric) in a population; None without one."""
    metric = metric or leading_metric(evaluation.metrics)
    references = set(evaluation.differences["reference"])
    table = evaluation.metrics
    table = table[
        (table["population"] == population) & (table["metric"] == metric) & table["model"].isin(references)
    ].dropna(subset=["value"])
    return None if table.empty else str(MetricKind.of(metric).goodness(table.set_index("model")["value"]).idxmax())


def verdict(evaluation: Evaluation, model: str, population: str = "all", metric: str | None = None) -> Verdict:
    """Compare a model with the strongest clinical baseline of a population.

    Parameters
    ----------
    evaluation : Evaluation
    model : str
    population : {"all", "high_risk"}
    metric : str, optional
        A metric of which more is better; by default Harrell's C, or the AUC of a binary endpoint.

    Returns
    -------
    Verdict
    """
    metric = metric or leading_metric(evaluation.metrics)
    where = POPULATIONS.get(population, population).lower()
    reference = strongest_reference(evaluation, population, metric)
    table = evaluation.differences
    found = table[
        (table["model"] == model)
        & (table["reference"] == reference)
        & (table["population"] == population)
        & (table["metric"] == metric)
    ].dropna(subset=["difference", "low", "high"])
    if reference is None or found.empty:
        nothing = float("nan")
        judged = population in set(evaluation.metrics["population"])
        sentence = (
            f"There is no clinical baseline to compare {model_title(model)} with among {where}."
            if judged
            else f"There are too few patients or events to judge {model_title(model)} among {where}."
        )
        return Verdict("no comparison", "No comparison with the clinic", sentence, nothing, nothing, nothing)
    row = found.iloc[0]
    answer, headline, words = _judge(float(row["low"]), float(row["high"]))
    sentence = (
        f"Among {where}, {model_title(model)} {words} {model_title(reference)}, the strongest clinical baseline: "
        f"{METRICS.get(metric, metric)} {_value(evaluation.metrics, model, population, metric):.3f} against "
        f"{_value(evaluation.metrics, reference, population, metric):.3f}, difference {signed(row['difference'], 3)} "
        f"(95% interval {signed(row['low'], 3)} to {signed(row['high'], 3)})."
    )
    return Verdict(answer, headline, sentence, float(row["difference"]), float(row["low"]), float(row["high"]))


def _judge(low: float, high: float) -> tuple[str, str, str]:
    if low > 0:
        return "better", "Better than the clinical baseline", "ranks patients better than"
    if high < 0:
        return "worse", "Worse than the clinical baseline", "ranks patients worse than"
    return "not shown", "Not shown to be better than the clinical baseline", "is not shown to rank patients better than"


def _value(metrics: pd.DataFrame, model: str, population: str, metric: str) -> float:
    chosen = (metrics["model"] == model) & (metrics["population"] == population) & (metrics["metric"] == metric)
    return float(metrics.loc[chosen, "value"].iloc[0])
