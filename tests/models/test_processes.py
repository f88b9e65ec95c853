from __future__ import annotations

import os

import pytest
from joblib import delayed

from nbrelapse.models import in_processes, starting_processes


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_results_come_in_the_order_of_the_tasks(n_jobs: int) -> None:
    assert list(in_processes([delayed(pow)(number, 2) for number in range(9)], n_jobs)) == [n**2 for n in range(9)]


def test_one_job_is_done_here_and_only_when_it_is_asked_for() -> None:
    done: list[int] = []
    results = in_processes([delayed(done.append)(1)], n_jobs=1)
    assert done == []
    list(results)
    assert done == [1]


def test_what_was_started_is_used_again() -> None:
    with starting_processes(2):
        pass
    first, second = ({*in_processes([delayed(os.getpid)() for _ in range(20)], 2)} for _ in range(2))
    assert os.getpid() not in first
    assert len(first | second) <= 2
