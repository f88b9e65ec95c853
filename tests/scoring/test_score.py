from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from nbrelapse.cohort import Cohort, simulate_cohort
from nbrelapse.errors import InputError
from nbrelapse.scoring import Bundle, score, write_bundle


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    return simulate_cohort(60, seed=4)


def without(cohort: Cohort, assay: str) -> Cohort:
    return replace(cohort, assays=cohort.assays[cohort.assays["assay"] != assay], segments=None)


def test_a_row_a_patient_in_the_cohorts_order(bundles: dict[str, Bundle], cohort: Cohort, tmp_path: Path) -> None:
    scores = score(bundles["cox"], cohort)
    assert scores["patient_id"].tolist() == cohort.patient_ids.tolist()
    assert scores["log_risk"].notna().sum() > 40
    folder = write_bundle(bundles["cox"], tmp_path / "model")
    pd.testing.assert_frame_equal(score(folder, cohort), scores, rtol=0, atol=0)
    pd.testing.assert_frame_equal(score(str(folder), cohort), scores, rtol=0, atol=0)


def test_a_cohort_that_lacks_an_assay_is_refused_by_name(bundles: dict[str, Bundle], cohort: Cohort) -> None:
    with pytest.raises(InputError, match="nobody has copy_number") as caught:
        score(bundles["cox"], without(cohort, "copy_number"))
    assert "--allow-missing-assays" in str(caught.value)


def test_a_missing_assay_may_be_allowed_and_every_row_says_so(bundles: dict[str, Bundle], cohort: Cohort) -> None:
    scores = score(bundles["cox"], without(cohort, "copy_number"), allow_missing_assays=True)
    assert scores["missing_assays"].str.contains("copy_number").all()
    assert (scores["evidence"] < 1).all()


def test_one_patient_is_scored_as_among_many(bundles: dict[str, Bundle], cohort: Cohort) -> None:
    whole = score(bundles["cox"], cohort)
    alone = replace(cohort, patients=cohort.patients.iloc[[7]].reset_index(drop=True))
    found = score(bundles["cox"], alone, allow_missing_assays=True)
    pd.testing.assert_frame_equal(found, whole.iloc[[7]].reset_index(drop=True), rtol=1e-12)


def test_ranks_among_other_genes_are_warned_of(bundles: dict[str, Bundle], cohort: Cohort) -> None:
    bundle = bundles["cox"]
    assert cohort.expression is not None
    genes = len(cohort.expression)
    expressed = cohort.patient_ids.isin(cohort.assayed_samples("expression").index)
    relies = replace(bundle, schema=bundle.schema.assign(assay="expression"))
    for trained_on, warned in ((genes, False), (int(genes * 1.4), False), (2 * genes, True), (genes // 2, True)):
        known = replace(relies, training={**bundle.training, "expression_genes": trained_on})
        told = score(known, cohort, allow_missing_assays=True)["warnings"].str.contains("another selection of genes")
        assert told.tolist() == (expressed & warned).tolist()
