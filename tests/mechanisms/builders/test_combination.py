from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nbrelapse.cohort.cohort import Cohort
from nbrelapse.errors import InputError
from nbrelapse.mechanisms.builders import combination
from nbrelapse.mechanisms.builders.combination import _check_combination, _ThreeValued
from nbrelapse.mechanisms.catalogue import FeatureDefinition, load_catalogue

NAN = np.nan
CATALOGUE = load_catalogue().by_builder("combination")


def cohort_of(n_patients: int, **columns: list) -> Cohort:
    patients = pd.DataFrame({"patient_id": [f"p{number}" for number in range(n_patients)], **columns})
    return Cohort("hand-written", patients, pd.DataFrame(), pd.DataFrame())


def entry(name: str, **parameters: object) -> FeatureDefinition:
    mechanism = name.partition("__")[0]
    return FeatureDefinition(name, mechanism, name, "", "mutations", "binary", "combination", parameters)


def combine(features: dict[str, list], *definitions: FeatureDefinition) -> pd.DataFrame:
    """Combine features given as columns; all columns have the same length."""
    cohort = cohort_of(len(next(iter(features.values()))))
    values = pd.DataFrame(features, index=cohort.patient_ids, dtype="float64")
    return combination.build(cohort, values, definitions)


def one(features: dict[str, float], **parameters: object) -> float:
    return float(
        combine({name: [value] for name, value in features.items()}, entry("a__x", **parameters))["a__x"].iloc[0]
    )


@pytest.mark.parametrize(
    ("a", "b", "any_of", "all_of", "none_of"),
    [
        (0, 0, 0, 0, 1),
        (0, 1, 1, 0, 0),
        (0, NAN, NAN, 0, NAN),
        (1, 0, 1, 0, 0),
        (1, 1, 1, 1, 0),
        (1, NAN, 1, NAN, 0),
        (NAN, 0, NAN, 0, NAN),
        (NAN, 1, 1, NAN, 0),
        (NAN, NAN, NAN, NAN, NAN),
    ],
)
def test_kleene_logic(a: float, b: float, any_of: float, all_of: float, none_of: float) -> None:
    features, operands = {"m__a": a, "m__b": b}, ["m__a", "m__b"]
    found = [one(features, **{name: operands}) for name in ("any_of", "all_of", "none_of")]
    np.testing.assert_array_equal(found, [any_of, all_of, none_of])


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"any_of": ["m__zero", "m__unknown", "m__one"]}, 1),
        ({"all_of": ["m__one", "m__unknown", "m__zero"]}, 0),
        ({"any_of": ["m__unknown"]}, NAN),
        ({"none_of": ["m__zero"]}, 1),
        ({"first_known": ["m__unknown", "m__high", "m__one"]}, 7.5),
        ({"first_known": ["m__unknown", "m__absent"]}, NAN),
        ({"first_known": ["m__zero", "m__one"]}, 0),
        ({"count_known": ["m__unknown", "m__high", "m__zero"]}, 2),
        ({"count_known": ["m__unknown", "m__absent"]}, 0),
        ({"any_of": [{"feature": "m__high", "at_least": 7.5}]}, 1),
        ({"any_of": [{"feature": "m__high", "at_least": 7.6}]}, 0),
        ({"any_of": [{"feature": "m__unknown", "at_least": 0}]}, NAN),
        ({"any_of": ["m__absent", "m__zero"]}, NAN),
        ({"any_of": ["m__absent", "m__one"]}, 1),
        ({"all_of": ["m__one", {"none_of": ["m__zero", "m__zero"]}]}, 1),
        ({"all_of": ["m__one", {"none_of": ["m__zero", "m__unknown"]}]}, NAN),
        ({"any_of": [{"all_of": ["m__one", "m__unknown"]}, {"none_of": ["m__unknown", "m__one"]}]}, NAN),
        ({"first_known": [{"any_of": ["m__unknown", "m__zero"]}, "m__zero"]}, 0),
    ],
)
def test_operands(parameters: dict, expected: float) -> None:
    features = {"m__zero": 0.0, "m__one": 1.0, "m__unknown": NAN, "m__high": 7.5}
    np.testing.assert_array_equal(one(features, **parameters), expected)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (1, 1, 3),
        (1, 0, 3),
        (0, 1, 1),
        (0, 0, 0),
        (1, NAN, 3),
        (0, NAN, 0.5),
        (NAN, 1, 2),
        (NAN, 0, 1.5),
        (NAN, NAN, NAN),
    ],
)
def test_classes_give_the_mean_of_those_that_remain_possible(a: float, b: float, expected: float) -> None:
    classes = [{"value": 3, "when": "m__a"}, {"value": 1, "when": "m__b"}, {"value": 0}]
    np.testing.assert_array_equal(one({"m__a": a, "m__b": b}, classes=classes), expected)


def test_no_class_holds() -> None:
    classes = [{"value": 1, "when": "m__a"}, {"value": 2, "when": {"all_of": ["m__a"]}}]
    np.testing.assert_array_equal(one({"m__a": 0.0}, classes=classes), NAN)


def test_combinations_of_combinations_in_any_order() -> None:
    features = {"m__a": [1.0, 0.0, NAN]}
    last = entry("m__last", none_of=["m__middle"])
    middle = entry("m__middle", any_of=["m__first"])
    first = entry("m__first", all_of=["m__a"])
    table = combine(features, last, middle, first)
    assert list(table.columns) == ["m__last", "m__middle", "m__first"]
    np.testing.assert_array_equal(table["m__last"], [0.0, 1.0, NAN])
    pd.testing.assert_frame_equal(combine(features, first, middle, last)[table.columns], table)


def test_a_circle_is_refused_by_name() -> None:
    with pytest.raises(InputError, match="in a circle") as caught:
        combine({"m__a": [1.0]}, entry("m__x", any_of=["m__y"]), entry("m__y", none_of=["m__x", "m__a"]))
    assert caught.value.column in {"m__x -> m__y -> m__x", "m__y -> m__x -> m__y"}


def test_a_number_is_not_taken_for_true() -> None:
    with pytest.raises(InputError, match="m__age has other values than 0 and 1") as caught:
        one({"m__age": 12.0}, any_of=["m__age"])
    assert caught.value.column == "[a.x]"


def test_index_type_and_nothing_to_do() -> None:
    table = combine({"m__a": [1.0, NAN]}, entry("m__x", any_of=["m__a"]))
    assert table.index.name == "patient_id"
    assert table.index.tolist() == ["p0", "p1"]
    assert (table.dtypes == np.float64).all()
    assert combine({"m__a": [1.0, NAN]}).shape == (2, 0)


def packaged(n_patients: int, features: dict[str, list], **columns: list) -> pd.DataFrame:
    cohort = cohort_of(n_patients, **columns)
    values = pd.DataFrame(features, index=cohort.patient_ids, dtype="float64")
    return combination.build(cohort, values, CATALOGUE)


@pytest.mark.parametrize(
    ("feature", "inputs", "expected"),
    [
        ("mycn__any_amplification", {"mycn__amplified": 0, "mycn__amplified_copy_number": 1}, 0),
        ("mycn__any_amplification", {"mycn__amplified_copy_number": 1}, 1),
        ("mycn__any_amplification", {}, NAN),
        ("telomere__alt", {"telomere__alt_test": 1}, 1),
        ("telomere__alt", {"telomere__alt_test": 0}, 0),
        ("telomere__alt", {"telomere__alt_test": 0, "telomere__atrx_deletion": 1}, 1),
        ("telomere__alt", {"telomere__atrx_daxx_truncating": 1}, 1),
        ("telomere__alt", {"telomere__atrx_daxx_truncating": 0}, NAN),
        ("telomere__alt", {"telomere__atrx_deletion": 0}, NAN),
        ("telomere__alt", {"telomere__atrx_daxx_truncating": 0, "telomere__atrx_deletion": 0}, 0),
        ("telomere__alt", {}, NAN),
        ("telomere__tert_activation", {"telomere__tert_rearrangement": 0}, 0),
        ("telomere__tert_activation", {"telomere__tert_rearrangement": 1}, 1),
        (
            "telomere__tert_activation",
            {"telomere__tert_rearrangement": 0, "telomere__tert_promoter_mutation": 1},
            1,
        ),
        ("telomere__tert_activation", {"telomere__tert_promoter_mutation": 1}, 1),
        ("telomere__tert_activation", {"telomere__tert_promoter_mutation": 0}, NAN),
        ("telomere__maintenance", {"mycn__amplified": 1}, 1),
        ("telomere__maintenance", {"mycn__amplified": 0, "telomere__tert_rearrangement": 0}, NAN),
        (
            "telomere__maintenance",
            {"mycn__amplified": 0, "telomere__tert_rearrangement": 0, "telomere__alt_test": 0},
            0,
        ),
        ("telomere__maintenance", {"mycn__amplified": 0, "telomere__alt_test": 1}, 1),
        ("telomere__evidence", {}, 0),
        ("telomere__evidence", {"mycn__amplified_copy_number": 0, "telomere__tert_rearrangement": 1}, 2),
        ("p53__any_alteration", {"p53__mdm2_amplification": 1}, 1),
        ("p53__any_alteration", {"p53__tp53_mutation": 0}, NAN),
        ("ras_mapk__any_alteration", {"alk__amplified": 1}, 1),
        (
            "ras_mapk__any_alteration",
            {"ras_mapk__activating_mutation": 0, "ras_mapk__nf1_truncating": 0, "alk__hotspot_mutation": 0},
            NAN,
        ),
    ],
)
def test_packaged_entries(feature: str, inputs: dict[str, float], expected: float) -> None:
    table = packaged(1, {name: [value] for name, value in inputs.items()})
    np.testing.assert_array_equal(table[feature].iloc[0], expected)


RAS = ["ras_mapk__activating_mutation", "ras_mapk__nf1_truncating", "alk__hotspot_mutation", "alk__amplified"]
P53 = ["p53__tp53_mutation", "p53__mdm2_amplification", "p53__cdk4_amplification", "p53__cdkn2a_deletion"]
NO_ROUTE = {"mycn__amplified": 0, "telomere__tert_rearrangement": 0, "telomere__alt_test": 0}


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ({"mycn__amplified": 1, "p53__tp53_mutation": 1}, 3),
        ({"mycn__amplified": 1, **dict.fromkeys([*RAS, *P53], 0)}, 2),
        ({**NO_ROUTE, "alk__hotspot_mutation": 1}, 1),
        ({**NO_ROUTE, **dict.fromkeys([*RAS, *P53], 0)}, 0),
        ({"mycn__amplified": 1}, 2.5),
        (NO_ROUTE, 0.5),
        # Either 1 or 3, either 0 or 2: the group between is not possible.
        ({"p53__tp53_mutation": 1}, NAN),
        (dict.fromkeys([*RAS, *P53], 0), NAN),
        ({}, NAN),
    ],
)
def test_ackermann_group(inputs: dict[str, float], expected: float) -> None:
    table = packaged(1, {name: [value] for name, value in inputs.items()})
    np.testing.assert_array_equal(table["telomere__ackermann_group"].iloc[0], expected)


def test_risk_groups_read_the_patients_and_the_copy_number() -> None:
    patients = {
        "inrgss_stage": ["L1", "M", None, "M", "M"],
        "mycn_status": ["not_amplified", "not_amplified", "not_amplified", None, "not_amplified"],
        "age_days": [900.0, None, None, 400.0, 400.0],
    }
    features = {
        "mycn__amplified": [0, 0, 0, NAN, 0],
        "mycn__amplified_copy_number": [NAN, NAN, NAN, 1, 1],
        "instability__loss_11q": [NAN, NAN, NAN, NAN, 1],
    }
    known = packaged(5, features, **patients)
    np.testing.assert_array_equal(known["clinical__cog_v2"], [0.0, 1.5, NAN, 2.0, 2.0])
    np.testing.assert_array_equal(known["clinical__inrg"], [0.0, 2.0, NAN, 3.0, 1.5])
    np.testing.assert_array_equal(known["clinical__cog_inss"], [NAN, 1.5, NAN, 2.0, 1.0])
    unknown = packaged(5, dict.fromkeys(features, [NAN] * 5), **patients)
    np.testing.assert_array_equal(unknown["clinical__cog_v2"], [0.0, 1.5, NAN, 1.5, 1.5])


YES, NO, UNKNOWN = (True, True), (False, False), (False, True)


def three_valued_one(answer: tuple[bool, bool]) -> _ThreeValued:
    return _ThreeValued(np.array([answer[0]]), np.array([answer[1]]))


def told(answer: _ThreeValued) -> tuple[bool, bool]:
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
        assert told(three_valued_one(first) & three_valued_one(second)) == both
        assert told(three_valued_one(first) | three_valued_one(second)) == either


@pytest.mark.parametrize(("answer", "opposite"), [(YES, NO), (NO, YES), (UNKNOWN, UNKNOWN)])
def test_the_opposite(answer: tuple, opposite: tuple) -> None:
    assert told(~three_valued_one(answer)) == opposite


def test_an_answer_is_unknown_where_nothing_is_known() -> None:
    found = _ThreeValued.known(np.array([True, True, False, False]), np.array([True, False, True, False]))
    assert found.certain.tolist() == [True, False, False, False]
    assert found.possible.tolist() == [True, True, False, True]


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        ({}, "needs one operator"),
        ({"any_of": ["m__a"], "all_of": ["m__a"]}, "needs one operator"),
        ({"anyof": ["m__a"]}, "does not read anyof"),
        ({"any_of": []}, "cannot be read"),
        ({"any_of": "m__a"}, "cannot be read"),
        ({"any_of": ["tp53"]}, "cannot be read"),
        ({"any_of": [1]}, "cannot be read"),
        ({"any_of": [{"feature": "m__a"}]}, "cannot be read"),
        ({"any_of": [{"feature": "m__a", "at_least": "high"}]}, "cannot be read"),
        ({"any_of": [{"feature": "m__a", "below": 1}]}, "cannot be read"),
        ({"any_of": [{"any_of": ["m__a"], "all_of": ["m__a"]}]}, "cannot be read"),
        ({"any_of": [{"rule": "inrg"}]}, "cannot be read"),
        ({"classes": [{"value": 1, "when": "m__a"}]}, "illegal classes"),
        ({"classes": [{"value": "x", "when": "m__a"}, {"value": 0}]}, "illegal classes"),
        ({"classes": [{"value": 1, "if": "m__a"}, {"value": 0}]}, "illegal classes"),
        ({"classes": [{"value": 1}, {"value": 0, "when": "m__a"}]}, "only the last class"),
        ({"classes": [{"value": 1, "when": 3}, {"value": 0}]}, "cannot be read"),
        ({"rule": "cog_v9"}, "no classification 'cog_v9'"),
        ({"rule": ["inrg"]}, "illegal rule or inputs"),
        ({"rule": "inrg", "inputs": ["m__a"]}, "illegal rule or inputs"),
        ({"rule": "inrg", "inputs": {"loss_1p": "m__a"}}, "illegal inputs of the rule inrg: loss_1p"),
        ({"rule": "inrg", "inputs": {"age": "m__a"}}, "illegal inputs of the rule inrg: age"),
        ({"rule": "inrg", "inputs": {"loss_11q": "a"}}, "illegal inputs of the rule inrg: loss_11q"),
        ({"any_of": ["m__a"], "inputs": {"loss_11q": "m__a"}}, "inputs without a rule"),
    ],
)
def test_an_entry_that_cannot_be_read_is_refused(parameters: dict, problem: str) -> None:
    definition = FeatureDefinition("m__x", "m", "X", "", "mutations", "binary", "combination", parameters)
    with pytest.raises(InputError, match=problem):
        _check_combination(definition)


def test_the_error_names_the_entry_and_the_legal_inputs() -> None:
    parameters = {"rule": "cog_inss", "inputs": {"loss_1p": "m__a"}}
    definition = FeatureDefinition("m__x", "m", "X", "", "mutations", "binary", "combination", parameters)
    with pytest.raises(InputError) as caught:
        _check_combination(definition)
    assert caught.value.column == "[m.x]"
    assert caught.value.expected == "a feature's name for any of mycn_amplified, unfavorable_histology, diploid"


@pytest.mark.parametrize("definition", load_catalogue().by_builder("combination"), ids=lambda entry: entry.name)
def test_packaged_entries_can_be_read(definition: FeatureDefinition) -> None:
    _check_combination(definition)
    others = load_catalogue().features
    assert definition.inputs
    assert set(definition.inputs) <= others.keys()


def test_what_models_read_holds_no_finding_of_another_mechanism() -> None:
    features = load_catalogue().features
    read = [item for item in load_catalogue().by_builder("combination") if item.role == "feature"]
    assert {features[name].mechanism == item.mechanism for item in read for name in item.inputs} == {True}
