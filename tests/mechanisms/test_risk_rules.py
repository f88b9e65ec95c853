"""Hand-written cases from the PDQ tables of COG version 2 and by INSS stage, INRG and INPC, and of stages."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbrelapse.errors import InputError
from nbrelapse.mechanisms.risk_rules import _group_level, _reachable_groups, _yes_no_inputs

SHORT = {
    "stage": "inrgss_stage",
    "inss": "inss_stage",
    "age": "age_days",
    "mna": "mycn_status",
    "hist": "histology",
    "di": "dna_index",
    "p1": "loss_1p",
    "q11": "loss_11q",
    "resected": "complete_resection",
    "sympt": "symptomatic",
    "gn": "ganglioneuroma_or_intermixed",
    "grade": "grade",
    "mki": "mki",
    "ploidy": "ploidy",
}
A, N = "amplified", "not_amplified"
FH, UH = "favorable", "unfavorable"
CLEAN = {"hist": FH, "di": 1.3, "p1": False, "q11": False}


def table(*cases: dict) -> pd.DataFrame:
    patients = pd.DataFrame([{SHORT[key]: value for key, value in case.items()} for case in cases])
    return patients.set_axis([f"p{number}" for number in range(len(cases))], axis=0)


def groups(case: dict, rule: str) -> set[str]:
    row = _reachable_groups(table(case), rule).iloc[0]
    return set(row.index[row])


COG_V2 = [
    # L1
    ({"stage": "L1", "mna": N}, {"low"}),
    ({"stage": "L1", "mna": N, "age": 3000, "hist": UH, "di": 1.0, "q11": True}, {"low"}),
    ({"stage": "L1", "mna": A, "resected": True}, {"low"}),
    ({"stage": "L1", "mna": A, "resected": False}, {"high"}),
    ({"stage": "L1", "mna": A}, {"low", "high"}),
    ({"stage": "L1"}, {"low", "high"}),
    # L2
    ({"stage": "L2", "mna": A, "age": 100}, {"high"}),
    ({"stage": "L2", "mna": N, "age": 546, "hist": UH}, {"intermediate"}),
    ({"stage": "L2", "mna": N, "age": 547, "hist": UH}, {"high"}),
    ({"stage": "L2", "mna": N, "age": 547, "hist": FH}, {"intermediate"}),
    ({"stage": "L2", "mna": N, "age": 547}, {"intermediate", "high"}),
    ({"stage": "L2", "age": 300, "hist": FH}, {"intermediate", "high"}),
    # M
    ({"stage": "M", "age": 547}, {"high"}),
    ({"stage": "M", "age": 5000, "mna": N, **CLEAN}, {"high"}),
    ({"stage": "M", "age": 364, "mna": A}, {"high"}),
    ({"stage": "M", "age": 364, "mna": N, "hist": UH, "di": 1.0, "p1": True}, {"intermediate"}),
    ({"stage": "M", "age": 365, "mna": N, **CLEAN}, {"intermediate"}),
    ({"stage": "M", "age": 546, "mna": N, **CLEAN, "hist": UH}, {"high"}),
    ({"stage": "M", "age": 400, "mna": N, **CLEAN, "di": 1.0}, {"high"}),
    ({"stage": "M", "age": 400, "mna": N, **CLEAN, "p1": True}, {"high"}),
    ({"stage": "M", "age": 400, "mna": N, **CLEAN, "q11": True}, {"high"}),
    ({"stage": "M", "age": 400, "mna": N}, {"intermediate", "high"}),
    ({"stage": "M", "age": 100}, {"intermediate", "high"}),
    # MS
    ({"stage": "MS", "age": 100, "mna": A}, {"high"}),
    ({"stage": "MS", "age": 100, "mna": N, **CLEAN, "sympt": False}, {"low"}),
    ({"stage": "MS", "age": 100, "mna": N, **CLEAN, "sympt": True}, {"intermediate"}),
    ({"stage": "MS", "age": 100, "mna": N, **CLEAN}, {"low", "intermediate"}),
    ({"stage": "MS", "age": 100, "mna": N, **CLEAN, "sympt": False, "q11": True}, {"intermediate"}),
    ({"stage": "MS", "age": 400, "mna": N, **CLEAN}, {"intermediate"}),
    ({"stage": "MS", "age": 400, "mna": N, **CLEAN, "hist": UH}, {"high"}),
    ({"stage": "MS", "age": 547, "mna": N, **CLEAN}, set()),
    # Stages known only as INSS, or not at all
    ({"inss": "1", "mna": N, "age": 900, "hist": UH}, {"low", "high"}),
    ({"inss": "2B", "mna": N, "age": 100}, {"low", "intermediate"}),
    ({"inss": "3", "mna": N, "age": 900, "hist": FH}, {"low", "intermediate"}),
    ({"inss": "4", "age": 900}, {"high"}),
    ({"inss": "4S", "mna": A, "age": 30}, {"high"}),
    ({"inss": "4", "stage": "L1", "mna": N}, {"low"}),
    ({"age": 900}, {"low", "intermediate", "high"}),
    ({"age": 900, "hist": UH, "mna": N}, {"low", "high"}),
]

INRG = [
    ({"stage": "L1", "gn": True, "mna": A}, {"very_low"}),
    ({"stage": "L2", "gn": True}, {"very_low"}),
    ({"stage": "L1", "mna": N}, {"very_low"}),
    ({"stage": "L1", "mna": A}, {"high"}),
    ({"stage": "L1"}, {"very_low", "high"}),
    ({"stage": "L2", "mna": A, "age": 100}, {"high"}),
    ({"stage": "L2", "mna": N, "age": 546, "q11": False}, {"low"}),
    ({"stage": "L2", "mna": N, "age": 546, "q11": True}, {"intermediate"}),
    ({"stage": "L2", "mna": N, "age": 546}, {"low", "intermediate"}),
    ({"stage": "L2", "mna": N, "age": 547, "grade": "differentiating", "q11": False}, {"low"}),
    ({"stage": "L2", "mna": N, "age": 547, "grade": "differentiating", "q11": True}, {"intermediate"}),
    ({"stage": "L2", "mna": N, "age": 547, "grade": "undifferentiated"}, {"intermediate"}),
    ({"stage": "L2", "mna": N, "age": 547, "q11": False}, {"low", "intermediate"}),
    ({"stage": "M", "age": 547}, {"high"}),
    ({"stage": "M", "age": 100, "mna": A}, {"high"}),
    ({"stage": "M", "age": 546, "mna": N, "di": 1.2}, {"low"}),
    ({"stage": "M", "age": 100, "mna": N, "di": 1.0}, {"intermediate"}),
    ({"stage": "M", "age": 400, "mna": N, "di": 0.9}, {"intermediate"}),
    ({"stage": "M", "age": 400, "mna": N}, {"low", "intermediate"}),
    ({"stage": "M", "mna": N, "ploidy": "hyperdiploid"}, {"low", "high"}),
    ({"stage": "MS", "mna": A, "age": 10}, {"high"}),
    ({"stage": "MS", "mna": N, "q11": True, "age": 10}, {"high"}),
    ({"stage": "MS", "mna": N, "q11": False, "age": 10}, {"very_low"}),
    ({"stage": "MS", "mna": N}, {"very_low", "high"}),
    ({"inss": "4S", "mna": N, "q11": False}, {"very_low"}),
    ({"inss": "3", "mna": N, "age": 700, "grade": "undifferentiated"}, {"very_low", "intermediate"}),
    ({"age": 100}, {"very_low", "low", "intermediate", "high"}),
]


COG_INSS = [
    ({"inss": "1", "age": 4000, "mna": A, "hist": UH}, {"low"}),
    ({"inss": "2A", "age": 364, "mna": A, "hist": UH}, {"low"}),
    ({"inss": "2B", "age": 365, "mna": N, "hist": UH}, {"low"}),
    ({"inss": "2", "age": 365, "mna": A, "hist": FH}, {"low"}),
    ({"inss": "2A", "age": 365, "mna": A, "hist": UH}, {"high"}),
    ({"inss": "2A", "age": 365}, {"low", "high"}),
    ({"inss": "3", "age": 364, "mna": N, "hist": UH}, {"intermediate"}),
    ({"inss": "3", "age": 364, "mna": A}, {"high"}),
    ({"inss": "3", "age": 365, "mna": N, "hist": FH}, {"intermediate"}),
    ({"inss": "3", "age": 365, "mna": N, "hist": UH}, {"high"}),
    ({"inss": "3", "age": 900, "mna": A, "hist": FH}, {"high"}),
    ({"inss": "3", "age": 900}, {"intermediate", "high"}),
    ({"inss": "4", "age": 546, "mna": N, "hist": UH}, {"intermediate"}),
    ({"inss": "4", "age": 400, "mna": A}, {"high"}),
    ({"inss": "4", "age": 547, "mna": N}, {"high"}),
    ({"inss": "4S", "age": 100, "mna": N, "hist": FH, "di": 1.2}, {"low"}),
    ({"inss": "4S", "age": 100, "mna": N, "hist": FH, "di": 0.9}, {"low"}),
    ({"inss": "4S", "age": 100, "mna": N, "hist": FH, "di": 1.0}, {"intermediate"}),
    ({"inss": "4S", "age": 100, "mna": N, "hist": FH, "ploidy": "diploid"}, {"intermediate"}),
    ({"inss": "4S", "age": 100, "mna": N, "hist": UH, "di": 1.2}, {"intermediate"}),
    ({"inss": "4S", "age": 100, "mna": N}, {"low", "intermediate"}),
    ({"inss": "4S", "age": 100, "mna": A}, {"high"}),
    ({"inss": "4S", "age": 365, "mna": A}, set()),
    ({"stage": "L1", "age": 100, "mna": N}, {"low", "intermediate"}),
    ({"stage": "MS", "age": 400, "mna": N}, {"intermediate"}),
    ({"stage": "M", "age": 600}, {"high"}),
]

INPC = [
    ({"age": 546, "grade": "differentiating", "mki": "intermediate"}, {"favorable"}),
    ({"age": 546, "grade": "undifferentiated", "mki": "low"}, {"favorable", "unfavorable"}),
    ({"age": 10, "mki": "high"}, {"unfavorable"}),
    ({"age": 10, "grade": "differentiating"}, {"favorable", "unfavorable"}),
    ({"age": 547, "grade": "differentiating", "mki": "low"}, {"favorable"}),
    ({"age": 1825, "grade": "differentiating", "mki": "low"}, {"favorable"}),
    ({"age": 547, "grade": "differentiating", "mki": "intermediate"}, {"unfavorable"}),
    ({"age": 547, "grade": "undifferentiated", "mki": "low"}, {"unfavorable"}),
    ({"age": 547, "mki": "intermediate"}, {"unfavorable"}),
    ({"age": 547, "mki": "low"}, {"favorable", "unfavorable"}),
    ({"age": 1826, "grade": "differentiating", "mki": "low"}, {"unfavorable"}),
    ({"age": 1826, "gn": True}, {"favorable"}),
    ({"grade": "undifferentiated", "mki": "high", "gn": True}, {"favorable"}),
    ({"mki": "high"}, {"unfavorable"}),
    ({}, {"favorable", "unfavorable"}),
]

STAGES = [
    ("inrgss", {"inss": "1"}, {"L1", "L2"}),
    ("inrgss", {"inss": "2"}, {"L1", "L2"}),
    ("inrgss", {"inss": "3"}, {"L1", "L2"}),
    ("inrgss", {"inss": "4", "age": 30}, {"M"}),
    ("inrgss", {"inss": "4S", "age": 30}, {"MS"}),
    ("inrgss", {"inss": "4S", "age": 547}, set()),
    ("inrgss", {"inss": "4", "stage": "L2"}, {"L2"}),
    ("inrgss", {"age": 546}, {"L1", "L2", "M", "MS"}),
    ("inrgss", {"age": 547}, {"L1", "L2", "M"}),
    ("inss", {"inss": "2"}, {"2A", "2B"}),
    ("inss", {"inss": "2B", "stage": "M"}, {"2B"}),
    ("inss", {"stage": "L1"}, {"1", "2A", "2B", "3"}),
    ("inss", {"stage": "L2"}, {"1", "2A", "2B", "3"}),
    ("inss", {"stage": "M", "age": 30}, {"4"}),
    ("inss", {"stage": "MS", "age": 364}, {"4", "4S"}),
    ("inss", {"stage": "MS", "age": 365}, {"4"}),
    ("inss", {"stage": "MS"}, {"4", "4S"}),
    ("inss", {"inss": "4S", "age": 365}, set()),
    ("inss", {"age": 700}, {"1", "2A", "2B", "3", "4"}),
]


@pytest.mark.parametrize(("case", "expected"), COG_INSS)
def test_cog_inss(case: dict, expected: set[str]) -> None:
    assert groups(case, "cog_inss") == expected


@pytest.mark.parametrize(("case", "expected"), INPC)
def test_inpc(case: dict, expected: set[str]) -> None:
    assert groups(case, "inpc") == expected


@pytest.mark.parametrize(("system", "case", "expected"), STAGES)
def test_stages_of_either_system(system: str, case: dict, expected: set[str]) -> None:
    assert groups(case, system) == expected


@pytest.mark.parametrize(("case", "expected"), COG_V2)
def test_cog_v2(case: dict, expected: set[str]) -> None:
    assert groups(case, "cog_v2") == expected


@pytest.mark.parametrize(("case", "expected"), INRG)
def test_inrg(case: dict, expected: set[str]) -> None:
    assert groups(case, "inrg") == expected


@pytest.mark.parametrize(("rule", "cases"), [("cog_v2", COG_V2), ("inrg", INRG)])
def test_a_table_gives_what_its_rows_give(rule: str, cases: list) -> None:
    together = _reachable_groups(table(*(case for case, _ in cases)), rule)
    expected = pd.DataFrame([[group in found for group in together.columns] for _, found in cases])
    np.testing.assert_array_equal(together.to_numpy(), expected.to_numpy())
    assert together.index[0] == "p0"


def test_level_is_the_mean_over_the_reachable_groups() -> None:
    cases = table(
        {"stage": "L1", "mna": N},
        {"stage": "L1", "mna": A},
        {"stage": "M", "age": 100},
        {"age": 900},
        {"stage": "MS", "age": 900},
    )
    np.testing.assert_array_equal(_group_level(cases, "cog_v2"), [0.0, np.nan, 1.5, np.nan, np.nan])
    np.testing.assert_array_equal(_group_level(cases, "inrg"), [0.0, 3.0, 2.0, np.nan, np.nan])


def test_dna_index_comes_before_recorded_ploidy() -> None:
    case = {"stage": "M", "age": 100, "mna": N, "di": 1.0, "ploidy": "hyperdiploid"}
    assert groups(case, "inrg") == {"intermediate"}


def test_nullable_and_missing_columns() -> None:
    patients = pd.DataFrame(
        {
            "age_days": pd.array([600, None], dtype="Float64"),
            "inss_stage": pd.array(["4", None], dtype="string"),
            "loss_1p": pd.array([True, None], dtype="boolean"),
        }
    )
    found = _reachable_groups(patients, "cog_v2")
    assert found.to_numpy().tolist() == [[False, False, True], [True, True, True]]
    assert _reachable_groups(patients[[]], "inrg").all(axis=None)


def test_an_unknown_rule_names_the_known_ones() -> None:
    with pytest.raises(InputError, match="cog_v9") as caught:
        _reachable_groups(pd.DataFrame({"age_days": [1.0]}), "cog_v9")
    assert caught.value.expected == "inrgss, inss, inpc, cog_inss, cog_v2, inrg"


def test_a_yes_or_no_column_comes_before_what_is_recorded() -> None:
    patients = table({"stage": "M", "age": 100, "mna": N}, {"stage": "M", "age": 100, "mna": N})
    given = patients.assign(mycn_amplified=[1.0, np.nan], loss_11q=[np.nan, 0.0])
    assert _reachable_groups(given, "cog_v2").to_numpy().tolist() == [[False, False, True], [False, True, False]]
    assert _yes_no_inputs("cog_inss") == ("mycn_amplified", "unfavorable_histology", "diploid")


LEVELS = {
    "stage": ["L1", "L2", "M", "MS"],
    "age": [10, 364, 365, 546],
    "mna": [A, N],
    "hist": [FH, UH],
    "di": [1.0, 1.4],
    "p1": [True, False],
    "q11": [True, False],
    "resected": [True, False],
    "sympt": [True, False],
    "grade": ["differentiating", "undifferentiated"],
}
COMPLETE = st.fixed_dictionaries({name: st.sampled_from(levels) for name, levels in LEVELS.items()})


@settings(max_examples=60, deadline=None)
@given(
    case=COMPLETE,
    hidden=st.sets(st.sampled_from(sorted(LEVELS))),
    rule=st.sampled_from(["cog_v2", "inrg", "inrgss"]),
)
def test_complete_records_have_one_group_and_hiding_values_never_loses_it(
    case: dict, hidden: set[str], rule: str
) -> None:
    complete = groups(case, rule)
    assert len(complete) == 1
    assert complete <= groups({**case, **dict.fromkeys(hidden)}, rule)
