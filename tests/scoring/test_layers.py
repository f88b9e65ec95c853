"""Models that read layers, scored on cohorts with other layers, or without."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nbrelapse.cohort import Cohort, assay_rows
from nbrelapse.errors import InputError
from nbrelapse.mechanisms import build_features, load_catalogue, with_layer_features
from nbrelapse.models import CoxPrior
from nbrelapse.outcome import make_outcome
from nbrelapse.scoring import Bundle, LayerSummary, TrainingSummary, cohort_notes, load_model, save_model, score
from nbrelapse.simulation import simulate_cohort

ROWS = ["MYCN.a", "TP53.b", "ACTB.c", *(f"GENE{number}.d" for number in range(12))]


def with_layers(cohort: Cohort, seed: int = 0) -> Cohort:
    samples = cohort.samples.loc[cohort.samples["timepoint"] == "diagnosis", "sample_id"].tolist()
    draw = np.random.default_rng(seed)
    transcripts = pd.DataFrame(draw.normal(8, 2, size=(len(ROWS), len(samples))), index=ROWS, columns=samples)
    cells = pd.DataFrame(draw.uniform(size=(2, len(samples))), index=["Treg", "B cells"], columns=samples)
    about = {
        "transcripts": {"unit": "log2", "mechanism": "gene"},
        "cells": {"unit": "score", "mechanism": "gene_set"},
    }
    rows = [assay_rows(samples, f"layer:{name}") for name in about]
    return replace(
        cohort,
        assays=pd.concat([cohort.assays, *rows], ignore_index=True),
        layers={name: table.rename_axis("feature") for name, table in (("transcripts", transcripts), ("cells", cells))},
        metadata={**cohort.metadata, "layers": about},
    )


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    return with_layers(simulate_cohort(90, seed=4))


@pytest.fixture(scope="module")
def bundle(cohort: Cohort, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Written and loaded again: what is scored is what the folder says."""
    outcome = make_outcome(cohort, "efs")
    table = build_features(cohort, with_layer_features(load_catalogue(), cohort)).take(outcome.patient_ids)
    read = [name for name in table.columns if table.catalogue.features[name].role == "gene"]
    model = CoxPrior(columns=[*read, "clinical__log2_age"]).fit(table, outcome.y)
    folder: Path = tmp_path_factory.mktemp("layers") / "model"
    save_model(model, folder, X=table, y=outcome, cohort=cohort, refits=2)
    return load_model(folder)


def test_a_saved_model_rebuilds_the_rows_that_it_reads(bundle: Bundle, cohort: Cohort) -> None:
    scores = score(bundle, cohort)
    assert (scores["evidence"] == 1).all() and (scores["missing_assays"] == "").all()
    parts = [name for name in scores if name.startswith("mechanism__")] + ["baseline"]
    assert {"mechanism__mycn", "mechanism__p53", "mechanism__other", "mechanism__microenvironment"} <= set(parts)
    np.testing.assert_allclose(scores[parts].sum(axis=1), scores["log_risk"], atol=1e-9)
    cells = bundle.training.layers["cells"]
    assert (cells.unit, cells.rows) == ("score", 2) and 0 <= cells.low < cells.high <= 1


def test_a_missing_layer_takes_evidence_and_is_said(bundle: Bundle, cohort: Cohort) -> None:
    bare = replace(
        cohort,
        layers={"cells": cohort.layers["cells"]},
        assays=cohort.assays[cohort.assays["assay"] != "layer:transcripts"],
    )
    scores, whole = score(bundle, bare), score(bundle, cohort)
    assert (scores["missing_assays"] == "layer:transcripts").all()
    assert (scores["evidence"] < whole["evidence"]).all()
    assert scores["warnings"].str.contains("the layer transcripts, which the model reads, is not known").all()
    assert any("the layer transcripts, which the model reads, is not known" in note and "(90 of 90 patients)" in note
               for note in cohort_notes(bundle, bare))  # fmt: skip


def test_a_patient_without_the_layer_is_degraded_alone(bundle: Bundle, cohort: Cohort) -> None:
    first = cohort.assayed_samples("layer:transcripts").iloc[0]
    own = (cohort.assays["sample_id"] == first) & (cohort.assays["assay"] == "layer:transcripts")
    layers = {**cohort.layers, "transcripts": cohort.layers["transcripts"].drop(columns=first)}
    scores = score(bundle, replace(cohort, layers=layers, assays=cohort.assays[~own])).set_index("patient_id")
    lacking = scores["missing_assays"] == "layer:transcripts"
    assert lacking.sum() == 1 and lacking.iloc[0]
    pd.testing.assert_frame_equal(scores[~lacking], score(bundle, cohort).set_index("patient_id")[~lacking])


def test_values_on_another_scale_are_said(bundle: Bundle, cohort: Cohort) -> None:
    percent = score(bundle, replace(cohort, layers={**cohort.layers, "cells": 100 * cohort.layers["cells"]}))
    assert percent["warnings"].str.contains("the layer cells holds other values than in training").all()
    counts = replace(
        cohort,
        layers={**cohort.layers, "transcripts": 2 ** cohort.layers["transcripts"]},
        metadata={
            **cohort.metadata,
            "layers": {**cohort.metadata["layers"], "transcripts": {"unit": "counts", "mechanism": "gene"}},
        },
    )
    pd.testing.assert_frame_equal(score(bundle, counts), score(bundle, cohort))


def test_another_unit_is_refused(bundle: Bundle, cohort: Cohort) -> None:
    about = {**cohort.metadata["layers"], "cells": {"unit": "percent", "mechanism": "gene_set"}}
    with pytest.raises(InputError, match="the layer cells is in another unit") as caught:
        score(bundle, replace(cohort, metadata={**cohort.metadata, "layers": about}))
    assert caught.value.expected == "score"


def test_ranks_among_other_rows_are_said(bundle: Bundle, cohort: Cohort) -> None:
    few = replace(cohort, layers={**cohort.layers, "transcripts": cohort.layers["transcripts"].iloc[:7]})
    assert score(bundle, few)["warnings"].str.contains("has 7 rows, in training 15: its ranks are not comparable").all()


def test_the_summary_of_layers_is_kept_as_plain_data() -> None:
    summary = TrainingSummary(patients=2, layers={"x": LayerSummary("log2", 9, -1.0, 4.5)})
    document = summary.to_dict()
    assert document["layers"] == {"x": {"unit": "log2", "rows": 9, "low": -1.0, "high": 4.5}}
    assert TrainingSummary.from_dict(document) == summary
    assert "layers" not in TrainingSummary(patients=2).to_dict()
