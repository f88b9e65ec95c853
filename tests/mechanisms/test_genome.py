from __future__ import annotations

import pandas as pd
import pytest

from nbrelapse.errors import InputError
from nbrelapse.mechanisms.genome import GENE_SPANS, band_span, chromosome_arms, normalise_chromosome


@pytest.mark.parametrize(
    ("build", "centromeres"),
    [
        ("hg19", {"1": 125.0, "2": 93.3, "3": 91.0, "4": 50.4, "11": 53.7, "17": 24.0, "X": 60.6}),
        ("hg38", {"1": 123.4, "2": 93.9, "3": 90.9, "4": 50.0, "11": 53.4, "17": 25.1, "X": 61.0}),
    ],
)
def test_centromeres(build: str, centromeres: dict[str, float]) -> None:
    found = chromosome_arms(build)["centromere"] / 1e6
    assert found[list(centromeres)].to_dict() == centromeres


def test_lengths_of_hg19() -> None:
    assert chromosome_arms("hg19").loc[["1", "5"], "length"].tolist() == [249250621, 180915260]


def test_unknown_build_is_refused() -> None:
    with pytest.raises(InputError, match="hg18"):
        chromosome_arms("hg18")


def test_a_band_covers_its_sub_bands() -> None:
    assert band_span("hg19", "2p24") == ("2", 12_200_000, 24_000_000)


def test_unknown_band_is_refused() -> None:
    with pytest.raises(InputError, match="2z9"):
        band_span("hg38", "2z9")


@pytest.mark.parametrize("build", ["hg19", "hg38"])
@pytest.mark.parametrize(
    ("gene", "band"),
    [
        ("MYCN", "2p24.3"),
        ("ALK", "2p23"),
        ("TERT", "5p15.33"),
        ("MDM2", "12q15"),
        ("CDK4", "12q14.1"),
        ("CDKN2A", "9p21.3"),
    ],
)
def test_genes_lie_in_their_bands(build: str, gene: str, band: str) -> None:
    chromosome, first, last = GENE_SPANS[build][gene]
    in_chromosome, start, end = band_span(build, band)
    assert chromosome == in_chromosome
    assert start <= first < last <= end


def test_chromosome_names() -> None:
    names = pd.Series(["chr1", "Chr22", " 7", "23", "24", "x", "chrM", "MT"])
    assert normalise_chromosome(names).tolist() == ["1", "22", "7", "X", "Y", "X", "MT", "MT"]
    assert normalise_chromosome(pd.Series([1, 23])).tolist() == ["1", "X"]
