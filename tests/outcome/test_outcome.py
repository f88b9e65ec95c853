"""What an outcome tells of itself, and how it is cut."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import train_test_split

from nbrelapse.errors import InputError
from nbrelapse.outcome import Outcome, summarize_outcome
from nbrelapse.outcome.outcome import SURVIVAL_DTYPE


@pytest.fixture
def relapse() -> Outcome:
    y = np.array([(1, 200.0), (2, 31.0), (0, 900.0), (1, 1250.5)], dtype=SURVIVAL_DTYPE)
    ids = pd.Index(list("abcd"), name="patient_id", dtype="str")
    return Outcome("relapse", ids, y, {"first event not recorded": 1200}, {"unspecified": "event"})


@pytest.fixture
def refractory() -> Outcome:
    return Outcome("refractory", pd.Index(list("abc")), np.array([1, 0, 0], dtype=np.int8))


def test_events_times_and_patients(relapse: Outcome, refractory: Outcome) -> None:
    assert relapse.events.tolist() == [1, 2, 0, 1]
    assert relapse.times.tolist() == [200.0, 31.0, 900.0, 1250.5]
    assert relapse.index is relapse.patient_ids
    assert (len(relapse), relapse.shape) == (4, (4,))
    assert refractory.events.tolist() == [1, 0, 0]
    assert refractory.events.dtype == relapse.events.dtype == np.int64
    relapse.times[0] = 0.0
    assert relapse.y["time"][0] == 200.0


def test_a_binary_outcome_has_no_times(refractory: Outcome) -> None:
    with pytest.raises(InputError, match="endpoint 'refractory' has no times") as error:
        _ = refractory.times
    assert error.value.mend == "use `events`, 1 = refractory"


def test_as_an_array_it_is_y(relapse: Outcome, refractory: Outcome) -> None:
    assert np.asarray(relapse).dtype == SURVIVAL_DTYPE
    np.testing.assert_array_equal(np.asarray(relapse), relapse.y)
    assert np.shares_memory(np.asarray(relapse), relapse.y)
    assert np.asarray(refractory, dtype=float).tolist() == [1.0, 0.0, 0.0]


def test_it_is_cut_by_patient_and_by_row(relapse: Outcome) -> None:
    taken = relapse.take(pd.Index(["d", "a"]))
    assert taken.times.tolist() == [1250.5, 200.0]
    for rows in ([3, 0], np.array([3, 0])):
        assert relapse[rows].patient_ids.tolist() == ["d", "a"]
        assert relapse[rows].times.tolist() == [1250.5, 200.0]
    assert relapse[relapse.events == 1].patient_ids.tolist() == ["a", "d"]
    assert relapse[1:3].choices == relapse.choices
    with pytest.raises(TypeError, match="its values are `y`"):
        relapse[0]
    with pytest.raises(TypeError, match="its values are `y`"):
        relapse["event"]
    train, test = train_test_split(relapse, test_size=0.5, random_state=0)
    assert sorted([*train.patient_ids, *test.patient_ids]) == list("abcd")


def test_its_summary_is_that_of_the_module(relapse: Outcome) -> None:
    assert relapse.summary() == summarize_outcome(relapse)


def test_its_text_says_what_happened_and_who_was_left_out(relapse: Outcome, refractory: Outcome) -> None:
    assert repr(relapse).splitlines() == [
        "Outcome 'relapse': 4 patients, 2 events, 1 competing, 1 censored",
        "  times: 31 to 1250.5 days",
        "  left out: 1,200 first event not recorded",
        "  choices: unspecified = event",
    ]
    assert repr(relapse[[0]]).splitlines()[0] == "Outcome 'relapse': 1 patient, 1 event, 0 censored"
    assert repr(refractory) == "Outcome 'refractory': 3 patients, 1 refractory, 2 responding"
    assert repr(relapse[[]]).startswith("Outcome 'relapse': 0 patients, 0 events, 0 censored")


def test_its_html_is_escaped(relapse: Outcome) -> None:
    odd = Outcome("relapse", relapse.patient_ids, relapse.y, {"<b>": 1})
    assert odd._repr_html_() == (
        "<p>Outcome &#x27;relapse&#x27;: 4 patients, 2 events, 1 competing, 1 censored</p>"
        "<ul><li>times: 31 to 1250.5 days</li><li>left out: 1 &lt;b&gt;</li></ul>"
    )
