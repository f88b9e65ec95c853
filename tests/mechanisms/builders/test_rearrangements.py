from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nbrelapse.cohort.cohort import Cohort
from nbrelapse.mechanisms.builders import rearrangements
from nbrelapse.mechanisms.catalogue import load_catalogue

DEFINITIONS = {definition.name: definition for definition in load_catalogue().by_builder("rearrangements")}
TERT = "telomere__tert_rearrangement"
ATRX = "telomere__atrx_deletion"


def sv(sample: str, site1: tuple, site2: tuple = (None, None, None), kind: str = "TRANSLOCATION") -> tuple:
    return (sample, *site1, *site2, kind)


def values(name: str, calls: list[tuple], panels: list[str | None], build: str | None = "hg19") -> list[float]:
    samples = [f"s{number}" for number in range(len(panels))]
    patients = [f"p{number}" for number in range(len(panels) + 1)]
    table = pd.DataFrame(calls, columns=rearrangements.COLUMNS).astype("str")
    cohort = Cohort(
        "hand-written",
        pd.DataFrame({"patient_id": patients}),
        pd.DataFrame({"sample_id": samples, "patient_id": patients[:-1], "timepoint": "diagnosis"}),
        pd.DataFrame({"sample_id": samples, "assay": "rearrangements", "genome_build": build, "panel": panels}),
        panels=pd.DataFrame({"panel": ["P"], "gene": ["ALK"]}),
        rearrangements=table.astype({"site1_position": "float64", "site2_position": "float64"}),
    )
    column = rearrangements.build(cohort, [DEFINITIONS[name]])[name]
    assert column.dtype == np.float64
    return column.tolist()


@pytest.mark.parametrize(
    ("position", "build", "expected"),
    [
        (1203262, "hg19", 1.0),
        (1203261, "hg19", 0.0),
        (1345184, "hg19", 1.0),
        (1345185, "hg19", 0.0),
        (1203147, "hg38", 1.0),
        (1345069, "hg38", 1.0),
        (1345070, "hg38", 0.0),
    ],
)
@pytest.mark.parametrize("side", [0, 1])
def test_breakpoints_within_50_kb_of_tert(position: int, build: str, expected: float, side: int) -> None:
    sites = [(None, "5", position), (None, "7", 30_000_000)]
    found = values(TERT, [sv("s0", sites[side], sites[1 - side])], [None, None], build)
    np.testing.assert_array_equal(found, [expected, 0.0, np.nan])


@pytest.mark.parametrize(
    ("call", "build", "expected"),
    [
        (sv("s0", ("TERT", None, None)), "hg19", 1.0),
        (sv("s0", ("TERT", "5", 1_300_000)), None, 1.0),
        (sv("s0", ("TERT", "5", 9_000_000)), "hg19", 0.0),
        (sv("s0", ("ALK", "2", 29_500_000)), None, 0.0),
        (sv("s0", (None, "5", 1_300_000)), None, np.nan),
        (sv("s0", (None, None, None)), "hg19", np.nan),
        (sv("s0", (None, "7", 1_300_000)), "hg19", 0.0),
    ],
)
def test_the_symbol_decides_where_there_are_no_usable_coordinates(call: tuple, build: str, expected: float) -> None:
    np.testing.assert_array_equal(values(TERT, [call], [None], build), [expected, np.nan])


@pytest.mark.parametrize(
    ("start", "end", "kind", "expected"),
    [
        (76_800_000, 76_950_000, "DELETION", 1.0),
        (76_800_000, 76_950_000, "del", 1.0),
        (76_800_000, 76_950_000, "DUPLICATION", 0.0),
        (76_800_000, 77_500_000, "DEL", 0.0),
        (76_760_356, 77_041_702, "DEL", 1.0),
    ],
)
def test_atrx_deletions_lie_within_the_gene(start: int, end: int, kind: str, expected: float) -> None:
    call = sv("s0", ("ATRX", "X", start), ("ATRX", "X", end), kind)
    np.testing.assert_array_equal(values(ATRX, [call], [None]), [expected, np.nan])


def test_counts_are_of_all_and_need_the_whole_genome() -> None:
    calls = [sv("s0", (None, "1", 5), (None, "2", 6))] * 4 + [sv("s2", ("ALK", "2", 29_500_000))]
    found = values("instability__rearrangement_count", calls, [None, None, "P"])
    np.testing.assert_allclose(found, [np.log(5), 0.0, np.nan, np.nan])


def test_a_panel_without_tert_says_nothing_of_it() -> None:
    np.testing.assert_array_equal(values(TERT, [], ["P", None]), [np.nan, 0.0, np.nan])
