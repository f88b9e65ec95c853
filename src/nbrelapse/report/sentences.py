"""Sentences of reports: a patient's prediction, the verdict on a model, the stability of an explanation."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from nbrelapse.explanation.stability import Stability
from nbrelapse.metrics.evaluation import chosen_difference, figure_spread
from nbrelapse.metrics.horizons import YEAR
from nbrelapse.metrics.table import METRICS, Metric, metric_title, population_in_words
from nbrelapse.models.families import model_title
from nbrelapse.report.wording import _percent, _signed

if TYPE_CHECKING:
    from nbrelapse.explanation.explanation import Explanation
    from nbrelapse.mechanisms.catalogue import Catalogue
    from nbrelapse.metrics.choice import ChosenDifference, FamilyChoice
    from nbrelapse.metrics.evaluation import Evaluation

_WIDE_BAND = 0.30
"""Width of the band of a probability from which the summary warns of it. A choice."""

_NAMED = 3
"""Mechanisms named on each side; the tables have all of them."""

_UNLIKE = 95.0
"""Per cent of the training patients who are nearer to their mean, from which a patient is called unlike. A choice."""


@dataclass(frozen=True)
class _PatientSummary:
    """What the summary of one patient is made of.

    Parameters
    ----------
    event : str
        What is predicted, in words: ``relapse or progression``.
    probability : (float, float, float) or None
        Of the event: value, and the limits of its 95% band. None: too little is known, there is no score.
    percentile : float
        Of the log risk among the training patients, 0 to 100.
    horizon_years : float or None
        None: a binary endpoint.
    landmark_days : float
        Days from diagnosis from which years count; 0: diagnosis.
    raising, lowering, unsettled : sequence of str
        Mechanisms whose measured features move the risk, the largest first: up, down, and those that the refits
        contradict.
    missing_assays, out_of_range : sequence of str
        Assays that were not done, features outside the range of the training patients.
    unlike : float
        Per cent of the training patients whose features lie nearer to their mean; NaN where it is not known.
    """

    event: str
    probability: tuple[float, float, float] | None
    percentile: float
    horizon_years: float | None = 5.0
    landmark_days: float = 0.0
    raising: Sequence[str] = ()
    lowering: Sequence[str] = ()
    unsettled: Sequence[str] = ()
    missing_assays: Sequence[str] = ()
    out_of_range: Sequence[str] = ()
    unlike: float = math.nan


def _summary_sentence(summary: _PatientSummary) -> str:
    """Say in a few sentences what a model predicts for a patient, why, and what to doubt.

    Without a score no number is said.

    Parameters
    ----------
    summary : PatientSummary

    Returns
    -------
    str

    Examples
    --------
    >>> _summary_sentence(_PatientSummary("death", (0.62, 0.51, 0.7), 91.0, raising=["MYCN amplification"]))
    'The model predicts a probability of death of 62% within 5 years of diagnosis (95% band: 51% to 70%),
    a higher risk than that of 91% of the training patients. Of what was measured, MYCN amplification raises the risk.'
    >>> _summary_sentence(_PatientSummary("death", None, float("nan"), missing_assays=["expression"]))
    'No score is given: too little of what the model relies on is known of this patient. Not assayed: expression.'
    """
    missing = [f"Not assayed: {', '.join(summary.missing_assays)}."] if summary.missing_assays else []
    if summary.probability is None:
        no_score = "No score is given: too little of what the model relies on is known of this patient."
        return " ".join([no_score, *missing])
    return " ".join(
        [
            _prediction(summary, *summary.probability),
            *_band(*summary.probability[1:]),
            *_landmark(summary.landmark_days),
            *_drivers(summary),
            *missing,
            *_outside(summary.out_of_range),
            *(["On the whole, this patient is unlike the training patients."] if summary.unlike >= _UNLIKE else []),
        ]
    )


def _prediction(summary: _PatientSummary, value: float, low: float, high: float) -> str:
    band = "" if math.isnan(low) else f" (95% band: {_percent(low)} to {_percent(high)})"
    return (
        f"The model predicts a probability of {summary.event} of {_percent(value)}{_when(summary)}{band}, a "
        f"{_place(summary.percentile, ' risk than that of')}."
    )


def _place(percentile: float, than: str) -> str:
    """Say where a risk lies among those of the training patients, by the larger side of them.

    Examples
    --------
    >>> _place(91.2, " than that of"), _place(9.0, " than that of"), _place(0.0, " risk than that of")
    ('higher than that of 91% of the training patients', 'lower than that of 91% of the training patients',
     'lower risk than that of over 99% of the training patients')
    """
    side, share = ("higher", percentile) if percentile >= 50 else ("lower", 100 - percentile)
    return f"{side}{than} {_percent(share / 100)} of the training patients"


def _when(summary: _PatientSummary) -> str:
    years = summary.horizon_years
    if years is None:
        return " by the end of induction"
    start = f"day {summary.landmark_days:g}" if summary.landmark_days else "diagnosis"
    return f" within {years:.3g} year{'' if years == 1 else 's'} of {start}"


def _band(low: float, high: float) -> list[str]:
    wide = high - low >= _WIDE_BAND
    return ["The band is wide: a cohort of this size does not settle the number."] if wide else []


def _landmark(days: float) -> list[str]:
    return [f"It holds for patients without an event on day {days:g}, and years count from then."] if days else []


def _drivers(summary: _PatientSummary) -> list[str]:
    up, down = (_listed(names[:_NAMED]) for names in (summary.raising, summary.lowering))
    moves = []
    if up:
        moves.append(f"{up} raise{'s' * (len(summary.raising) == 1)} the risk")
    if down:
        moves.append(f"{down} lower{'s' * (len(summary.lowering) == 1)} {'it' if up else 'the risk'}")
    said = [f"Of what was measured, {'; '.join(moves)}."] if moves else []
    if summary.unsettled:
        named = _listed(summary.unsettled[:_NAMED])
        said.append(f"Whether {named} move{'s' * (len(summary.unsettled) == 1)} it is not established.")
    return said or ["Nothing that was measured moves the risk noticeably."]


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]])) if names else ""


def _outside(names: Sequence[str]) -> list[str]:
    if not names:
        return []
    what = "One value lies" if len(names) == 1 else f"{len(names)} values lie"
    return [f"{what} outside the range of the training patients: the prediction extrapolates."]


def _unlike_sentence(unlike: float, surprises: Sequence[str]) -> str:
    """Say whether a patient is unlike the training patients, and by what.

    Parameters
    ----------
    unlike : float
        Per cent of the training patients whose features lie nearer to their mean; NaN where it is not known.
    surprises : sequence of str
        Values that are unexpected in training, the most unexpected first.

    Examples
    --------
    >>> _unlike_sentence(97.2, ["Breakpoints 5.3 (in training mean 1.9)"])
    'Unlike the training patients: by what is known of this patient, 97% of them lie nearer to their mean; of new
    patients as those in training, 5 in 100 are called unlike by chance. Least expected, given the other values:
    Breakpoints 5.3 (in training mean 1.9).'
    >>> _unlike_sentence(40.0, [])
    'Like the training patients: by what is known of this patient, 40% of them lie nearer to their mean.'
    """
    if math.isnan(unlike):
        return "Whether this patient is like the training patients is not known: the model keeps no record of them."
    nearer = f"by what is known of this patient, {_percent(unlike / 100)} of them lie nearer to their mean"
    if unlike < _UNLIKE:
        return f"Like the training patients: {nearer}."
    said = (
        f"Unlike the training patients: {nearer}; of new patients as those in training, 5 in 100 are called unlike by "
        "chance."
    )
    if surprises:
        return f"{said} Least expected, given the other values: {'; '.join(surprises[:_NAMED])}."
    return f"{said} No single value stands out: it is how they go together."


@dataclass(frozen=True)
class _Verdict:
    """Whether a model is better than the strongest clinical baseline.

    Parameters
    ----------
    answer : {"better", "not shown", "worse", "no comparison"}
        "better" and "worse" only where the whole 95% interval of the difference lies on one side of 0, for a metric of
        which less is better the lower one, and "better" in ranking only where the difference is one that matters, 0.01
        at least. "no comparison" also of a metric whose best value has worse ones on both sides: a difference does not
        say which of two is nearer to it.
    headline : str
        A few words.
    sentence : str
        With the figures.
    difference, low, high : float
        Of the metric, after the choice of the family (:func:`nbrelapse.metrics.chosen_difference`); NaN without a
        comparison.
    families : int
        That the model was chosen among.
    """

    answer: str
    headline: str
    sentence: str
    difference: float
    low: float
    high: float
    families: int = 1


def verdict(evaluation: Evaluation, model: str, population: str = "all", metric: str | None = None) -> _Verdict:
    """Compare a model with the strongest clinical baseline of a population, the strongest by the same metric.

    Parameters
    ----------
    evaluation : Evaluation
    model : str
    population : {"all", "high_risk"}
    metric : str, optional
        A key of ``METRICS``; by default Harrell's C, or the AUC of a binary endpoint.

    Returns
    -------
    Verdict
    """
    judged_by = METRICS[metric or evaluation.kind.leading_metric]
    metric = judged_by.name
    where = population_in_words(population)
    found = chosen_difference(evaluation, model, population, metric)
    if found is None:
        nothing = float("nan")
        sentence = _no_comparison(evaluation, model, population, metric)
        return _Verdict("no comparison", "No comparison with the clinic", sentence, nothing, nothing, nothing)
    reference, difference, low, high = found.reference, found.difference, found.low, found.high
    own, other = (_value(evaluation.metrics, name, population, metric) for name in (model, reference))
    named = judged_by.title + ("" if judged_by.sense == 1 else f" ({judged_by.direction})")
    if judged_by.sense == 0:
        sentence = (
            f"Among {where}, {model_title(model)} has a {named} of {own:.3f}, {model_title(reference)}, the strongest "
            f"clinical baseline, one of {other:.3f}: the interval of their difference does not say which is nearer to "
            f"{judged_by.best:g}, so neither is called better."
        )
        headline = f"No comparison with the clinical baseline, by {judged_by.title}"
        return _Verdict("no comparison", headline, sentence, difference, low, high, found.families)
    answer, headline, words = _judge(low, high, difference, judged_by)
    if metric != evaluation.kind.leading_metric:
        headline += f", by {judged_by.title}"
    sentence = (
        f"Among {where}, {model_title(model)} {words} {model_title(reference)}, the strongest clinical baseline: "
        f"{named} {own:.3f} against {other:.3f}, difference {_signed(found.observed, 3)}{_after_choice(found)} "
        f"(95% interval {_signed(low, 3)} to {_signed(high, 3)}{_among(found)})."
    )
    if metric == evaluation.kind.leading_metric:
        unstable = _unstable(evaluation, model, population, reference)
        headline += ", unstable" if unstable and answer != "not shown" else ""
        sentence += unstable
    return _Verdict(answer, headline, sentence, difference, low, high, found.families)


def _after_choice(found: ChosenDifference) -> str:
    return f", {_signed(found.difference, 3)} corrected for the choice" if found.corrected else ""


def _among(found: ChosenDifference) -> str:
    if found.families < 2:
        return ""
    role = "chosen among" if found.corrected else "one of"
    return f"; {role} {found.families} families, the interval carries the choice"


def _unstable(evaluation: Evaluation, model: str, population: str, reference: str) -> str:
    """Say that other folds make a model's figure that of a model without any feature; begins with a space."""
    spread = figure_spread(evaluation, model, population)
    if spread is None:
        return ""
    title = metric_title(evaluation.kind.leading_metric)
    clinic = _value(evaluation.metrics, reference, population, evaluation.kind.leading_metric)
    over = f"over {spread.repeats} divisions into folds {title} runs from {spread.lowest:.3f} to {spread.highest:.3f}"
    reasons = []
    if spread.empty:
        use = "uses" if spread.empty == 1 else "use"
        reasons.append(
            f"{spread.empty} of {spread.folds} models that were tuned on parts of the patients {use} no feature at all"
        )
    if spread.holds(0.5):
        reasons.append(f"{over}, which holds the 0.5 of a model without any feature")
    elif spread.holds(clinic):
        reasons.append(f"{over}, which holds the {clinic:.3f} of the clinical baseline alone")
    return f" Unstable: {'; '.join(reasons)}." if reasons else ""


_NO_RANKING = 0.5
"""What chance gives in the metrics that judge a ranking."""
_SMALLEST_GAIN = 0.01
"""A choice: a smaller gain in concordance changes the order of fewer than one in a hundred pairs of patients."""


def _no_comparison(evaluation: Evaluation, model: str, population: str, metric: str) -> str:
    where = population_in_words(population)
    table = evaluation.metrics[evaluation.metrics["population"] == population].dropna(subset=["value"])
    if table.empty:
        return f"There are too few patients or events to judge {model_title(model)} among {where}."
    if not ((table["model"] == model) & (table["metric"] == metric)).any():
        return f"{metric_title(metric)} of {model_title(model)} has no value among {where}."
    return f"There is no clinical baseline to compare {model_title(model)} with among {where}."


def _judge(low: float, high: float, difference: float, metric: Metric) -> tuple[str, str, str]:
    """Return the answer, a headline, and what the model does, of a difference and its interval.

    Examples
    --------
    >>> _judge(-0.03, -0.01, -0.02, METRICS["brier_5y"])
    ('better', 'Better than the clinical baseline', 'predicts the probability better than')
    >>> _judge(0.001, 0.009, 0.005, METRICS["harrell_c"])[0]
    'not shown'
    """
    low, high = sorted((metric.sense * low, metric.sense * high))
    does = re.sub(r"^be\b|^\w+", lambda verb: "is" if verb[0] == "be" else f"{verb[0]}s", metric.ability)
    if low > 0 and metric.chance == _NO_RANKING and difference < _SMALLEST_GAIN:
        return "not shown", "Hardly better than the clinical baseline", "ranks patients by less than 0.01 better than"
    if low > 0:
        return "better", "Better than the clinical baseline", f"{does} better than"
    if high < 0:
        return "worse", "Worse than the clinical baseline", f"{does} worse than"
    shown = f"is not shown to {metric.ability} better than"
    return "not shown", "Not shown to be better than the clinical baseline", shown


def _value(metrics: pd.DataFrame, model: str, population: str, metric: str) -> float:
    chosen = (metrics["model"] == model) & (metrics["population"] == population) & (metrics["metric"] == metric)
    return float(metrics.loc[chosen, "value"].iloc[0])


def choice_sentence(choice: FamilyChoice, metric: str, families: Sequence[str]) -> str:
    """Say which family was chosen, by what, and whether it was a tie.

    Parameters
    ----------
    choice : FamilyChoice
    metric : str
        That the families were compared by.
    families : sequence of str

    Examples
    --------
    >>> from nbrelapse.metrics import FamilyChoice
    >>> tie = FamilyChoice("ensemble", "boosted", "ensemble", 0.003, 0.008, "ensemble")
    >>> choice_sentence(tie, "harrell_c", ["ensemble", "boosted"]).split(": ")[-1]
    'a tie, which goes to the family that was fixed in advance.'
    """
    said = (
        f"{len(families)} model famil{'y was' if len(families) == 1 else 'ies were'} compared by "
        f"{metric_title(metric)} in nested cross-validation of the training patients, and "
        f"{model_title(choice.family)} was chosen. "
    )
    if not choice.other:
        return said.rstrip()
    apart = f"{choice.difference:.3f}"
    if choice.family != choice.leader:
        return said + (
            f"{model_title(choice.leader)} led it by {apart}, within the standard error of that difference "
            f"({choice.error:.3f}): a tie, which goes to the family that was fixed in advance."
        )
    if choice.tie:
        return said + (
            f"It led {model_title(choice.other)} by {apart}, within the standard error of that difference "
            f"({choice.error:.3f}): a tie{'' if choice.default else ', decided by chance'}."
        )
    return f"{said}It led {model_title(choice.other)} by {apart} (standard error {choice.error:.3f})."


def _cohort_sentence(explanation: Explanation, catalogue: Catalogue, stability: Stability | None = None) -> str:
    """Say in a sentence which mechanisms drive the predictions of a cohort, and of which the refits agree.

    Examples
    --------
    >>> from nbrelapse import Cox, build_features, explain, make_outcome, simulate_cohort
    >>> cohort = simulate_cohort(90, seed=1)
    >>> X, y = build_features(cohort), make_outcome(cohort, "relapse")
    >>> found = explain(Cox(penalty=0.05).fit(X, y), X)
    >>> _cohort_sentence(found, found.catalogue)[-65:]
    'o the predictions of these 90 patients: 54% of all contributions.'
    """
    size = explanation.mechanism_importance()
    size = size[size > 0]
    n = len(explanation.prediction)
    if size.empty:
        return f"The model gives these {n} patients the same risk: no mechanism contributes."
    first = [catalogue.mechanisms[str(name)].title for name in size.index[:3]]
    share = size.iloc[: len(first)].sum() / size.sum()
    whom = f"the predictions of these {n} patients"
    said = f"{_listed(first)} contribute most to {whom}: {share:.0%} of all contributions."
    if len(first) == 1:
        said = f"{first[0]} alone contributes to {whom}."
    if stability is not None:
        held = stability.mechanisms["status"].reindex(size.index) == "established"
        said += f" In {int(held.sum())} of {len(size)} mechanisms the refits agree on an effect."
    return said


def stability_sentences(stability: Stability | None) -> list[str]:
    """Say under a table of mechanisms what its intervals hold and what they do not; nothing without refits.

    Parameters
    ----------
    stability : Stability or None

    Returns
    -------
    list of str
    """
    if stability is None:
        return []
    kendall = stability.rank_agreement["kendall"]
    ranks = f"Two refits order the mechanisms with a median Kendall's tau of {kendall['refits']:.2f}"
    if "folds" in kendall.index:
        ranks += f", two of {stability.n_folds} refits without a fold with {kendall['folds']:.2f}"
    tau = "" if pd.isna(kendall["refits"]) else f"{ranks}; 1 is the same order, 0 is chance."
    first = (
        f"Intervals hold 95% of {stability.n_refits} bootstrap refits, which explained {stability.n_patients} patients "
        "with the tuned parameters kept. A mean of absolute contributions is never 0 and rises with noise, so its "
        "interval does not say whether a mechanism has an effect. The column Effect does: established where at least "
        "95% of the refits differ from the model by less than the mechanism's own spread over patients, suggested from "
        "80%, undecided below, where it cannot be told from noise."
    )
    given = (
        "Refits of a model that starts from the literature, or is held to its directions, share what they were given: "
        "that they agree with it, and with each other, is then no finding of these patients."
    )
    return [first, *([tau] if tau else []), given]


def _established_sentence(features: pd.DataFrame) -> str:
    """Say how many signs are established, with the catalogue and against it.

    Parameters
    ----------
    features : DataFrame
        Rows of :attr:`nbrelapse.explanation.Stability.features` that agree or disagree with the catalogue.

    Returns
    -------
    str
        Begins with a space.

    Examples
    --------
    >>> table = pd.DataFrame({"agrees": [True, False], "status": ["established", "undecided"]})
    >>> _established_sentence(table)[:70]
    ' Established (the same sign in at least 95% of the refits) are 1 of th'
    """
    sure = features["status"] == "established"
    agrees = features["agrees"].astype(bool)
    return (
        f" Established (the same sign in at least 95% of the refits) are {int((sure & agrees).sum())} of those that "
        f"agree and {int((sure & ~agrees).sum())} of those that do not; of features without any effect about one in "
        "ten would be."
    )


@dataclass(frozen=True)
class ProbabilityImportance:
    """Mean absolute contributions to the probability of the event.

    Parameters
    ----------
    mechanisms : dict of str to (float or None)
        By mechanism; None where nobody has a probability.
    horizon_days : float or None
        Days by which the event is to happen; None for a binary endpoint.

    Examples
    --------
    >>> found = ProbabilityImportance({"mycn": 0.0421, "alk": None}, 1826.25)
    >>> found.points("mycn"), found.points("alk"), found.title
    ('4.2', '–', '% points by 5 years')
    """

    mechanisms: Mapping[str, float | None]
    horizon_days: float | None

    @property
    def title(self) -> str:
        """The head of its column."""
        if self.horizon_days is None:
            return "% points"
        years = f"{self.horizon_days / YEAR:.3g}"
        return f"% points by {years} year{'' if years == '1' else 's'}"

    def points(self, mechanism: str) -> str:
        """Write the figure of a mechanism."""
        value = self.mechanisms.get(mechanism)
        return "–" if value is None else f"{100 * value:.1f}"
