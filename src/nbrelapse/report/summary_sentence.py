"""One patient's prediction in plain words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nbrelapse.report.wording import percent

WIDE_BAND = 0.30
"""Width of the band of a probability from which the summary warns of it. A choice."""

_NAMED = 3
"""Mechanisms named on each side; the tables have all of them."""


@dataclass(frozen=True)
class PatientSummary:
    """What the summary of one patient is made of.

    Parameters
    ----------
    event : str
        What is predicted, in words: ``relapse or progression``.
    probability : (float, float, float) or None
        Of the event: value, and the limits that hold 95% of the refits. None: too little is known, there is no score.
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


def summary_sentence(summary: PatientSummary) -> str:
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
    >>> summary_sentence(PatientSummary("death", (0.62, 0.51, 0.7), 91.0, raising=["MYCN amplification"]))
    'The model predicts a probability of death of 62% within 5 years of diagnosis (95% of the refits: 51% to 70%),
    a higher risk than that of 91% of the training patients. Of what was measured, MYCN amplification raises the risk.'
    >>> summary_sentence(PatientSummary("death", None, float("nan"), missing_assays=["expression"]))
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
        ]
    )


def _prediction(summary: PatientSummary, value: float, low: float, high: float) -> str:
    return (
        f"The model predicts a probability of {summary.event} of {percent(value)}{_when(summary)} (95% of the refits: "
        f"{percent(low)} to {percent(high)}), a higher risk than that of {percent(summary.percentile / 100)} of the "
        "training patients."
    )


def _when(summary: PatientSummary) -> str:
    years = summary.horizon_years
    if years is None:
        return " by the end of induction"
    start = f"day {summary.landmark_days:g}" if summary.landmark_days else "diagnosis"
    return f" within {years:.3g} year{'' if years == 1 else 's'} of {start}"


def _band(low: float, high: float) -> list[str]:
    wide = high - low >= WIDE_BAND
    return ["The band is wide: a cohort of this size does not settle the number."] if wide else []


def _landmark(days: float) -> list[str]:
    return [f"It holds for patients without an event on day {days:g}, and years count from then."] if days else []


def _drivers(summary: PatientSummary) -> list[str]:
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
