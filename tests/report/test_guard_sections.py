"""How far the figures carry, in words."""

from __future__ import annotations

import pytest

from nbrelapse.report.guard_sections import multiplicity_sentence, sample_size_section, sample_size_sentence
from nbrelapse.validation.multiplicity import Multiplicity
from nbrelapse.validation.sample_size import sample_size


@pytest.mark.parametrize(
    ("tried", "said", "unsaid"),
    [
        (
            Multiplicity(3, 40, 1, 0.741, 0.735),
            ["3 model families were compared, each tuned by up to 40 settings (120 in all)", "no other experiment",
             "its concordance is 0.735 instead of 0.741"],
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
    assert "are 1.5 events each: few." in sample_size_sentence(few)
    assert f"would need {few.patients_needed:,} patients" in sample_size_sentence(few)
    assert "enough" in sample_size_sentence(enough)


def test_a_model_that_uses_nothing_is_said_to() -> None:
    section = sample_size_section(sample_size(249, 89, 60), {"cox": 0, "boosted": 20})
    assert "Elastic-net Cox none; Boosted trees 20 (4.5 events each)" in section.sentences[1]
