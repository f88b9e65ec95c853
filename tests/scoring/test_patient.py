from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nbrelapse.cohort import Cohort
from nbrelapse.errors import InputError
from nbrelapse.mechanisms import build_features
from nbrelapse.metrics.horizons import YEAR
from nbrelapse.report.patient_report import PatientPrediction
from nbrelapse.scoring import Bundle, ExplainRequest, check_patient, explain_cohort, load_model
from nbrelapse.scoring.patient import _StudiedPatient, describe_patient
from nbrelapse.scoring.scores import _score_features

FOLDER = Path(__file__).parents[1] / "scoring" / "bundles"


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    """Of version 0.1.0: no observed courses stand in it."""
    return load_model(FOLDER / "catalogue_1")


@pytest.fixture(scope="module")
def studied(bundle: Bundle, cohort: Cohort) -> _StudiedPatient:
    features = build_features(cohort, bundle.catalogue).values
    return _StudiedPatient(cohort, features, str(features.index[3]), 3 * YEAR)


@pytest.fixture(scope="module")
def prediction(bundle: Bundle, studied: _StudiedPatient) -> PatientPrediction:
    found = describe_patient(bundle, studied, "today").prediction
    assert found is not None
    return found


def test_the_numbers_are_those_of_the_score(
    bundle: Bundle, studied: _StudiedPatient, prediction: PatientPrediction
) -> None:
    score = _score_features(bundle, studied.X.loc[[studied.patient_id]]).iloc[0]
    expected = tuple(score[["incidence_3y", "incidence_3y_low", "incidence_3y_high"]])
    found = (prediction.probability.prediction.iloc[0], *prediction.band)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert prediction.probabilities["3 years"] == pytest.approx(expected, nan_ok=True)
    assert prediction.percentile == score["risk_percentile"]
    mechanisms = score.filter(like="mechanism__").sum()
    assert prediction.intervals["value"].sum() == pytest.approx(mechanisms, abs=1e-5)


def test_an_older_bundle_says_why_nothing_observed_is_shown(prediction: PatientPrediction) -> None:
    assert str(prediction.group).startswith("the model was saved without")
    assert str(prediction.similar).startswith("the model was saved without")
    assert "course" in prediction.figures


def test_what_therapies_require_is_known_though_the_model_does_not_read_it(
    bundle: Bundle, studied: _StudiedPatient, prediction: PatientPrediction
) -> None:
    requirements = [therapy.requires for therapy in bundle.catalogue.therapies.values() if therapy.requires]
    asked = {name for one in requirements for name in (*one.any_of, *one.none_of)}
    unread = asked - set(studied.X.columns)
    assert unread
    expected = build_features(studied.cohort).values.loc[studied.patient_id, sorted(unread)]
    found = pd.Series({name: prediction.known[name] for name in sorted(unread)})
    np.testing.assert_array_equal(found, expected)


def test_of_whom_too_little_is_known_there_is_no_prediction(bundle: Bundle, studied: _StudiedPatient) -> None:
    unknown = studied.X.copy()
    unknown.loc[studied.patient_id] = np.nan
    content = describe_patient(bundle, replace(studied, X=unknown), "today")
    assert content.prediction is None
    assert content.missing_assays


def test_a_value_out_of_range_comes_with_the_range(bundle: Bundle, studied: _StudiedPatient) -> None:
    read = bundle.schema.index[bundle.schema["low"] < bundle.schema["high"]][0]
    changed = studied.X.copy()
    changed.loc[studied.patient_id, read] = bundle.schema.loc[read, "high"] + 1
    found = describe_patient(bundle, replace(studied, X=changed), "today").prediction
    assert found is not None
    assert found.ranges.loc[read].tolist() == bundle.schema.loc[read, ["low", "high"]].tolist()


def test_an_unknown_patient_is_refused(bundle: Bundle, studied: _StudiedPatient) -> None:
    with pytest.raises(InputError, match="has no patient 'nobody'"):
        describe_patient(bundle, replace(studied, patient_id="nobody"), "today")


def test_ranks_among_other_genes_are_warned_of(bundle: Bundle, studied: _StudiedPatient) -> None:
    measured = str(studied.cohort.assayed_samples("expression").index[0])
    own = replace(studied, patient_id=measured)
    assert studied.cohort.expression is not None
    genes = len(studied.cohort.expression)
    for trained_on, warned in ((genes, False), (genes * 2, True)):
        trained = replace(bundle, training=replace(bundle.training, expression_genes=trained_on))
        warnings = describe_patient(trained, own, "today").warnings
        assert any("another selection of genes" in warning for warning in warnings) == warned


@pytest.mark.parametrize("simulated", [True, False])
def test_pages_of_a_model_of_simulated_patients_say_so_at_their_top(
    bundle: Bundle, studied: _StudiedPatient, tmp_path: Path, simulated: bool
) -> None:
    """Before any number, not only among the notes at the end."""
    of = replace(bundle, training=replace(bundle.training, simulated=simulated))
    found = explain_cohort(of, studied.cohort, tmp_path / "out", ExplainRequest(patient=studied.patient_id))
    assert found.patient_report is not None
    for file in (found.report, found.patient_report):
        top = file.read_text(encoding="utf-8").partition("<main>")[0]
        assert (
            "The model was trained on simulated patients: its numbers hold for no real patient." in top
        ) == simulated


def test_near_ids_are_named_to_the_user_who_asks(studied: _StudiedPatient) -> None:
    known = str(studied.cohort.patient_ids[3])
    for asked in (known.lower(), f" {known}", known.replace("-", "_")):
        with pytest.raises(InputError, match=rf"did you mean {known}\?"):
            check_patient(studied.cohort, asked)
    with pytest.raises(InputError, match=rf"did you mean .*{known}"):
        check_patient(studied.cohort, known[:-3] + known[-2:])
    with pytest.raises(InputError, match="give an id of the column patient_id"):
        check_patient(studied.cohort, "???")


def test_the_id_is_checked_before_anything_is_computed(
    bundle: Bundle, studied: _StudiedPatient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def computed(*_: object, **__: object) -> None:
        raise AssertionError("something was computed")

    monkeypatch.setattr("nbrelapse.scoring.explain.build_features", computed)
    with pytest.raises(InputError, match="has no patient 'nobody'"):
        explain_cohort(bundle, studied.cohort, tmp_path / "out", ExplainRequest(patient="nobody"))
    assert not (tmp_path / "out").exists()
