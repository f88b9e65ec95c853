from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

import nbrelapse
from nbrelapse.errors import InputError
from nbrelapse.explanation import Explanation, explain
from nbrelapse.mechanisms import FeatureTable, build_features, load_catalogue
from nbrelapse.scoring import Bundle
from nbrelapse.simulation import simulate_cohort

Training = tuple[pd.DataFrame, np.ndarray]


@pytest.fixture
def explained(bundles: dict[str, Bundle], training: Training) -> Explanation:
    return explain(bundles["cox"].model, training[0])


def same(found: Explanation, expected: Explanation) -> None:
    pd.testing.assert_frame_equal(found.features, expected.features, rtol=0, atol=0)
    pd.testing.assert_frame_equal(found.mechanisms, expected.mechanisms, rtol=0, atol=0)


def test_the_catalogue_is_that_of_the_table_or_the_packaged_one(
    bundles: dict[str, Bundle], training: Training, explained: Explanation
) -> None:
    model, X, catalogue = bundles["cox"].model, training[0], load_catalogue()
    same(explained, explain(model, X, catalogue))
    table = FeatureTable(X, catalogue.subset(X.columns))
    same(explain(model, table), explained)
    assert explain(model, table).catalogue is table.catalogue
    same(explain(model, table, background=table), explain(model, X, background=X))


def test_a_saved_model_brings_its_catalogue_and_builds_the_features_of_a_cohort(bundles: dict[str, Bundle]) -> None:
    bundle, cohort = bundles["cox"], simulate_cohort(30, 2)
    values = build_features(cohort, bundle.catalogue, bundle.gene_sets).values
    expected = explain(bundle.model, values, bundle.catalogue)
    same(explain(bundle, values), expected)
    same(nbrelapse.explain(bundle, cohort), expected)
    assert explain(bundle, cohort).catalogue is bundle.catalogue


def test_a_catalogue_of_other_features_is_refused(bundles: dict[str, Bundle], training: Training) -> None:
    other = load_catalogue().subset(["mycn__amplified"])
    table = FeatureTable(training[0], other)
    with pytest.raises(InputError, match="reads features that the catalogue does not know"):
        explain(bundles["cox"].model, table)


def test_one_patient_is_explained_as_among_the_others(explained: Explanation) -> None:
    own = explained.patient("patient-7")
    assert list(own.features.index) == ["patient-7"]
    pd.testing.assert_series_equal(own.mechanisms.iloc[0], explained.mechanisms.loc["patient-7"])
    assert own.prediction.item() == explained.prediction["patient-7"]
    assert "of one patient" in repr(own)
    assert "patient-7" not in repr(own)


def test_an_unknown_patient_is_refused_without_naming_anybody(explained: Explanation) -> None:
    with pytest.raises(InputError, match="an id of its 160 patients") as refused:
        explained.patient("somebody")
    assert "patient-" not in str(refused.value)
    assert "somebody" not in str(refused.value)


def test_the_text_says_what_leads(explained: Explanation) -> None:
    text = repr(explained)
    assert text.startswith("Explanation of the log hazard: patients 160, features 4, mechanisms 4\n")
    leading = explained.mechanism_importance().index[0]
    assert text.splitlines()[4].startswith(leading)
    assert "<table" in explained._repr_html_()
    assert leading in explained._repr_html_()


@pytest.mark.parametrize(
    "draw",
    [
        lambda plot: plot(),
        lambda plot: plot.mechanisms(),
        lambda plot: plot.beeswarm(top=3),
        lambda plot: plot.features(top=2),
        lambda plot: plot.dependence("clinical__log2_age"),
    ],
    ids=["default", "mechanisms", "beeswarm", "features", "dependence"],
)
def test_an_explanation_draws_itself(explained: Explanation, draw: Callable[..., object]) -> None:
    from matplotlib.figure import Figure

    assert isinstance(draw(explained.plot), Figure)


def test_one_feature_has_one_panel_and_one_patient_a_waterfall(explained: Explanation) -> None:
    assert len([axes for axes in explained.plot.dependence("mycn__amplified").axes if axes.get_visible()]) == 1
    waterfall = explained.patient("patient-3").plot()
    assert "MYCN" in " ".join(label.get_text() for label in waterfall.axes[0].get_yticklabels())


def test_pictures_of_what_is_not_there_are_refused(explained: Explanation) -> None:
    with pytest.raises(InputError, match="one of its 4 features"):
        explained.plot.dependence("alk__gain")
    with pytest.raises(InputError, match="a waterfall is of one patient, the explanation of 160"):
        explained.plot.waterfall()
