from __future__ import annotations

import pandas as pd
import pytest

from nbrelapse.cohort.genome import _check_positions, _on_contigs, normalise_chromosomes
from nbrelapse.errors import InputError

CONTIGS = [
    "GL000191.1",
    "chrUn_gl000220",
    "chrUn",
    "chr1_KI270706v1_random",
    "chr17_gl000204_random",
    "chr6_apd_hap1",
    "chr22_KI270879v1_alt",
    "KI270728.1",
    "hs37d5",
    "chrEBV",
    "NC_007605",
    "chrUn_JTFH01000001v1_decoy",
    "HLA-A*01:01:01:01",
]


@pytest.mark.parametrize("name", CONTIGS)
def test_contigs(name: str) -> None:
    ready = normalise_chromosomes(pd.Series([name]))
    assert ready.tolist() == [name]
    assert _on_contigs(ready).tolist() == [True]


@pytest.mark.parametrize(
    ("name", "chromosome"),
    [
        ("chr1", "1"),
        ("Chr22", "22"),
        (" 7", "7"),
        ("Chromosome 7", "7"),
        (9, "9"),
        ("x", "X"),
        ("chrX", "X"),
        (23, "X"),
        ("24", "Y"),
        ("chrM", "MT"),
        ("MT", "MT"),
    ],
)
def test_chromosomes(name: object, chromosome: str) -> None:
    ready = normalise_chromosomes(pd.Series([name]))
    assert ready.tolist() == [chromosome]
    assert _on_contigs(ready).tolist() == [False]


@pytest.mark.parametrize("name", ["27", "0", "chr1p", "GL", "random"])
def test_others(name: str) -> None:
    with pytest.raises(InputError, match="unknown code") as caught:
        normalise_chromosomes(pd.Series(["1", name], name="chrom"), file="f")
    assert (caught.value.column, caught.value.rows) == ("chrom", [2])


def table(position: float | None, chromosome: str | None = "17") -> pd.DataFrame:
    return pd.DataFrame({"chromosome": pd.Series([chromosome], dtype="str"), "end": [position]}).astype({"end": float})


def test_the_longer_chromosome_of_the_other_build() -> None:
    # 17 has 81.2 Mb in hg19 and 83.3 Mb in hg38.
    _check_positions(table(83_200_000), "chromosome", ["end"], "hg38", "f")
    with pytest.raises(InputError, match="beyond the end of its chromosome in hg19"):
        _check_positions(table(83_200_000), "chromosome", ["end"], "hg19", "f")


@pytest.mark.parametrize(
    ("position", "chromosome", "build"),
    [
        # A padded last segment, no position, no chromosome, an unplaced contig; no build: the longer chromosome.
        (81_500_000, "17", "hg19"),
        (None, "17", "hg19"),
        (1e9, None, "hg19"),
        (1e9, "GL000192.1", "hg19"),
        (83_500_000, "17", None),
    ],
)
def test_what_is_let_pass(position: float | None, chromosome: str | None, build: str | None) -> None:
    _check_positions(table(position, chromosome), "chromosome", ["end"], build, "f")


def test_a_position_that_no_build_has_is_refused_without_a_build_too() -> None:
    with pytest.raises(InputError, match="beyond the end of its chromosome in any genome build") as caught:
        _check_positions(table(1e9, "17"), "chromosome", ["end"], None, "f")
    assert caught.value.rows == [1]
