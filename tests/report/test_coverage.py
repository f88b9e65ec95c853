"""Who was looked at: not assayed is not the same as assayed without an answer."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nbrelapse.cohort.cohort import Cohort
from nbrelapse.mechanisms import FeatureTable, load_catalogue
from nbrelapse.report.coverage import COUNTS, feature_patients, mechanism_patients

NAN = float("nan")


@pytest.fixture
def cohort() -> Cohort:
    """A: two diagnosis samples. B: a diagnosis and a relapse sample. C: only at relapse. D: nothing at all."""
    samples = pd.DataFrame(
        [
            ("A1", "A", "diagnosis"),
            ("A2", "A", "diagnosis"),
            ("B1", "B", "diagnosis"),
            ("B2", "B", "relapse"),
            ("C1", "C", "relapse"),
        ],
        columns=["sample_id", "patient_id", "timepoint"],
    )
    assays = pd.DataFrame(
        [
            ("A1", "mutations"),
            ("A2", "mutations"),
            ("A2", "copy_number"),
            ("B1", "copy_number"),
            ("B2", "mutations"),
            ("C1", "mutations"),
            ("C1", "copy_number"),
        ],
        columns=["sample_id", "assay"],
    )
    return Cohort("four", pd.DataFrame({"patient_id": list("ABCD")}), samples, assays)


@pytest.fixture
def table(cohort: Cohort) -> FeatureTable:
    values = pd.DataFrame(
        {
            "mycn__amplified": [1.0, NAN, 0.0, NAN],
            "mycn__amplified_copy_number": [0.0, NAN, NAN, NAN],
            "mycn__any_amplification": [1.0, NAN, 0.0, NAN],
            "p53__tp53_mutation": [NAN, NAN, NAN, NAN],
            "p53__mdm2_amplification": [NAN, 1.0, NAN, NAN],
            "p53__cdk4_amplification": [0.0, NAN, NAN, NAN],
        },
        index=cohort.patient_ids,
    )
    return FeatureTable(values, load_catalogue())


def test_features_are_counted_by_their_diagnosis_sample(cohort: Cohort, table: FeatureTable) -> None:
    found = feature_patients(cohort, table)
    assert found[["assay", *COUNTS]].apply(tuple, axis=1).to_dict() == {
        # The patients' table is the record of FISH: B and D are not assayed.
        "mycn__amplified": ("fish", 2, 0, 2),
        "mycn__amplified_copy_number": ("copy_number", 1, 1, 2),
        "mycn__any_amplification": ("combined", 2, 1, 1),
        "p53__tp53_mutation": ("mutations", 0, 1, 3),
        "p53__mdm2_amplification": ("copy_number", 1, 1, 2),
        "p53__cdk4_amplification": ("copy_number", 1, 1, 2),
    }


def test_a_mechanism_is_known_where_one_of_its_features_is(cohort: Cohort, table: FeatureTable) -> None:
    found = mechanism_patients(cohort, table)
    assert [tuple(row) for row in found.itertuples(index=False)] == [
        ("mycn", "any", 2, 1, 1),
        ("mycn", "fish", 2, 0, 2),
        ("mycn", "copy_number", 1, 1, 2),
        ("p53", "any", 2, 0, 2),
        ("p53", "mutations", 0, 1, 3),
        ("p53", "copy_number", 2, 0, 2),
    ]
    assert list(found["assay"].cat.categories) == ["any", "fish", "mutations", "copy_number"]


def test_combinations_do_not_count_for_a_mechanism(cohort: Cohort, table: FeatureTable) -> None:
    everybody = table.values.assign(mycn__any_amplification=1.0)
    pd.testing.assert_frame_equal(
        mechanism_patients(cohort, FeatureTable(everybody, table.catalogue)), mechanism_patients(cohort, table)
    )


def test_the_order_of_samples_does_not_matter(cohort: Cohort, table: FeatureTable) -> None:
    turned = Cohort(cohort.name, cohort.patients, cohort.samples[::-1], cohort.assays[::-1])
    pd.testing.assert_frame_equal(feature_patients(turned, table), feature_patients(cohort, table))


def test_all_patients_are_counted_in_each_row(cohort: Cohort, table: FeatureTable) -> None:
    for counts in (feature_patients(cohort, table), mechanism_patients(cohort, table)):
        assert (counts[COUNTS].sum(axis=1) == len(cohort.patient_ids)).all()
        assert (counts[COUNTS].dtypes == np.int64).all()
