from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from nbrelapse.report.summary_sentence import PatientSummary, summary_sentence

SCORED = PatientSummary("relapse or progression", (0.62, 0.5, 0.7), 91.2)
NUMBER = re.compile(r"\d")


def test_a_score_says_probability_band_and_place() -> None:
    assert summary_sentence(SCORED) == (
        "The model predicts a probability of relapse or progression of 62% within 5 years of diagnosis (95% of the "
        "refits: 50% to 70%), a higher risk than that of 91% of the training patients. Nothing that was measured moves "
        "the risk noticeably."
    )


def test_without_a_score_there_is_no_number() -> None:
    text = summary_sentence(PatientSummary("death", None, np.nan, missing_assays=["expression", "fish"]))
    assert text.startswith("No score is given: too little")
    assert text.endswith("Not assayed: expression, fish.")
    assert not NUMBER.search(text)


def test_nothing_is_certain() -> None:
    text = summary_sentence(replace(SCORED, probability=(0.999, 0.996, 1.0), percentile=100.0))
    assert "of over 99% within" in text
    assert "100%" not in text
    assert " 0%" not in summary_sentence(replace(SCORED, probability=(0.0, 0.0, 0.001), percentile=0.0))


def test_a_wide_band_is_said() -> None:
    assert "The band is wide" in summary_sentence(replace(SCORED, probability=(0.5, 0.3, 0.61)))
    assert "The band is wide" not in summary_sentence(replace(SCORED, probability=(0.5, 0.4, 0.69)))


def test_mechanisms_are_named_by_side_and_the_unsettled_apart() -> None:
    drivers = replace(SCORED, raising=["A", "B", "C", "D"], lowering=["E"], unsettled=["F", "G"])
    text = summary_sentence(drivers)
    assert "Of what was measured, A, B and C raise the risk; E lowers it." in text
    assert "Whether F and G move it is not established." in text
    assert "Nothing that was measured" not in text
    assert "Of what was measured, E lowers the risk." in summary_sentence(replace(SCORED, lowering=["E"]))
    assert "Whether F moves it is not established." in summary_sentence(replace(SCORED, unsettled=["F"]))


def test_gaps_and_extrapolation_are_said() -> None:
    text = summary_sentence(replace(SCORED, missing_assays=["mutations"], out_of_range=["Age"]))
    assert "Not assayed: mutations. One value lies outside the range" in text
    assert "2 values lie outside" in summary_sentence(replace(SCORED, out_of_range=["Age", "Stage"]))


def test_a_binary_endpoint_has_no_years() -> None:
    text = summary_sentence(replace(SCORED, event="refractory disease", horizon_years=None))
    assert "of refractory disease of 62% by the end of induction (95%" in text


def test_a_landmark_is_said() -> None:
    text = summary_sentence(replace(SCORED, landmark_days=120.0, horizon_years=1.0))
    assert "within 1 year of day 120 (" in text
    assert "It holds for patients without an event on day 120, and years count from then." in text
