"""What a cohort tells of itself, and some of its patients alone."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from nbrelapse.cohort import Cohort, read_cohort, write_cohort
from nbrelapse.errors import InputError
from nbrelapse.mechanisms import build_features


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


def test_taking_patients_takes_all_that_is_theirs_and_nothing_else(cohort: Cohort, tmp_path: Path) -> None:
    ids = cohort.patient_ids[[40, 3, 3, 100]]
    taken = cohort.take(ids)
    assert taken.patient_ids.tolist() == cohort.patient_ids[[3, 40, 100]].tolist()
    own = cohort.samples.loc[cohort.samples["patient_id"].isin(ids), "sample_id"]
    for name in ("samples", "assays", "mutations", "segments", "rearrangements"):
        whole, part = getattr(cohort, name), getattr(taken, name)
        expected = whole[whole["sample_id"].isin(own)].reset_index(drop=True)
        pd.testing.assert_frame_equal(part, expected)
    assert cohort.expression is not None and taken.expression is not None
    assert list(taken.expression) == [sample for sample in cohort.expression if sample in set(own)]
    assert taken.metadata["platforms"] == cohort.metadata["platforms"]
    assert (taken.name, taken.where) == (cohort.name, "a list of 3 patients")
    assert repr(read_cohort(write_cohort(taken, tmp_path / "taken"))) == repr(taken)


def test_what_is_computed_of_a_patient_does_not_depend_on_the_others(cohort: Cohort) -> None:
    ids = cohort.patient_ids[5:45]
    whole, part = build_features(cohort).values, build_features(cohort.take(ids)).values
    pd.testing.assert_frame_equal(part, whole.loc[ids, part.columns])
    assert whole.drop(columns=part.columns).loc[ids].isna().all().all()


def test_a_matrix_of_nobody_is_no_matrix(cohort: Cohort) -> None:
    unmeasured = cohort.patient_ids.difference(cohort.assayed_samples("expression").index)
    samples = cohort.samples.set_index("sample_id")["patient_id"]
    assert cohort.expression is not None
    unmeasured = unmeasured.difference(samples[cohort.expression.columns])
    taken = cohort.take(unmeasured)
    assert taken.expression is None and taken.mutations is not None


@pytest.mark.parametrize(
    ("ids", "problem", "rows"),
    [
        (["SIM-000001", "SIM-000001", "x", "y"], "2 of 3 ids are of no patient of the cohort", [2, 3]),
        ([7], "1 of 1 id is of no patient of the cohort", [1]),
        ([], "no patient is left", None),
        ("SIM-000001", "one text is no list of patients", None),
    ],
)
def test_unknown_patients_and_none_are_refused(
    cohort: Cohort, ids: object, problem: str, rows: list[int] | None
) -> None:
    with pytest.raises(InputError) as error:
        cohort.take(ids)
    assert (error.value.problem, error.value.rows) == (problem, rows)
    assert "SIM" not in str(error.value)
