"""How far the figures carry, in words."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from nbrelapse.metrics.choice import FigureSpread
from nbrelapse.report.guard_sections import (
    _sample_size_sentence,
    learning_section,
    multiplicity_sentence,
    optimism_section,
    sample_size_section,
    spread_section,
)
from nbrelapse.validation.guards import Multiplicity
from nbrelapse.validation.sample_size import LearningCurve, sample_size


@pytest.mark.parametrize(
    ("tried", "said", "unsaid"),
    [
        (
            Multiplicity(3, 40, 1, 0.741, 0.735),
            ["3 model families were compared, each tuned by up to 40 settings (120 in all)", "no other experiment",
             "this one has 0.735 instead of 0.741"],
            ["earlier ones"],
        ),
        (
            Multiplicity(1, 15, 4),
            ["1 model family was tuned by up to 15 settings", "has 4 experiments on these patients",
             "looking at the earlier ones is not corrected for"],
            ["flatters", "nan"],
        ),
        (Multiplicity(2, 15, 1), ["flatters the model that has it."], ["nan"]),
    ],
)  # fmt: skip
def test_the_models_tried(tried: Multiplicity, said: list[str], unsaid: list[str]) -> None:
    sentence = multiplicity_sentence(tried)
    assert all(text in sentence for text in said)
    assert not any(text in sentence for text in unsaid)


def test_few_and_enough_events() -> None:
    few, enough = sample_size(249, 89, 60), sample_size(5000, 1800, 10)
    assert "are 1.5 events each: few." in _sample_size_sentence(few)
    assert f"would need {few.patients_needed:,} patients" in _sample_size_sentence(few)
    assert "enough" in _sample_size_sentence(enough)


def test_a_model_that_uses_nothing_is_said_to() -> None:
    section = sample_size_section(sample_size(249, 89, 60), {"cox": 0, "boosted": 20})
    assert "Elastic-net Cox none; Boosted trees 20 (4.5 events each)" in section.sentences[1]


def curve(gain: float, low: float, high: float, rows: int = 2) -> LearningCurve:
    table = pd.DataFrame(
        {"patients": [100.0, 200.0], "events": [30.0, 60.0], "value": [0.7, 0.72], "low": [0.65, 0.68],
         "high": [0.75, 0.76], "step": [math.nan, 0.02], "step_low": [math.nan, 0.0], "step_high": [math.nan, 0.04]}
    )  # fmt: skip
    return LearningCurve(table.iloc[-rows:], gain, low, high, [])


@pytest.mark.parametrize(
    ("learned", "answer"),
    [
        (curve(0.02, 0.005, 0.04), "More patients would help"),
        (curve(0.001, -0.003, 0.005), "More patients of this kind would hardly help"),
        (curve(0.01, -0.01, 0.03), "Whether more patients would help is not shown"),
        (curve(math.nan, math.nan, math.nan, 1), "There are too few events to train on parts"),
    ],
)
def test_whether_more_patients_would_help(learned: LearningCurve, answer: str) -> None:
    section = learning_section(learned, "cox")
    assert section.sentences[0].startswith(answer)
    assert "nan" not in section.sentences[0]
    assert section.rows[-1] == ("200", "60", "0.720", "0.680 to 0.760")


def test_optimism_that_cannot_be_estimated_is_named_and_not_printed() -> None:
    table = pd.DataFrame(
        {
            "apparent": [0.8, 9.49],
            "outside": [0.74, math.nan],
            "optimism": [0.05, math.nan],
            "corrected": [0.75, math.nan],
            "resamples": [20, 20],
        },
        index=["harrell_c", "calibration_slope"],
    )
    section = optimism_section({"cox": table})
    assert section.rows == (("Elastic-net Cox, Harrell C", "0.800", "0.740", "0.750"),)
    assert "20 bootstrap resamples" in section.sentences[0]
    assert section.sentences[1].endswith("scatters too much: Elastic-net Cox, Calibration slope.")
    assert "9.49" not in " ".join(section.sentences)
    assert len(optimism_section({"cox": table.iloc[:1]}).sentences) == 1


@pytest.mark.parametrize(
    ("spread", "said"),
    [
        (
            FigureSpread(0.49, 0.581, 5, 1, 25),
            "Over 5 divisions into folds, Harrell C of Elastic-net Cox runs from 0.490",
        ),
        (FigureSpread(0.6, 0.6, 1, 0, 5), "one division into folds, so how far the figure moves with it is not known."),
        (
            FigureSpread(0.6, 0.6, 1, 0, 5),
            "Of 5 models tuned anew on parts of the patients, none is without any feature",
        ),
        (
            FigureSpread(0.6, 0.7, 2, 3, 10),
            "Of 10 models tuned anew on parts of the patients, 3 are without any feature.",
        ),
    ],
)
def test_how_far_the_figure_of_the_chosen_family_moves(spread: FigureSpread, said: str) -> None:
    section = spread_section("cox", spread, [3, 0, 9], metric="harrell_c")
    assert said in section.sentences[0]
    assert "3 refits with the final parameters use 0 to 9 features." in section.sentences[0]
    assert "refits" not in spread_section("cox", spread, [], metric="harrell_c").sentences[0]
