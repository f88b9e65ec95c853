"""Features from layers: ranks within the sample, and values as they are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from nbrelapse.cohort import Cohort
from nbrelapse.errors import InputError
from nbrelapse.mechanisms import build_features, load_catalogue, with_layer_features

VALUES = pd.DataFrame(
    {"s1": [1.0, 3.0, 3.0, 9.0], "s2": [4.0, np.nan, 2.0, 0.0]}, index=pd.Index(list("abcd"), name="feature")
)


# Of `b` one patient has a value: it tells nobody apart, and is no feature. It counts among the rows that are ranked.


def cohort_of(layer: pd.DataFrame, unit: str) -> Cohort:
    return Cohort(
        "three",
        pd.DataFrame({"patient_id": ["p1", "p2", "p3"]}),
        pd.DataFrame(
            {
                "sample_id": ["s1", "s2", "r2"],
                "patient_id": ["p1", "p2", "p2"],
                "timepoint": ["diagnosis"] * 2 + ["relapse"],
            }
        ),
        pd.DataFrame({"sample_id": ["s1", "s2", "r2"], "assay": "layer:x"}),
        layers={"x": layer},
        metadata={"layers": {"x": {"unit": unit, "mechanism": "none"}}},
    )


def features(trained: Cohort, cohort: Cohort) -> pd.DataFrame:
    catalogue = with_layer_features(load_catalogue(), trained)
    rows = [name for name, feature in catalogue.features.items() if feature.builder == "layers"]
    return build_features(cohort, catalogue.subset(rows)).values


def test_expression_like_rows_are_ranks_within_the_sample() -> None:
    cohort = cohort_of(VALUES, "log2")
    found = features(cohort, cohort)
    assert found.loc["p1"].tolist() == [0.125, 0.5, 0.875]
    assert found.loc["p2"].tolist() == pytest.approx([2.5 / 3, 0.5, 0.5 / 3])
    assert found.loc["p3"].isna().all()


def test_other_rows_are_as_they_are() -> None:
    cohort = cohort_of(VALUES, "score")
    found = features(cohort, cohort)
    assert found.loc["p1"].tolist() == [1.0, 3.0, 9.0] and found.loc["p2"].tolist() == [4.0, 2.0, 0.0]


def test_counts_and_logs_give_the_same_ranks() -> None:
    trained = cohort_of(VALUES, "log2")
    pd.testing.assert_frame_equal(features(trained, cohort_of(2**VALUES, "counts")), features(trained, trained))


@pytest.mark.parametrize(("trained", "found"), [("log2", "score"), ("score", "log2"), ("beta", "m-value")])
def test_another_unit_is_refused(trained: str, found: str) -> None:
    with pytest.raises(InputError, match=f"in another unit than the features were made for: {found}"):
        features(cohort_of(VALUES, trained), cohort_of(VALUES, found))


def test_what_a_cohort_does_not_have_is_missing() -> None:
    trained = cohort_of(VALUES, "score")
    assert features(trained, replace(trained, layers={})).isna().all(axis=None)
    part = features(trained, cohort_of(VALUES.loc[["d", "a"]], "score"))
    assert part.loc["p1"].fillna(-1).tolist() == [1.0, -1, 9.0]


def test_a_patient_alone_has_the_same_bits() -> None:
    values = pd.DataFrame(
        np.random.default_rng(1).normal(size=(50, 80)),
        index=pd.Index([f"r{row}" for row in range(50)], name="feature"),
        columns=[f"s{sample}" for sample in range(80)],
    )
    ids = values.columns.tolist()
    cohort = replace(
        cohort_of(values, "tpm"),
        patients=pd.DataFrame({"patient_id": ids}),
        samples=pd.DataFrame({"sample_id": ids, "patient_id": ids, "timepoint": "diagnosis"}),
        assays=pd.DataFrame({"sample_id": ids, "assay": "layer:x"}),
    )
    whole = features(cohort, cohort)
    pd.testing.assert_frame_equal(features(cohort, cohort.take(["s70"])), whole.loc[["s70"]], rtol=0, atol=0)


def test_a_parameter_that_is_not_read_is_refused() -> None:
    cohort = cohort_of(VALUES, "score")
    catalogue = with_layer_features(load_catalogue(), cohort)
    entry = catalogue.features["other__x_a"]
    wrong = replace(entry, parameters={**entry.parameters, "rows": "a"})
    with pytest.raises(InputError, match="does not read rows"):
        build_features(cohort, replace(catalogue, features={entry.name: wrong}))
