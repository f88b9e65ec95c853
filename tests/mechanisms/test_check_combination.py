from __future__ import annotations

import pytest

from nbrelapse.errors import InputError
from nbrelapse.mechanisms.catalogue import FeatureDefinition, load_catalogue
from nbrelapse.mechanisms.check_combination import check_combination


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
        check_combination(definition)


def test_the_error_names_the_entry_and_the_legal_inputs() -> None:
    parameters = {"rule": "cog_inss", "inputs": {"loss_1p": "m__a"}}
    definition = FeatureDefinition("m__x", "m", "X", "", "mutations", "binary", "combination", parameters)
    with pytest.raises(InputError) as caught:
        check_combination(definition)
    assert caught.value.column == "[m.x]"
    assert caught.value.expected == "a feature's name for any of mycn_amplified, unfavorable_histology, diploid"


@pytest.mark.parametrize("definition", load_catalogue().by_builder("combination"), ids=lambda entry: entry.name)
def test_packaged_entries_can_be_read(definition: FeatureDefinition) -> None:
    check_combination(definition)
    others = load_catalogue().features
    assert definition.inputs
    assert set(definition.inputs) <= others.keys()


def test_what_models_read_holds_no_finding_of_another_mechanism() -> None:
    features = load_catalogue().features
    read = [item for item in load_catalogue().by_builder("combination") if item.role == "feature"]
    assert {features[name].mechanism == item.mechanism for item in read for name in item.inputs} == {True}
