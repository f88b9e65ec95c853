from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nbrelapse.cohort import Cohort
from nbrelapse.errors import InputError
from nbrelapse.outcome import make_outcome


@pytest.fixture
def cohort() -> Cohort:
    """Relapses on days 0, 90 and 400, a death on day 60, ends of observation on days 90, 91 and 900."""
    patients = pd.DataFrame(
        {
            "patient_id": ["r0", "r90", "r400", "d60", "c90", "c91", "c900", "unknown"],
            "event": ["relapse", "relapse", "relapse", "death", "none", "none", "none", None],
            "event_days": [0.0, 90.0, 400.0, 60.0, 90.0, 91.0, 900.0, None],
            "death": [0, 1, 0, 1, 0, 0, 0, None],
            "followup_days": [500.0, 300.0, 500.0, 60.0, 90.0, 91.0, 900.0, None],
        }
    )
    return Cohort("eight", patients, pd.DataFrame(), pd.DataFrame())


def test_those_event_free_and_observed_after_the_landmark_remain_and_time_counts_from_it(cohort: Cohort) -> None:
    outcome = make_outcome(cohort, "relapse", landmark_days=90)
    assert list(outcome.patient_ids) == ["r400", "c91", "c900"]
    assert outcome.y.tolist() == [(1, 310.0), (0, 1.0), (0, 810.0)]
    assert outcome.excluded == {
        "event by day 90, the landmark": 2,
        "competing event by day 90, the landmark": 1,
        "observation ended by day 90, the landmark": 1,
        "first event not recorded": 1,
    }
    assert outcome.choices["landmark_days"] == 90.0


def test_a_patient_who_relapsed_before_the_landmark_is_still_at_risk_of_death(cohort: Cohort) -> None:
    outcome = make_outcome(cohort, "os", landmark_days=90)
    assert dict(zip(outcome.patient_ids, outcome.y.tolist(), strict=True))["r90"] == (1, 210.0)


def test_day_0_is_no_landmark(cohort: Cohort) -> None:
    plain, zero = make_outcome(cohort, "relapse"), make_outcome(cohort, "relapse", landmark_days=0)
    assert np.array_equal(plain.y, zero.y) and "landmark_days" not in zero.choices


@pytest.mark.parametrize("landmark", [-1.0, float("nan"), float("inf")])
def test_illegal_landmarks(cohort: Cohort, landmark: float) -> None:
    with pytest.raises(InputError, match="illegal landmark"):
        make_outcome(cohort, "relapse", landmark_days=landmark)


def test_a_landmark_beyond_the_events_or_the_follow_up_is_refused(cohort: Cohort) -> None:
    with pytest.raises(InputError, match="after the landmark") as error:
        make_outcome(cohort, "relapse", landmark_days=500)
    assert "1 patients are under observation" in str(error.value.expected)
    with pytest.raises(InputError, match="after the landmark") as error:
        make_outcome(cohort, "relapse", landmark_days=5000)
    assert "0 patients are under observation" in str(error.value.expected)


def test_a_binary_endpoint_has_no_landmark(cohort: Cohort) -> None:
    with pytest.raises(InputError, match="'refractory' has no landmark"):
        make_outcome(cohort, "refractory", landmark_days=90)
