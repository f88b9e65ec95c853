from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nbrelapse.explanation.explanation import Explanation
from nbrelapse.explanation.stability import Stability
from nbrelapse.mechanisms.catalogue import Catalogue
from nbrelapse.metrics.evaluation import Evaluation, strongest_reference
from nbrelapse.metrics.horizons import YEAR
from nbrelapse.metrics.table import METRICS
from nbrelapse.report.facts import _mechanism_rows, disagreements
from nbrelapse.report.sentences import (
    ProbabilityImportance,
    _established_sentence,
    _PatientSummary,
    _summary_sentence,
    stability_sentences,
    verdict,
)

SCORED = _PatientSummary("relapse or progression", (0.62, 0.5, 0.7), 91.2)
NUMBER = re.compile(r"\d")


def test_a_score_says_probability_band_and_place() -> None:
    assert _summary_sentence(SCORED) == (
        "The model predicts a probability of relapse or progression of 62% within 5 years of diagnosis (95% band: "
        "50% to 70%), a higher risk than that of 91% of the training patients. Nothing that was measured moves "
        "the risk noticeably."
    )


@pytest.mark.parametrize(
    ("percentile", "said"),
    [
        (9.0, "a lower risk than that of 91% of the training patients"),
        (0.0, "a lower risk than that of over 99% of the training patients"),
        (49.9, "a lower risk than that of 50% of the training patients"),
        (50.0, "a higher risk than that of 50% of the training patients"),
        (72.4, "a higher risk than that of 72% of the training patients"),
    ],
)
def test_a_place_is_said_by_the_larger_side(percentile: float, said: str) -> None:
    assert said in _summary_sentence(replace(SCORED, percentile=percentile))


def test_without_a_score_there_is_no_number() -> None:
    text = _summary_sentence(_PatientSummary("death", None, np.nan, missing_assays=["expression", "fish"]))
    assert text.startswith("No score is given: too little")
    assert text.endswith("Not assayed: expression, fish.")
    assert not NUMBER.search(text)


def test_nothing_is_certain() -> None:
    text = _summary_sentence(replace(SCORED, probability=(0.999, 0.996, 1.0), percentile=100.0))
    assert "of over 99% within" in text
    assert "100%" not in text
    assert " 0%" not in _summary_sentence(replace(SCORED, probability=(0.0, 0.0, 0.001), percentile=0.0))


def test_a_wide_band_is_said() -> None:
    assert "The band is wide" in _summary_sentence(replace(SCORED, probability=(0.5, 0.3, 0.61)))
    assert "The band is wide" not in _summary_sentence(replace(SCORED, probability=(0.5, 0.4, 0.69)))


def test_mechanisms_are_named_by_side_and_the_unsettled_apart() -> None:
    drivers = replace(SCORED, raising=["A", "B", "C", "D"], lowering=["E"], unsettled=["F", "G"])
    text = _summary_sentence(drivers)
    assert "Of what was measured, A, B and C raise the risk; E lowers it." in text
    assert "Whether F and G move it is not established." in text
    assert "Nothing that was measured" not in text
    assert "Of what was measured, E lowers the risk." in _summary_sentence(replace(SCORED, lowering=["E"]))
    assert "Whether F moves it is not established." in _summary_sentence(replace(SCORED, unsettled=["F"]))


def test_gaps_and_extrapolation_are_said() -> None:
    text = _summary_sentence(replace(SCORED, missing_assays=["mutations"], out_of_range=["Age"]))
    assert "Not assayed: mutations. One value lies outside the range" in text
    assert "2 values lie outside" in _summary_sentence(replace(SCORED, out_of_range=["Age", "Stage"]))


def test_a_binary_endpoint_has_no_years() -> None:
    text = _summary_sentence(replace(SCORED, event="refractory disease", horizon_years=None))
    assert "of refractory disease of 62% by the end of induction (95%" in text


def test_a_landmark_is_said() -> None:
    text = _summary_sentence(replace(SCORED, landmark_days=120.0, horizon_years=1.0))
    assert "within 1 year of day 120 (" in text
    assert "It holds for patients without an event on day 120, and years count from then." in text


def test_the_reference_is_the_strongest_baseline_of_the_population(evaluation: Evaluation) -> None:
    assert strongest_reference(evaluation, "all") == "clinical_cox"


def test_the_strongest_baseline_has_the_lowest_brier_score(evaluation: Evaluation) -> None:
    assert strongest_reference(evaluation, "all", "integrated_brier") == "clinical_cog"


def test_better_needs_the_whole_interval_above_zero(evaluation: Evaluation) -> None:
    found = verdict(evaluation, "cox")
    assert found.answer == "better"
    assert "difference +0.051 (95% interval +0.012 to +0.090)" in found.sentence
    assert verdict(evaluation, "cox", "high_risk").answer == "not shown"


@pytest.mark.parametrize(("gain", "answer"), [(0.005, "not shown"), (0.0099, "not shown"), (0.012, "better")])
def test_a_gain_that_does_not_matter_is_not_called_better(evaluation: Evaluation, gain: float, answer: str) -> None:
    differences = evaluation.differences.assign(difference=gain, low=0.001, high=0.02)
    found = verdict(replace(evaluation, differences=differences), "cox")
    assert found.answer == answer
    assert ("Better" in found.headline) == (answer == "better")
    assert ("by less than 0.01" in found.sentence) == (answer != "better")


def test_worse_is_said(evaluation: Evaluation) -> None:
    turned = replace(evaluation, differences=evaluation.differences.assign(low=-0.2, high=-0.1))
    assert verdict(turned, "cox").headline == "Worse than the clinical baseline"


def _with(evaluation: Evaluation, metric: str, low: float, high: float) -> Evaluation:
    """Hold the figures of Harrell's C for those of another metric, with this interval of every difference."""
    tables = (evaluation.metrics, evaluation.differences.assign(low=low, high=high))
    metrics, differences = (table[table["metric"] == "harrell_c"].assign(metric=metric) for table in tables)
    return replace(evaluation, metrics=metrics, differences=differences)


@pytest.mark.parametrize(
    ("metric", "low", "high", "answer", "said"),
    [
        ("integrated_brier", -0.03, -0.01, "better", "predicts the probability better than"),
        ("integrated_brier", 0.01, 0.03, "worse", "predicts the probability worse than"),
        ("brier_5y", -0.03, 0.01, "not shown", "is not shown to predict the probability better than"),
        ("ici_5y", -0.03, -0.01, "better", "is calibrated better than"),
        ("ipa_5y", 0.01, 0.03, "better", "predicts the probability better than"),
        ("auc_3y", -0.03, -0.01, "worse", "ranks patients worse than"),
    ],
)
def test_the_verdict_speaks_of_the_metric_and_of_which_way_is_better(
    evaluation: Evaluation, metric: str, low: float, high: float, answer: str, said: str
) -> None:
    found = verdict(_with(evaluation, metric, low, high), "cox", metric=metric)
    assert found.answer == answer
    assert said in found.sentence
    assert METRICS[metric].title in found.sentence
    assert found.headline.endswith(f", by {METRICS[metric].title}")
    assert ("lower is better" in found.sentence) == (metric in {"integrated_brier", "brier_5y", "ici_5y"})
    assert "Harrell" not in found.sentence


@pytest.mark.parametrize("metric", ["calibration_slope", "calibration_intercept_5y"])
def test_of_a_metric_with_worse_values_on_both_sides_neither_is_called_better(
    evaluation: Evaluation, metric: str
) -> None:
    found = verdict(_with(evaluation, metric, 0.1, 0.3), "cox", metric=metric)
    assert found.answer == "no comparison"
    assert f"best at {METRICS[metric].best:g}" in found.sentence
    assert "neither is called better" in found.sentence


def test_a_metric_without_a_value_is_said_to_have_none(evaluation: Evaluation) -> None:
    found = verdict(evaluation, "cox", metric="ici_1y")
    assert found.answer == "no comparison"
    assert "Calibration error (ICI) 1 y of Elastic-net Cox has no value" in found.sentence


@pytest.mark.parametrize("population", ["all", "nobody"])
def test_without_a_baseline_there_is_no_answer(evaluation: Evaluation, population: str) -> None:
    differences = evaluation.differences[evaluation.differences["model"] == "nothing"]
    assert verdict(replace(evaluation, differences=differences), "cox", population).answer == "no comparison"


def test_signs_are_counted_with_and_against_the_literature():
    table = pd.DataFrame(
        {"agrees": [True, True, True, False], "status": ["established", "established", "suggested", "established"]}
    )
    assert "are 2 of those that agree and 1 of those that do not" in _established_sentence(table)


def test_nothing_is_said_without_refits():
    assert stability_sentences(None) == []


def test_rows_have_what_refits_make_of_them(explanation: Explanation, catalogue: Catalogue, stable: Stability):
    rows = _mechanism_rows(explanation, catalogue, stable)
    for row, (_, expected) in zip(rows, stable.mechanisms.iterrows(), strict=True):
        assert row["importance"] == f"{expected['importance']:.3f}"
        assert row["interval"] == f"{expected['low']:.3f} to {expected['high']:.3f}"
        assert row["ranks"] == f"{expected['rank_low']} to {expected['rank_high']}"
        assert row["status"] == expected["status"]
    assert "rank" not in _mechanism_rows(explanation, catalogue)[0]


def test_a_disagreement_says_how_many_refits_share_it(
    explanation: Explanation, catalogue: Catalogue, stable: Stability
):
    found = disagreements(explanation, catalogue, "relapse", stable)
    (row,) = found["rows"]
    assert row["title"] == "Segmental gain of 17q"
    assert row["same_sign"] == f"{stable.features.loc['instability__gain_17q', 'same_sign']:.0%}"
    assert row["status"] == stable.features.loc["instability__gain_17q", "status"]
    assert "Established" not in disagreements(explanation, catalogue, "relapse")["sentence"]


def test_the_report_shows_intervals_ranks_and_signs(report: Path):
    text = report.read_text(encoding="utf-8")
    for expected in ("of 20 bootstrap refits", "Kendall&#39;s tau", "Among the first three", "Same sign in refits"):
        assert expected in text


@pytest.mark.parametrize(
    ("horizon", "title"),
    [
        (YEAR, "% points by 1 year"),
        (3 * YEAR, "% points by 3 years"),
        (200.0, "% points by 0.548 years"),
        (None, "% points"),
    ],
)
def test_the_column_says_its_horizon(horizon: float | None, title: str) -> None:
    assert ProbabilityImportance({}, horizon).title == title


def test_rows_carry_percentage_points_only_where_they_are_known(explanation: Explanation, catalogue: Catalogue) -> None:
    points = ProbabilityImportance({name: 0.0321 for name in explanation.mechanisms} | {"alk": None}, None)
    rows = _mechanism_rows(explanation, catalogue, probability=points)
    assert {row["title"]: row["points"] for row in rows}["ALK"] == "–"
    assert {row["points"] for row in rows} == {"3.2", "–"}
    assert all("points" not in row for row in _mechanism_rows(explanation, catalogue))


def test_both_pages_show_the_column(report: Path, cohort_report: Path) -> None:
    assert "% points by 5 years</th>" in report.read_text(encoding="utf-8")
    assert '<td class="number">4.2</td>' in report.read_text(encoding="utf-8")
    assert "% points by 3 years</th>" in cohort_report.read_text(encoding="utf-8")
