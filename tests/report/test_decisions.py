from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nbrelapse.metrics.decisions import ClinicalUtility, clinical_utility
from nbrelapse.metrics.horizons import YEAR
from nbrelapse.metrics.predictions import Predictions
from nbrelapse.outcome import SURVIVAL_DTYPE
from nbrelapse.report.guard_sections import decisions_section
from nbrelapse.report.plots import decision_curve_plot


def test_the_picture_has_a_line_a_strategy_and_a_panel_a_horizon(utility: ClinicalUtility) -> None:
    figure = decision_curve_plot(utility)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["Within 3 years", "Within 5 years"]
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["Treat all", "Treat none", "Highest recorded risk group", "Elastic-net Cox"]
    assert [len(axes.lines) for axes in figure.axes] == [4, 4]


def test_the_section_says_where_the_model_does_more_good(utility: ClinicalUtility) -> None:
    section = decisions_section(utility)
    assert section["sentences"][1].startswith("At thresholds from 5% to ")
    assert "treating everybody or the highest recorded risk group does more good than harm" in section["sentences"][1]
    assert "treating by Elastic-net Cox instead does more good at" in section["sentences"][1]
    assert "than the better of the two" in section["sentences"][1]
    assert [row["group"] for row in section["tertiles"]] == ["lowest", "middle", "highest"] * 2
    assert section["grouping"] == "Recorded risk group"
    shown = section["crossed"]
    assert shown["columns"] == ["low", "intermediate", "high"]
    assert sum(int(cell["value"]) for row in shown["rows"] for cell in row["cells"] if cell["value"] != "–") == 240
    assert len(shown["improvement"]) == 2


def test_a_model_that_changes_nothing_is_not_shown_to_do_good(utility: ClinicalUtility) -> None:
    same = utility.decisions.differences.assign(difference=0.0, low=-0.01, high=0.01)
    section = decisions_section(replace(utility, decisions=replace(utility.decisions, differences=same)))
    assert "is not shown to do more good, or less, than the better of the two." in section["sentences"][0]


@pytest.mark.parametrize("share", [1.0, 0.96])
def test_treating_everybody_is_no_merit_of_the_model(share: float) -> None:
    """A model too pessimistic treats (nearly) all at low thresholds; its gain on the group is that of treating all."""
    rng, n = np.random.default_rng(0), 600
    x = rng.normal(size=n)
    hazard = 0.25 * np.exp(0.5 * x)
    event, censored = rng.exponential(1 / hazard), rng.uniform(4, 9, n)
    y = np.empty(n, SURVIVAL_DTYPE)
    y["event"], y["time"] = event <= censored, np.minimum(event, censored) * YEAR
    incidence = 0.36 + 0.01 * (x - x.min()) / np.ptp(x)
    incidence[np.argsort(x)[: round((1 - share) * n)]] = 0.01
    times = np.array([3.0]) * YEAR
    model = Predictions("cox", x[None], np.zeros((1, n), int), incidence[None, :, None], times)
    found = clinical_utility("cox", {"cox": model}, {"high_risk": (x > 1) * 1.0}, y, n_bootstrap=100)
    rows = found.decisions.differences.query("threshold <= 0.3")
    assert (rows.loc[rows["reference"] == "high_risk", "low"] > 0).any()
    sentence = decisions_section(found)["sentences"][0]
    assert "more good at" not in sentence
    assert "the model itself treats nearly everybody." in sentence


def test_without_groups_the_section_says_so(utility: ClinicalUtility) -> None:
    none = replace(utility.decisions, differences=utility.decisions.differences.iloc[:0])
    section = decisions_section(replace(utility, decisions=none, reclassification=None, grouping=None))
    assert "no clinical group" in section["sentences"][0]
    assert section["crossed"] is None
