from __future__ import annotations

import math

import pytest

from nbrelapse.errors import InputError
from nbrelapse.mechanisms import load_catalogue
from nbrelapse.mechanisms.catalogue import Catalogue, parse_catalogue
from nbrelapse.mechanisms.known_at import known_at


def catalogue_with(**entries: dict[str, object]) -> Catalogue:
    document = load_catalogue().to_document()
    for name, entry in entries.items():
        document["clinical"][name] = {
            "title": name,
            "definition": "A test.",
            "assay": "clinical",
            "kind": "ordinal",
            "builder": "clinical",
        } | entry
    return parse_catalogue(document)


def test_all_packaged_features_are_known_at_diagnosis() -> None:
    catalogue = load_catalogue()
    assert {known_at(catalogue, name) for name in catalogue.features} == {0}


def test_a_feature_is_known_when_the_last_of_its_inputs_is() -> None:
    response = {"levels": {"induction_response": {"CR": 0, "PD": 1}}, "known_at_days": 150}
    later = {"builder": "combination", "any_of": ["clinical__response", "mycn__amplified"]}
    catalogue = catalogue_with(response=response, response_or_mycn=later)
    assert known_at(catalogue, "clinical__response") == 150
    assert known_at(catalogue, "clinical__response_or_mycn") == 150


@pytest.mark.parametrize(
    "entry",
    [
        {"column": "event_days"},
        {"column": "followup_days", "known_at_days": 10},
        {"levels": {"event": {"relapse": 1}}},
        {"levels": {"induction_response": {"PD": 1}}},
    ],
)
def test_the_outcome_and_a_response_without_a_day_are_never_known(entry: dict[str, object]) -> None:
    assert math.isinf(known_at(catalogue_with(late=entry), "clinical__late"))


def test_a_day_before_diagnosis_is_refused() -> None:
    with pytest.raises(InputError, match="illegal known_at_days -1"):
        catalogue_with(early={"column": "ldh", "known_at_days": -1})


def test_the_day_survives_the_way_into_a_bundle() -> None:
    catalogue = catalogue_with(late={"column": "ldh", "known_at_days": 90})
    assert parse_catalogue(catalogue.to_document()).features["clinical__late"].known_at_days == 90
