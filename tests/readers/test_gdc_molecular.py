from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from nbrelapse.errors import InputError
from nbrelapse.readers._gdc_molecular import read_star_counts

HEADER = "gene_id gene_name gene_type unstranded stranded_first stranded_second tpm_unstranded fpkm_unstranded"
ROWS = [
    "N_unmapped   9 9 9  ",
    "ENSG1.1 MYCN protein_coding 1 1 1 3 0",
    "ENSG2.1 IL3RA protein_coding 1 1 1 5 0",
    "ENSG2.1_PAR_Y IL3RA protein_coding 1 1 1 2 0",
    "ENSG3.1 TERC lncRNA 1 1 1 15 0",
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    lines = ["# gene-model: GENCODE v36", *[line.replace(" ", "\t") for line in (HEADER, *ROWS)]]
    (tmp_path / "a.tsv").write_text("\n".join(lines) + "\n")
    return tmp_path / "a.tsv"


def test_tpm_of_a_gene_are_added_before_the_logarithm(file: Path) -> None:
    expression, about = read_star_counts([file], ["s"])
    index = pd.Index(["MYCN", "IL3RA"], name="Hugo_Symbol", dtype="str")
    pd.testing.assert_frame_equal(expression, pd.DataFrame({"s": [2.0, 3.0]}, index=index))
    assert about["gene_model"] == "GENCODE v36"


@pytest.mark.parametrize(
    ("gene_types", "genes", "kept"),
    [(["lncRNA"], ["TERC"], "lncRNA"), ([], ["MYCN", "IL3RA", "TERC"], "all")],
)
def test_other_genes(file: Path, gene_types: list[str], genes: list[str], kept: str) -> None:
    expression, about = read_star_counts([file], ["s"], gene_types)
    assert expression.index.tolist() == genes
    assert about["genes"] == kept


def test_two_files(file: Path) -> None:
    other = file.with_name("b.tsv")
    other.write_text(file.read_text().replace("MYCN\tprotein_coding\t1\t1\t1\t3", "MYCN\tprotein_coding\t1\t1\t1\t0"))
    assert read_star_counts([other, file], ["b", "a"])[0].loc["MYCN"].to_dict() == {"b": 0.0, "a": 2.0}
    with pytest.raises(InputError, match="two expression files are of the same sample"):
        read_star_counts([other, file], ["a", "a"])


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("tpm_unstranded", "tpm", "not a file of GDC STAR counts"),
        ("1\t1\t1\t3\t0", "1\t1\t1\t-3\t0", "missing or negative TPM"),
        ("1\t1\t1\t3\t0", "1\t1\t1\t\t0", "missing or negative TPM"),
        ("1\t1\t1\t3\t0", "1\t1\t1\tmany\t0", "not a number"),
        ("protein_coding", "pseudogene", "no gene of these types"),
    ],
)
def test_files_of_another_kind(file: Path, old: str, new: str, problem: str) -> None:
    file.write_text(file.read_text().replace(old, new))
    with pytest.raises(InputError, match=problem):
        read_star_counts([file], ["s"])
