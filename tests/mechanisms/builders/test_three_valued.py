from __future__ import annotations

import numpy as np
import pytest

from nbrelapse.mechanisms.builders.three_valued import ThreeValued

YES, NO, UNKNOWN = (True, True), (False, False), (False, True)


def one(answer: tuple[bool, bool]) -> ThreeValued:
    return ThreeValued(np.array([answer[0]]), np.array([answer[1]]))


def told(answer: ThreeValued) -> tuple[bool, bool]:
    return bool(answer.certain[0]), bool(answer.possible[0])


@pytest.mark.parametrize(
    ("left", "right", "both", "either"),
    [
        (YES, YES, YES, YES),
        (YES, NO, NO, YES),
        (YES, UNKNOWN, UNKNOWN, YES),
        (NO, NO, NO, NO),
        (NO, UNKNOWN, NO, UNKNOWN),
        (UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN),
    ],
)
def test_kleene(left: tuple, right: tuple, both: tuple, either: tuple) -> None:
    for first, second in ((left, right), (right, left)):
        assert told(one(first) & one(second)) == both
        assert told(one(first) | one(second)) == either


@pytest.mark.parametrize(("answer", "opposite"), [(YES, NO), (NO, YES), (UNKNOWN, UNKNOWN)])
def test_the_opposite(answer: tuple, opposite: tuple) -> None:
    assert told(~one(answer)) == opposite


def test_an_answer_is_unknown_where_nothing_is_known() -> None:
    found = ThreeValued.known(np.array([True, True, False, False]), np.array([True, False, True, False]))
    assert found.certain.tolist() == [True, False, False, False]
    assert found.possible.tolist() == [True, True, False, True]
