"""Pictures of copy numbers along the genome."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from nbrelapse.cohort import Cohort
from nbrelapse.errors import InputError
from nbrelapse.mechanisms import copy_number_calls
from nbrelapse.report.plots import cohort_genome, patient_profile
from nbrelapse.report.plots.genome import _CALL_COLORS
from nbrelapse.simulation import simulate_cohort


@pytest.fixture(scope="module")
def drawn() -> tuple[Cohort, pd.DataFrame]:
    cohort = simulate_cohort(60, seed=4)
    return cohort, copy_number_calls(cohort)


def test_patients_stand_in_blocks_of_risk_group(drawn: tuple[Cohort, pd.DataFrame]) -> None:
    cohort, calls = drawn
    figure = cohort_genome(cohort, calls)
    side, axes, *_ = figure.axes
    profiled = cohort.assayed_samples("copy_number").index
    groups = cohort.patients.set_index("patient_id").loc[profiled, "risk_group"].value_counts()
    written = [text.get_text() for text in side.texts]
    assert written == [f"{name}\n{groups[name]}" for name in ("low", "intermediate", "high") if name in groups]
    assert axes.images[0].get_array().shape == (len(profiled), 900)
    named = {text.get_text() for text in axes.texts}
    assert named == {gene for genes in calls["amplified_genes"] for gene in genes.split(", ") if gene}


def test_levels_of_the_picture_are_those_of_the_calls(drawn: tuple[Cohort, pd.DataFrame]) -> None:
    cohort, calls = drawn
    levels = cohort_genome(cohort, calls).axes[1].images[0].get_array()
    assert float(np.ma.median(np.abs(levels))) < 0.2
    assert levels.min() >= -2.3 and levels.max() <= 2.3
    told = calls.groupby("patient_id")["scale_told"].first()
    profiled = told[cohort.assayed_samples("copy_number").index]
    # A patient whose scale cannot be told has no level, but for an amplicon.
    known = (~np.ma.getmaskarray(levels)).mean(axis=1)
    assert (known > 0.5).sum() == profiled.sum()


def test_a_profile_names_the_genes_and_shows_the_calls(drawn: tuple[Cohort, pd.DataFrame]) -> None:
    cohort, calls = drawn
    patient = calls.loc[calls["amplified_genes"] == "MYCN", "patient_id"].iloc[0]
    figure = patient_profile(cohort, calls, patient)
    axes, strip, *_ = figure.axes
    weights = {text.get_text(): text.get_fontweight() for text in axes.texts}
    assert weights["MYCN"] == "bold" and weights["CREBBP"] in ("normal", "bold") and len(weights) >= 36
    called = calls[calls["patient_id"] == patient].set_index("arm")["call"]
    colors = [to_hex(patch.get_facecolor()) for patch in strip.patches]
    expected = ["#eef1f4" if name == "neutral" else _CALL_COLORS[name] for name in called]
    assert colors == expected[: len(colors)]


def test_who_has_no_profile_cannot_be_drawn(drawn: tuple[Cohort, pd.DataFrame]) -> None:
    cohort, calls = drawn
    with pytest.raises(InputError, match="no such patient"):
        patient_profile(cohort, calls, "nobody")
    without = cohort.patient_ids.difference(cohort.assayed_samples("copy_number").index)[0]
    with pytest.raises(InputError, match="no copy-number profile"):
        patient_profile(cohort, calls, without)
