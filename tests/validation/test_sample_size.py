"""Riley's sample sizes, against the published examples and the definitions."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from nbrelapse.errors import InputError
from nbrelapse.metrics.evaluation import discrimination
from nbrelapse.models.linear import Cox
from nbrelapse.validation.nested import nested_cross_validation
from nbrelapse.validation.sample_size import learning_curve, sample_size


def test_the_published_example_of_recurrent_thromboembolism():
    # Riley 2019, section 6.2: R² 0.051, 30 parameters, 0.065 events a year, 2.07 years: 5143 patients, 23.07 events
    # a parameter.
    n = 5143
    found = sample_size(n, round(n * 0.065 * 2.07), 30, anticipated_r2=0.051)
    assert found.patients_needed == 5143
    assert found.events_per_parameter == pytest.approx(23.07, abs=0.02)
    assert found.shrinkage == pytest.approx(0.9, abs=1e-4)
    assert found.is_enough


def test_the_expected_shrinkage_solves_the_equation_of_the_criterion():
    found = sample_size(249, 89, 60)
    s, r2 = found.shrinkage, found.anticipated_r2
    assert 60 / ((s - 1) * math.log(1 - r2 / s)) == pytest.approx(249)
    share = 89 / 249
    assert r2 == pytest.approx(0.15 * (1 - math.exp(2 * (share * math.log(share) - share))))
    assert not found.is_enough


def test_a_binary_outcome_has_the_largest_r2_of_the_bernoulli_likelihood():
    # Riley 2020: at most 0.75 at a proportion of 0.5, 0.71 at 0.3, 0.48 at 0.1.
    for events, largest in ((500, 0.75), (300, 0.71), (100, 0.48)):
        assert sample_size(1000, events, 5, binary=True).anticipated_r2 / 0.15 == pytest.approx(largest, abs=0.006)


def test_more_patients_and_fewer_parameters_overfit_less():
    few, many = sample_size(200, 60, 40), sample_size(2000, 600, 40)
    assert few.shrinkage < sample_size(200, 60, 10).shrinkage < many.shrinkage < 1
    assert few.patients_needed == many.patients_needed == pytest.approx(4 * sample_size(200, 60, 10).patients_needed, 4)


@pytest.mark.parametrize(
    ("arguments", "options"),
    [((100, 0, 5), {}), ((100, 20, 0), {}), ((100, 100, 5), {"binary": True}), ((100, 20, 5), {"anticipated_r2": 0.9})],
)
def test_what_cannot_be_is_refused(arguments, options):
    with pytest.raises(InputError) as caught:
        sample_size(*arguments, **options)
    assert caught.value.column == "anticipated_r2" or "anticipated_r2" not in options


def test_everybody_having_the_event_is_no_obstacle():
    assert 0 < sample_size(50, 50, 3).shrinkage < 1


SETTINGS = {
    "n_repeats": 1,
    "n_folds": 3,
    "n_inner_folds": 2,
    "n_trials": 2,
    "seed": 1,
    "times": np.array([200.0, 400.0]),
}


@pytest.fixture
def data(outcome):
    y, risk = outcome(240, 12)
    noise = np.random.default_rng(12).normal(size=(240, 5))
    return pd.DataFrame(np.column_stack([risk, noise]), columns=list("xabcde")), y


def test_the_last_point_is_the_nested_cross_validation(data):
    X, y = data
    told = []
    found = learning_curve("cox", Cox(), X, y, **SETTINGS, n_bootstrap=100, progress=lambda *step: told.append(step))
    nested = nested_cross_validation({"cox": Cox()}, X, y, **SETTINGS)["cox"]
    assert found.table["value"].iloc[-1] == pytest.approx(
        discrimination(y, nested.log_risk, fold=nested.fold), abs=1e-12
    )
    assert found.table["patients"].tolist() == pytest.approx([40, 80, 120, 160], abs=1.5)
    assert found.table["events"].is_monotonic_increasing
    assert found.table["step"].iloc[1:].tolist() == pytest.approx(np.diff(found.table["value"]).tolist())
    assert np.isnan(found.table["step"].iloc[0])
    assert (found.table["low"] <= found.table["value"]).all() and (found.table["value"] <= found.table["high"]).all()
    assert told[-1] == (12, 12)
    assert found.notes == []


def test_the_gain_is_that_of_the_line_over_the_inverse_root(data):
    X, y = data
    found = learning_curve("cox", Cox(), X, y, **SETTINGS, n_bootstrap=100)
    n = found.table["patients"].to_numpy()
    slope = np.polyfit(n**-0.5, found.table["value"], 1)[0]
    assert found.gain == pytest.approx(slope * ((2 * n[-1]) ** -0.5 - n[-1] ** -0.5))
    assert found.gain_low <= found.gain <= found.gain_high


def test_the_figures_do_not_depend_on_the_jobs(data):
    X, y = data
    one, two = (learning_curve("cox", Cox(), X, y, **SETTINGS, n_jobs=jobs, n_bootstrap=100) for jobs in (1, 2))
    pd.testing.assert_frame_equal(one.table, two.table, check_exact=True)


def test_parts_with_too_few_events_are_left_out_with_a_note(data):
    X, y = data
    y = y.copy()
    had = np.flatnonzero(y["event"] == 1)
    y["event"][had[12:]] = 0
    found = learning_curve("cox", Cox(), X, y, **SETTINGS, n_bootstrap=100)
    assert len(found.table) == 3
    assert found.notes == ["25% of the patients: left out, a fold has 2 events for 2 inner folds"]


@pytest.mark.parametrize("parameters", [22_000, 1_000_000])
def test_of_thousands_of_parameters_the_shrinkage_is_the_anticipated_r2(parameters):
    found = sample_size(249, 89, parameters)
    assert found.shrinkage == pytest.approx(found.anticipated_r2, rel=1e-9)
    assert found.patients_needed > 100 * parameters / 10
