"""Riley's sample sizes, against the published examples and the definitions."""

from __future__ import annotations

import math

import pytest

from nbrelapse.errors import InputError
from nbrelapse.validation.sample_size import sample_size


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
    with pytest.raises(InputError):
        sample_size(*arguments, **options)


def test_everybody_having_the_event_is_no_obstacle():
    assert 0 < sample_size(50, 50, 3).shrinkage < 1
