from __future__ import annotations

import html
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nbrelapse.report.patient_report import (
    PatientContent,
    PatientPrediction,
    SimilarPatients,
    _contribution_rows,
    _patient_summary,
    _range_sentences,
    write_patient_report,
)
from nbrelapse.report.wording import _signed

NOTICE = "For research use, not for treatment decisions."


def body(file: Path) -> str:
    """The words of a page, its style and pictures aside."""
    text = re.sub(r"<style>.*?</style>|<head>.*?</head>", "", file.read_text(encoding="utf-8"), flags=re.DOTALL)
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", text)))


@pytest.fixture
def prediction(patient_content: PatientContent) -> PatientPrediction:
    assert patient_content.prediction is not None
    return patient_content.prediction


def test_the_summary_stands_first_and_the_notice_at_both_ends(patient_report: Path) -> None:
    text = body(patient_report)
    assert text.count(NOTICE) == 2
    assert text.index(NOTICE) < text.index("The model predicts a probability") < text.index("what was observed")
    assert text.rindex(NOTICE) > text.index("Model and cohort")


def test_the_page_shows_risk_gaps_and_doubt(patient_report: Path) -> None:
    text = body(patient_report)
    assert re.search(r"\d+% \(31% to 68%\) predicted probability of relapse or progression by 5 years", text)
    assert "50% 40% to 60%" in text
    assert "The band is wide" in text
    assert "81% of what the model relies on is known" in text
    assert "Not assayed: rearrangements." in text
    assert "in training 1 to 60" in text
    assert "higher than that of over 99% of the training patients" in text
    assert "not established" in text
    assert "None of these agents is recommended" in text


def test_what_was_observed_stands_beside(patient_report: Path) -> None:
    text = body(patient_report)
    assert "in the 88 training patients of this patient's clinical group (Recorded risk group: high; 31 events)" in text
    assert "27 of the 50 training patients with the nearest predictions had the event" in text
    assert "41% to 58% by 5 years" in text
    assert "by 5 years 52% 38% to 66%" in text
    assert "lies beyond" not in text


def test_what_is_not_known_of_the_training_is_said(
    patient_content: PatientContent, prediction: PatientPrediction, tmp_path: Path
) -> None:
    assert isinstance(prediction.similar, SimilarPatients)
    bare = replace(prediction, group="no reason", similar="another reason")
    text = body(write_patient_report(replace(patient_content, prediction=bare), tmp_path / "bare.html"))
    assert "No observed curve of the clinical group is shown: no reason." in text
    assert "No outcome of training patients of like prediction is shown: another reason." in text
    beyond = replace(prediction, similar=replace(prediction.similar, beyond=True))
    text = body(write_patient_report(replace(patient_content, prediction=beyond), tmp_path / "beyond.html"))
    assert "lies beyond those of all training patients" in text


def test_contributions_add_up_on_both_scales(patient_content: PatientContent, prediction: PatientPrediction) -> None:
    rows = _contribution_rows(prediction, patient_content.catalogue)
    total = sum(float(row["value"].replace("−", "-")) for row in rows)
    assert total == pytest.approx(prediction.explanation.features.iloc[0].sum(), abs=0.005 * len(rows))
    points = sum(float(row["points"].removesuffix(" pp").replace("−", "-")) for row in rows)
    assert points == pytest.approx(100 * prediction.probability.features.iloc[0].sum(), abs=0.05 * len(rows))


def test_what_was_not_assayed_stands_apart_and_last(
    patient_content: PatientContent, prediction: PatientPrediction
) -> None:
    rows = _contribution_rows(prediction, patient_content.catalogue)
    assert [row["absent"] for row in rows] == [False] * (len(rows) - 1) + [True]
    missing = {row["title"]: row for row in rows[-1]["features"]}
    tert = missing["TERT rearrangement"]
    assert tert["seen"] == "not assayed"
    assert tert["value"] == _signed(prediction.explanation.features["telomere__tert_rearranged"].iloc[0])
    measured = [feature["seen"] for row in rows[:-1] for feature in row["features"]]
    assert "not assayed" not in measured
    assert len(measured) + len(missing) == prediction.explanation.features.shape[1]


def test_the_summary_names_only_what_the_refits_bear_out(
    patient_content: PatientContent, prediction: PatientPrediction
) -> None:
    table = pd.DataFrame(
        {"value": [0.9, 0.3, -0.4, 0.01, 0.5], "established": [True, False, True, True, True]},
        index=["mycn", "alk", "p53", "clinical", "not_assayed"],
    )
    summary = _patient_summary(replace(patient_content, prediction=replace(prediction, intervals=table)))
    assert (summary.raising, summary.lowering, summary.unsettled) == (["MYCN amplification"], ["p53 pathway"], ["ALK"])
    assert (summary.horizon_years, summary.out_of_range) == (5.0, ["Age at diagnosis"])


@pytest.mark.parametrize(
    ("unlike", "said", "summed_up"),
    [
        (97.0, "97% of them lie nearer to their mean; of new patients as those in training, 5 in 100", True),
        (40.0, "Like the training patients: by what is known of this patient, 40% of them lie nearer", False),
        (np.nan, "Whether this patient is like the training patients is not known", False),
    ],
)
def test_the_page_says_whether_the_patient_is_like_those_of_the_training(
    patient_content: PatientContent,
    prediction: PatientPrediction,
    tmp_path: Path,
    unlike: float,
    said: str,
    summed_up: bool,
) -> None:
    values = prediction.explanation.values.assign(clinical__age_months=130.4, mycn__amplified=1.0)
    own = replace(prediction, explanation=replace(prediction.explanation, values=values), unlike=unlike)
    text = body(write_patient_report(replace(patient_content, prediction=own), tmp_path / "patient.html"))
    assert said in text
    assert ("On the whole, this patient is unlike the training patients." in text) == summed_up
    named = "Age at diagnosis 130 (in training mean 18.3); MYCN amplified yes (in training yes in 25%)."
    assert (f"Least expected, given the other values: {named}" in text) == summed_up
    bare = replace(own, surprising=own.surprising.iloc[:0])
    text = body(write_patient_report(replace(patient_content, prediction=bare), tmp_path / "patient.html"))
    assert ("No single value stands out" in text) == summed_up


def test_a_value_out_of_range_comes_with_the_range(
    patient_content: PatientContent, prediction: PatientPrediction
) -> None:
    values = prediction.explanation.values.assign(clinical__age_months=130.4)
    outside = replace(prediction, explanation=replace(prediction.explanation, values=values))
    assert _range_sentences(outside, patient_content.catalogue) == ["Age at diagnosis: 130; in training 1 to 60"]


def test_where_too_little_is_known_there_is_no_number(unscored_report: Path) -> None:
    text = body(unscored_report)
    assert "No score is given" in text
    assert "Not assayed: rearrangements." in text
    said = text[text.index("In short") : text.index("Model and cohort")]
    assert not re.search(r"\d", said)
    assert "<img" not in unscored_report.read_text(encoding="utf-8")


def test_a_binary_endpoint_has_no_years(
    patient_content: PatientContent, prediction: PatientPrediction, tmp_path: Path
) -> None:
    probability = replace(prediction.probability, horizon_days=None)
    explanation = replace(prediction.explanation, scale="log odds")
    share = pd.DataFrame([[None, 0.4, 0.26, 0.55]], columns=["years", "incidence", "low", "high"])
    binary = replace(
        prediction,
        explanation=explanation,
        probability=probability,
        probabilities={"by the end of induction": (0.4, 0.3, 0.5)},
        similar=SimilarPatients(None, 0.3, 0.5, 50, 20, share),
        group="none",
        figures={},
    )
    content = replace(patient_content, endpoint="refractory", prediction=binary)
    text = body(write_patient_report(content, tmp_path / "patient.html"))
    assert "(31% to 68%) predicted probability of refractory disease by the end of induction" in text
    assert "years" not in text
    assert "follow-up" not in text
    assert "by the end of induction 40% 26% to 55%" in text
    assert "Log odds" in text


def test_nothing_drives(patient_content: PatientContent, prediction: PatientPrediction, tmp_path: Path) -> None:
    still = replace(prediction.explanation, features=prediction.explanation.features * 0.0)
    table = pd.DataFrame({"value": [0.0], "low": [np.nan], "high": [np.nan], "established": [False]}, index=["mycn"])
    content = replace(patient_content, prediction=replace(prediction, explanation=still, intervals=table))
    text = body(write_patient_report(content, tmp_path / "patient.html"))
    assert "Nothing that was measured moves the risk noticeably." in text
    assert "Nothing that was measured raises the risk noticeably." in text
