"""A parameter that a builder does not read, or lacks."""

from __future__ import annotations

import pytest

from nbrelapse.errors import InputError
from nbrelapse.mechanisms.builder_rules import check_parameters
from nbrelapse.mechanisms.catalogue import FeatureDefinition


def entry(**parameters: object) -> FeatureDefinition:
    return FeatureDefinition("ras_mapk__nf1_loss", "ras_mapk", "", "", "mutations", "binary", "mutations", parameters)


def test_what_the_builder_reads_is_accepted() -> None:
    check_parameters(entry(genes=["NF1"]), ["genes", "variants"], ["genes"])
    check_parameters(entry(), ["genes"])


def test_what_it_does_not_read_is_named_with_what_it_does() -> None:
    with pytest.raises(InputError, match="the builder mutations does not read gene, variant") as error:
        check_parameters(entry(gene="NF1", variant="truncating"), ["genes", "variants"])
    assert (error.value.column, error.value.expected) == ("[ras_mapk.nf1_loss]", "genes, variants")
    assert error.value.fix == "correct the name or remove the key"


def test_what_it_needs_is_asked_for() -> None:
    with pytest.raises(InputError, match="lacks keys") as error:
        check_parameters(entry(variants="truncating"), ["genes", "variants"], ["genes"])
    assert (error.value.column, error.value.expected) == ("[ras_mapk.nf1_loss]", "genes")
