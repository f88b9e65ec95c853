"""``cohort merge`` on the command line: counts, refusals, nothing left where it stops."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nbrelapse.cohort import Cohort, read_cohort, write_cohort

Run = Callable[..., Any]


@pytest.fixture
def folders(empty: Path, cohort: Cohort) -> list[str]:
    """Two overlapping parts of one cohort, as two studies under other names."""
    ids = cohort.patient_ids
    parts = [("one", cohort.take(ids[:100])), ("two", cohort.take(ids[80:]))]
    for name, part in parts:
        write_cohort(replace(part, name=name, metadata={**part.metadata, "selections": []}), empty / name)
    return [name for name, _ in parts]


def test_counts_are_said_and_the_folder_is_a_cohort(nbrelapse: Run, folders: list[str], cohort: Cohort) -> None:
    done = nbrelapse("cohort", "merge", *folders, "--out", "both", "--name", "both studies", "--json")
    assert done.code == 0, done.err
    assert done.document["cohorts"] == [
        {"name": "one", "patients": 100, "added": 100},
        {"name": "two", "patients": 100, "added": 80},
    ]
    assert done.document["studies"] == {"one": 100, "two": 80}
    merged = read_cohort("both")
    assert (merged.name, len(merged.patients)) == ("both studies", 180)
    assert sorted(merged.patient_ids) == sorted(cohort.patient_ids)
    assert len(merged.assayed_samples("expression")) == len(cohort.assayed_samples("expression"))
    told = nbrelapse("cohort", "merge", *folders, "--out", "both", "--overwrite")
    assert told.out.splitlines()[:3] == [
        "one: 100 of 100 patients added",
        "two: 80 of 100 patients added",
        "studies: one 100, two 80",
    ]
    assert not any(patient in told.out for patient in cohort.patient_ids)


@pytest.mark.parametrize(
    ("arguments", "texts"),
    [
        (["one", "two", "--out", "one"], ["the cohort would take the place of one that it comes from"]),
        (["one", "--out", "c"], ["1 cohort cannot be merged", "at least two"]),
        (["one", "./one", "--out", "c"], ["a cohort is named twice"]),
        (["one", "nowhere", "--out", "c"], ["the cohort folder does not exist", "nowhere"]),
        (["one", "two", "--out", "full"], ["the folder has content and is no cohort"]),
        (["one", "two", "--out", "c", "--uncertain", "maybe"], ["illegal value 'maybe'", "stop, join, keep"]),
        (["one", "two", "--out", "c", "--name", " "], ["a cohort needs a name"]),
    ],
)
def test_what_cannot_be_merged_is_refused(
    nbrelapse: Run, folders: list[str], arguments: list[str], texts: list[str]
) -> None:
    Path("full").mkdir()
    Path("full/notes.txt").write_text("mine")
    nbrelapse("cohort", "merge", *arguments).assert_refused(*texts)
    assert sorted(path.name for path in Path().iterdir()) == ["full", "one", "two"]
    assert read_cohort("one").name == "one"
