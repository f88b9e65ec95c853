from __future__ import annotations

from pathlib import Path

import pytest

from nbrelapse.explanation.explanation import Explanation
from nbrelapse.mechanisms.catalogue import Catalogue
from nbrelapse.report.probability_importance import ProbabilityImportance
from nbrelapse.report.tables import mechanism_rows
from nbrelapse.validation.horizons import YEAR


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
    rows = mechanism_rows(explanation, catalogue, probability=points)
    assert {row["title"]: row["points"] for row in rows}["ALK"] == "–"
    assert {row["points"] for row in rows} == {"3.2", "–"}
    assert all("points" not in row for row in mechanism_rows(explanation, catalogue))


def test_both_pages_show_the_column(report: Path, cohort_report: Path) -> None:
    assert "% points by 5 years</th>" in report.read_text(encoding="utf-8")
    assert '<td class="number">4.2</td>' in report.read_text(encoding="utf-8")
    assert "% points by 3 years</th>" in cohort_report.read_text(encoding="utf-8")
