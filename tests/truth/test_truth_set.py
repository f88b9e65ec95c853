"""The truth set: a few rows of raw files, and the features that they are, worked out by hand from the definitions.

A case (``cases_*.toml``) has

- ``title``, ``why`` (the trap, or the definition that the values follow from);
- ``files``: rows of raw files by name, see ``conftest.py`` for how they become a complete study;
- ``places``: ``name = [hg19, hg38]``: positions of the same event in the two builds. A case with places, or with
  segments, runs in both; any other in ``build`` (hg19);
- ``expect``: by patient, ``feature = value``, exact. Text is a formula (``"log1p(2)"``) or ``"nan"`` (not looked at, or
  not known);
- ``reader`` (``cbioportal``, ``tables`` or ``gdc``), ``gene_sets``, ``background`` and ``complete`` (see
  ``conftest.py``);
- ``fails``: why the code does not do it yet. Such a case must fail, or the mark goes.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
import pytest

from nbrelapse.cohort.cohort import ASSAYS, Cohort
from nbrelapse.mechanisms import build_features, load_catalogue
from nbrelapse.mechanisms.catalogue import Catalogue
from nbrelapse.readers import import_cbioportal, import_gdc, import_tables

BUILDS = ("hg19", "hg38")
DOCUMENTS = {
    file.stem: tomllib.loads(file.read_text("utf-8")) for file in sorted(Path(__file__).parent.glob("cases_*"))
}
CASES: list[dict[str, Any]] = [case for document in DOCUMENTS.values() for case in document["case"]]
READERS: dict[str, Callable[[Path], Cohort]] = {
    "cbioportal": import_cbioportal,
    "tables": lambda folder: import_tables(folder / "map.toml"),
    "gdc": lambda folder: import_gdc([folder]),
}
CATALOGUE = load_catalogue()
KEYS = {"title", "why", "files", "expect", "places", "build", "reader", "background", "complete", "gene_sets", "fails"}


def builds_of(case: dict[str, Any]) -> tuple[str, ...]:
    both = "places" in case or "data_cna.seg" in case["files"]
    return (case["build"],) if "build" in case else BUILDS if both else BUILDS[:1]


def runs() -> Iterator[Any]:
    for case in CASES:
        marks = [pytest.mark.xfail(strict=True, raises=AssertionError, reason=case["fails"])] if "fails" in case else []
        for build in builds_of(case):
            yield pytest.param(case, build, id=f"{case['title']} ({build})", marks=marks)


def with_inputs(names: set[str]) -> Catalogue:
    """The catalogue of these features and of those that they are computed from: only what a case is about is built."""
    assert names <= {*CATALOGUE.features}, names - {*CATALOGUE.features}
    while more := {name for known in names for name in CATALOGUE.features[known].inputs} - names:
        names = names | more
    kept = {name: definition for name, definition in CATALOGUE.features.items() if name in names}
    return Catalogue(CATALOGUE.version, CATALOGUE.mechanisms, kept)


def number(value: float | str, places: Mapping[str, int]) -> float:
    """Value of an expectation: a number, ``nan``, or a formula."""
    names = {"log1p": np.log1p, "log2": np.log2, "nan": math.nan}
    formula = Template(str(value)).substitute({name: str(place) for name, place in places.items()})
    return float(eval(formula, {"__builtins__": {}}, names))


def same(found: float, expected: float) -> bool:
    """To the last bit."""
    return found == expected or (math.isnan(found) and math.isnan(expected))


@pytest.mark.parametrize(("case", "build"), [*runs()])
def test_case(
    case: dict[str, Any],
    build: str,
    tmp_path: Path,
    write_study: Callable[..., Path],
    chromosome_places: Callable[[str], dict[str, int]],
) -> None:
    reader = case.get("reader", "cbioportal")
    places = {name: pair[BUILDS.index(build)] for name, pair in case.get("places", {}).items()}
    options = {name: case[name] for name in ("background", "complete") if name in case}
    options |= {"build": build, "places": places, "clinical": reader == "cbioportal"}
    cohort = READERS[reader](write_study(tmp_path / "case", case["files"], case["expect"], **options))
    named = {feature for values in case["expect"].values() for feature in values}
    table = build_features(cohort, with_inputs(named), case.get("gene_sets")).values
    everywhere = chromosome_places(build) | places
    wrong = {
        f"{patient} {feature}": {"found": float(table.loc[patient, feature]), "expected": number(value, everywhere)}
        for patient, values in case["expect"].items()
        for feature, value in values.items()
        if not same(float(table.loc[patient, feature]), number(value, everywhere))
    }
    assert not wrong, case["why"]


def test_every_case_says_what_it_expects() -> None:
    titles = [case["title"] for case in CASES]
    assert len({*titles}) == len(titles) >= 90
    for case in CASES:
        assert {"title", "why", "files", "expect"} <= case.keys() <= KEYS, case["title"]
        assert case["expect"] and all(case["expect"].values()), case["title"]
        assert all(len(pair) == len(BUILDS) for pair in case.get("places", {}).values()), case["title"]


def test_every_feature_has_a_case() -> None:
    """Positive and negative where it is one or the other, and known at least once where it is a number."""
    seen: dict[str, set[str]] = {}
    for case in CASES:
        for values in case["expect"].values():
            for feature, value in values.items():
                seen.setdefault(feature, set()).add(str(value))
    features = {
        name: definition
        for name, definition in CATALOGUE.features.items()
        if not {"gene_set", "gene_set_down"} & definition.parameters.keys()
    }
    assert {*features} - {*seen} == set()
    known = {name: seen[name] - {"nan"} for name in features}
    assert [name for name, values in known.items() if not values] == []
    binary = [name for name, definition in features.items() if definition.kind == "binary"]
    assert [name for name in binary if known[name] != {"0", "1"}] == []
    assert [name for name in binary if "nan" not in seen[name]] == []


def test_every_assay_is_looked_at() -> None:
    named = {feature for case in CASES for values in case["expect"].values() for feature in values}
    assert {CATALOGUE.features[name].assay for name in named} == {*ASSAYS}
    assert {CATALOGUE.features[name].mechanism for name in named} == {*CATALOGUE.mechanisms}
