from __future__ import annotations

from pathlib import Path

import pandas as pd

from nbrelapse.explanation.explanation import Explanation
from nbrelapse.explanation.stability import Stability
from nbrelapse.mechanisms.catalogue import Catalogue
from nbrelapse.report.stability_sentences import established_sentence, stability_sentences
from nbrelapse.report.tables import disagreements, mechanism_rows


def test_signs_are_counted_with_and_against_the_literature():
    table = pd.DataFrame(
        {"agrees": [True, True, True, False], "status": ["established", "established", "suggested", "established"]}
    )
    assert "are 2 of those that agree and 1 of those that do not" in established_sentence(table)


def test_nothing_is_said_without_refits():
    assert stability_sentences(None) == []


def test_rows_have_what_refits_make_of_them(explanation: Explanation, catalogue: Catalogue, stable: Stability):
    rows = mechanism_rows(explanation, catalogue, stable)
    for row, (_, expected) in zip(rows, stable.mechanisms.iterrows(), strict=True):
        assert row["importance"] == f"{expected['importance']:.3f}"
        assert row["interval"] == f"{expected['low']:.3f} to {expected['high']:.3f}"
        assert row["ranks"] == f"{expected['rank_low']} to {expected['rank_high']}"
        assert row["status"] == expected["status"]
    assert "rank" not in mechanism_rows(explanation, catalogue)[0]


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
