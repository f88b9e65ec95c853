from __future__ import annotations

import bioframe
import pytest

from nbrelapse.errors import InputError
from nbrelapse.mechanisms.genome import _GENE_SPANS, _band_span, _cytobands, chromosome_arms


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


@pytest.mark.parametrize("build", ["hg19", "hg38"])
def test_bands_are_those_of_bioframe(build: str) -> None:
    bands = bioframe.assembly_info(build).cytobands
    assert _cytobands(build)[bands.columns].equals(bands)


def test_unknown_build_is_refused() -> None:
    with pytest.raises(InputError, match="hg18"):
        chromosome_arms("hg18")


def test_a_band_covers_its_sub_bands() -> None:
    assert _band_span("hg19", "2p24") == ("2", 12_200_000, 24_000_000)


def test_unknown_band_is_refused() -> None:
    with pytest.raises(InputError, match="2z9"):
        _band_span("hg38", "2z9")


BANDS = {
    "CHD5": "1p36.31",
    "CAMTA1": "1p36",
    "ARID1A": "1p36.11",
    "NRAS": "1p13.2",
    "MYCN": "2p24.3",
    "ALK": "2p23",
    "SOS1": "2p22.1",
    "RAF1": "3p25.2",
    "PHOX2B": "4p13",
    "TENM3": "4q34.3-4q35.1",
    "TERT": "5p15.33",
    "DAXX": "6p21.32",
    "LIN28B": "6q16.3-6q21",
    "ARID1B": "6q25.3",
    "BRAF": "7q34",
    "FGFR1": "8p11",
    "MYC": "8q24.21",
    "PTPRD": "9p23-9p24.1",
    "CDKN2A": "9p21.3",
    "HRAS": "11p15.5",
    "CCND1": "11q13.3",
    "ATM": "11q22.3",
    "CADM1": "11q23.3",
    "CHEK1": "11q24.2",
    "KRAS": "12p12.1",
    "CDK4": "12q14.1",
    "MDM2": "12q15",
    "FRS2": "12q15",
    "PTPN11": "12q24.13",
    "CREBBP": "16p13.3",
    "TP53": "17p13.1",
    "NF1": "17q11.2",
    "PPM1D": "17q23.2",
    "BRIP1": "17q23.2",
    "BIRC5": "17q25.3",
    "FOXR2": "Xp11.21",
    "ATRX": "Xq21.1",
}
"""As HGNC has them."""


def test_every_gene_is_checked() -> None:
    assert all(set(_GENE_SPANS[build]) == set(BANDS) for build in ("hg19", "hg38"))


@pytest.mark.parametrize("build", ["hg19", "hg38"])
@pytest.mark.parametrize(("gene", "band"), BANDS.items())
def test_genes_lie_in_their_bands(build: str, gene: str, band: str) -> None:
    chromosome, first, last = _GENE_SPANS[build][gene]
    spans = [_band_span(build, name) for name in band.split("-")]
    assert {in_chromosome for in_chromosome, _, _ in spans} == {chromosome}
    assert min(start for _, start, _ in spans) <= first < last <= max(end for _, _, end in spans)
