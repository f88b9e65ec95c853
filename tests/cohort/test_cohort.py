"""What a cohort tells of itself."""

from __future__ import annotations

import pandas as pd

from nbrelapse.cohort import Cohort


def test_its_text_counts_assayed_patients_and_its_page_samples_too() -> None:
    patients = pd.DataFrame({"patient_id": ["a", "b"]})
    samples = pd.DataFrame(
        {
            "sample_id": ["a1", "a2", "a3", "b1"],
            "patient_id": ["a", "a", "a", "b"],
            "timepoint": ["diagnosis", "diagnosis", "relapse", "relapse"],
        }
    )
    assays = pd.DataFrame({"sample_id": ["a1", "a2", "a3", "b1"], "assay": "expression"})
    cohort = Cohort("<two>", patients, samples, assays)
    none = "fish 0, mutations 0, copy number 0, rearrangements 0"
    assert repr(cohort) == f"Cohort '<two>': 2 patients; {none}, expression 1"
    html = cohort._repr_html_()
    assert html.startswith("<p>Cohort &#x27;&lt;two&gt;&#x27;: 2 patients</p><table")
    cells = "".join(html.split()).partition("<td>expression</td>")[2]
    assert cells.startswith("<td>1</td><td>4</td>")


def test_tables_without_columns_have_no_assay() -> None:
    cohort = Cohort("one", pd.DataFrame({"patient_id": ["a"]}), pd.DataFrame(), pd.DataFrame())
    assert repr(cohort).startswith("Cohort 'one': 1 patient; fish 0, ")
