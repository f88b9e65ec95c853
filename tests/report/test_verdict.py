from __future__ import annotations

from dataclasses import replace

import pytest

from nbrelapse.report.verdict import strongest_reference, verdict
from nbrelapse.validation.evaluate import Evaluation


def test_the_reference_is_the_strongest_baseline_of_the_population(evaluation: Evaluation) -> None:
    assert strongest_reference(evaluation, "all") == "clinical_cox"


def test_the_strongest_baseline_has_the_lowest_brier_score(evaluation: Evaluation) -> None:
    assert strongest_reference(evaluation, "all", "integrated_brier") == "clinical_cog"


def test_better_needs_the_whole_interval_above_zero(evaluation: Evaluation) -> None:
    found = verdict(evaluation, "cox")
    assert found.answer == "better"
    assert "difference +0.051 (95% interval +0.012 to +0.090)" in found.sentence
    assert verdict(evaluation, "cox", "high_risk").answer == "not shown"


def test_worse_is_said(evaluation: Evaluation) -> None:
    turned = replace(evaluation, differences=evaluation.differences.assign(low=-0.2, high=-0.1))
    assert verdict(turned, "cox").headline == "Worse than the clinical baseline"


@pytest.mark.parametrize("population", ["all", "nobody"])
def test_without_a_baseline_there_is_no_answer(evaluation: Evaluation, population: str) -> None:
    differences = evaluation.differences[evaluation.differences["model"] == "nothing"]
    assert verdict(replace(evaluation, differences=differences), "cox", population).answer == "no comparison"
