"""Every kind of file, damaged: exit code 2 with file and fix, or read with a word about it; nothing half done is left.

The tests make a part of the damages, another one of each file; ``NBRELAPSE_TORTURE=1`` makes them all, in some minutes,
and prints the counts by kind. What is seen of a damage: that the command says what is wrong in one message, with the
file and how to fix it, that it takes neither long nor much memory, that it leaves nothing behind, that nothing it
prints would move the cursor of a terminal.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from nbrelapse.cohort import read_cohort, write_cohort
from nbrelapse.mechanisms import build_features, write_features
from nbrelapse.simulation import simulate_cohort

sys.path.insert(0, str(Path(__file__).parent))
from command import Answer, judge, lay_out, run
from damages import Damage, all_damages
from hostile import all_hostile
from subjects import Subject, all_subjects

ALL = os.environ.get("NBRELAPSE_TORTURE") == "1"
STEP, HOSTILE_STEP, PLACES = (1, 1, 20) if ALL else (15, 2, 1)
NEVER_READ = ("experiment", "token", "keyring", "private key")
"""Kinds whose command is refused for something else where the file is good: nothing is trained or served."""
GOOD = ("refused", "told", "same", "plausible")


@pytest.fixture(scope="module")
def subjects(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Subject]:
    """Every kind of file, by its name; two cohorts of simulated patients, one with a layer, and a feature table."""
    folder = tmp_path_factory.mktemp("good")
    cohort = simulate_cohort(40, seed=6)
    assert cohort.expression is not None
    samples = cohort.expression.columns[:9]
    rows = pd.Index(["MYCN.a", "ALK.b", "TP53.c"], name="feature")
    layer = pd.DataFrame({sample: [1.5 + n, 2.5, 3.5 - n] for n, sample in enumerate(samples)}, index=rows)
    assays = pd.DataFrame({"sample_id": samples, "assay": "layer:isoforms"})
    about = {"isoforms": {"unit": "log2", "mechanism": "gene", "file": "isoforms.tsv"}}
    cohort = replace(
        cohort,
        layers={"isoforms": layer},
        assays=pd.concat([cohort.assays, assays], ignore_index=True),
        metadata={**cohort.metadata, "layers": about},
    )
    write_cohort(cohort, folder / "cohort")
    write_cohort(replace(simulate_cohort(30, seed=7), name="second"), folder / "other")
    (folder / "table").mkdir()
    write_features(build_features(cohort), folder / "table" / "table.csv")
    return {subject.name: subject for subject in all_subjects(folder / "cohort", folder / "table")}


def read_whole(subject: Subject, folder: Path) -> Answer:
    """Return what comes of the good files."""
    work, scratch = folder / "good", folder / "of the good"
    work.mkdir()
    scratch.mkdir()
    lay_out(subject, work)
    answer = run(subject.command, work, scratch)
    assert answer.code == (2 if subject.kind in NEVER_READ else 0), answer.err
    return answer


NAMES = [subject.name for subject in all_subjects(Path("cohort"), Path("table"))]


def judged(subject: Subject, damages: list[Damage], folder: Path) -> dict[str, int]:
    good = read_whole(subject, folder)
    found = [(damage, *judge(subject, damage, good, folder)) for damage in damages]
    wrong = [f"{verdict}: {damage.name}: {why}" for damage, verdict, why in found if verdict not in GOOD]
    assert not wrong, f"{len(wrong)} of {len(found)}\n" + "\n".join(wrong)
    return dict(Counter(verdict for _, verdict, _ in found))


@pytest.mark.parametrize("name", NAMES)
def test_a_damaged_file_is_refused_with_file_and_fix(
    name: str, subjects: dict[str, Subject], tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    number, subject = NAMES.index(name), subjects[name]
    damages = all_damages(number, PLACES)[number % STEP :: STEP]
    record_property("tortured", (subject.kind.split()[0], judged(subject, damages, tmp_path)))


HOSTILE = all_hostile()
KINDS = list(dict.fromkeys(f"{hostile.kind} {hostile.target}" for hostile in HOSTILE))


@pytest.mark.parametrize("name", KINDS)
def test_hostile_content_is_refused_with_file_and_fix(
    name: str, subjects: dict[str, Subject], tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    made = [hostile.damage for hostile in HOSTILE if f"{hostile.kind} {hostile.target}" == name]
    damages = made[KINDS.index(name) % HOSTILE_STEP :: HOSTILE_STEP]
    record_property("tortured", (name.split()[0], judged(subjects[name], damages, tmp_path)))


def test_a_changed_bit_of_a_stored_cohort_is_noticed(subjects: dict[str, Subject], tmp_path: Path) -> None:
    """Values are stored with checksums: no bit of a number changes without a word."""
    subject = subjects["cohort cohort/segments.parquet"]
    lay_out(subject, tmp_path)
    file = tmp_path / subject.target
    right, good = file.read_bytes(), read_cohort(tmp_path / "cohort")
    for number in range(24):
        at = 4 + number * (len(right) - 8) // 24
        file.write_bytes(right[:at] + bytes([right[at] ^ 1 << number % 8]) + right[at + 1 :])
        try:
            found = read_cohort(tmp_path / "cohort")
        except ValueError:
            continue
        assert good.segments is not None
        pd.testing.assert_frame_equal(found.segments, good.segments)
