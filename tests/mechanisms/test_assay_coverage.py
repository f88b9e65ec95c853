from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nbrelapse.cohort.cohort import Cohort
from nbrelapse.mechanisms.assay_coverage import assay_coverage, covers_all

COVERAGE = pd.DataFrame({"panel": ["P", "Q", "unlisted", None]}, index=["p0", "p1", "p2", "p3"])
PANELS = pd.DataFrame({"panel": ["P", "P", "Q"], "gene": ["ALK", "MLL2", "ALK"]})


def test_the_diagnosis_sample_and_how_it_was_looked_at() -> None:
    cohort = Cohort(
        "three",
        pd.DataFrame({"patient_id": ["p1", "p0", "p2"]}),
        pd.DataFrame(
            {
                "sample_id": ["s0", "s0-relapse", "s1", "s2"],
                "patient_id": ["p0", "p0", "p1", "p2"],
                "timepoint": ["diagnosis", "relapse", "diagnosis", "diagnosis"],
            }
        ),
        pd.DataFrame(
            {
                "sample_id": ["s0", "s0-relapse", "s1", "s2"],
                "assay": ["mutations", "mutations", "mutations", "expression"],
                "genome_build": ["hg19", "hg19", "hg19", None],
                "panel": ["P", None, None, None],
                "covered_mb": [1.5, 30.0, np.nan, np.nan],
            }
        ),
    )
    found = assay_coverage(cohort, "mutations")
    assert found.index.tolist() == ["p1", "p0"]
    assert found["sample_id"].tolist() == ["s1", "s0"]
    assert found["panel"].isna().tolist() == [True, False]
    assert found["genome_build"].tolist() == ["hg19", "hg19"]
    np.testing.assert_array_equal(found["covered_mb"], [np.nan, 1.5])


def test_assays_without_a_size_or_a_panel() -> None:
    cohort = Cohort(
        "one",
        pd.DataFrame({"patient_id": ["p0"]}),
        pd.DataFrame({"sample_id": ["s0"], "patient_id": ["p0"], "timepoint": ["diagnosis"]}),
        pd.DataFrame({"sample_id": ["s0"], "assay": ["mutations"]}),
    )
    assert assay_coverage(cohort, "mutations")[["panel", "genome_build", "covered_mb"]].isna().all(axis=None)


@pytest.mark.parametrize(
    ("genes", "expected"),
    [
        (["ALK"], [True, True, False, True]),
        (["ALK", "KMT2D"], [True, False, False, True]),
        (["MLL2"], [True, False, False, True]),
        (["KMT2D", "MLL2"], [True, False, False, True]),
        (["TP53"], [False, False, False, True]),
        (None, [False, False, False, True]),
    ],
)
def test_a_panel_covers_its_genes_under_any_of_their_names(genes: list[str] | None, expected: list[bool]) -> None:
    found = covers_all(COVERAGE, PANELS, genes)
    assert found.tolist() == expected
    assert found.index.tolist() == COVERAGE.index.tolist()


def test_a_gene_that_a_panel_lists_by_both_names_is_one() -> None:
    panels = pd.DataFrame({"panel": "P", "gene": ["KMT2D", "MLL2"]})
    assert covers_all(COVERAGE[:1], panels, ["KMT2D"]).tolist() == [True]
    assert covers_all(COVERAGE[:1], panels, ["KMT2D", "ALK"]).tolist() == [False]


def test_without_lists_a_panel_covers_nothing() -> None:
    assert covers_all(COVERAGE, None, ["ALK"]).tolist() == [False, False, False, True]
