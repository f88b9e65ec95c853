from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone

from nbrelapse.models.families import create_model

TRIALS = {
    "cox": ({"penalty": 0.3, "l1_ratio": 0.2}, {"penalty": 0.05}),
    "boosted": ({"n_estimators": 15, "max_depth": 3}, {"n_estimators": 30, "learning_rate": 0.1, "subsample": 0.9}),
    "clinical_cox": ({},),
}


@pytest.mark.parametrize("family", TRIALS)
def test_a_prepared_fold_predicts_what_a_fresh_fit_does_whatever_was_tried_before(simulate, family):
    X, y, _ = simulate(150, missing=0.1)
    unseen, _, _ = simulate(40, seed=1, missing=0.2)
    X["m__5"] = X["m__5"].fillna(0.0)
    base = create_model(family) if family != "boosted" else create_model(family, directions={"m__0": 1})
    base.set_params(columns=["m__5", "m__0", "m__3"])
    predict = base.trial_fold(X, y, unseen)
    for parameters in (*TRIALS[family], TRIALS[family][0]):
        trial = clone(base).set_params(**parameters)
        expected = clone(trial).fit(X, y).predict_log_risk(unseen)
        np.testing.assert_array_equal(predict(trial), expected)
        assert not hasattr(trial, "feature_names_in_")
