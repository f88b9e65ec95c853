"""Layers read by the readers of GEO and of tables."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pytest

from nbrelapse.errors import InputError
from nbrelapse.mechanisms import layer_mechanisms, load_catalogue
from nbrelapse.readers import LayerSource, import_geo, import_tables

SEQC = Path(os.environ.get("NBRELAPSE_DATA", Path(__file__).parents[3] / "shared" / "data")) / "seqc"

MAPPING = """
name = "demo"
[patients]
file = "clinical.tsv"
[patients.columns]
patient_id = "id"
"""
TRANSCRIPTS = "name\tp1\tp2\nMYCN.a\t9.5\t3\nTP53.b\t-0.5\t4\n"


def tables(folder: Path, section: str, content: str = TRANSCRIPTS, **more: str) -> Path:
    (folder / "clinical.tsv").write_text("id\np1\np2\np3\n")
    (folder / "layer.tsv").write_text(content)
    for name, text in more.items():
        (folder / f"{name}.tsv").write_text(text)
    (folder / "map.toml").write_text(f'{MAPPING}\n[layers.{section}\nfile = "layer.tsv"\n')
    return folder / "map.toml"


def test_a_mapping_names_layers(tmp_path: Path) -> None:
    section = 'transcripts]\nmechanism = "gene"\nunit = "LOG2"\nplatform = "Array"\ngenome_build = "GRCh37"'
    cohort = import_tables(tables(tmp_path, section))
    expected = {"unit": "log2", "file": "layer.tsv", "platform": "Array", "genome_build": "hg19", "mechanism": "gene"}
    assert cohort.metadata["layers"] == {"transcripts": expected}
    assert cohort.layers["transcripts"].loc["TP53.b"].to_dict() == {"p1": -0.5, "p2": 4.0}
    assert cohort.assayed_samples("layer:transcripts").index.tolist() == ["p1", "p2"]


def test_a_table_says_the_mechanism_of_each_row(tmp_path: Path) -> None:
    section = 'proteins]\nmechanism = "rows.tsv"\nunit = "z"'
    cohort = import_tables(tables(tmp_path, section, rows="row\tmechanism\nTP53.b\tp53\nabsent\talk\n"))
    assert cohort.metadata["layers"]["proteins"]["mechanisms"] == {"p53": ["TP53.b"], "alk": ["absent"]}
    counts = layer_mechanisms(cohort, load_catalogue())["proteins"]
    assert counts[counts > 0].to_dict() == {"p53": 1, "other": 1}


@pytest.mark.parametrize(
    ("section", "content", "message"),
    [
        ('x]\nunit = "log2"', "name\tp1\tp9\nMYCN\t1\t2\n", "data of samples that no clinical file has"),
        ('x]\nunit = "log2"', "name\tp1\tp2\nMYCN\t1\t200\n", "said to hold log2 values, and has some up to 200"),
        ('x]\nunit = "counts"', TRANSCRIPTS, "said to hold counts, and has negative values"),
        ("x]", TRANSCRIPTS, "the unit of the layer is not known"),
        ('x]\nunit = "log2"\nmechanism = "coordinates"', "n\tp1\nchr2:1-9\t1\n", "coordinates without a genome build"),
        ('x]\nunit = "log2"\nmechanism = "gene"', "n\tp1\tp2\ncg1\t1\t2\n", "1 of 1 rows of the layer find no gene"),
        ('x]\nunit = "z"\nmechanism = "rows.tsv"', TRANSCRIPTS, "the table of mechanisms has 3 columns"),
        ('x]\nunit = "z"\nmechanism = "twice.tsv"', TRANSCRIPTS, "a row is there twice"),
        ('x]\nunit = "z"\nmechanism = "genes"', TRANSCRIPTS, "the file does not exist"),
        ('x]\nunit = "z"\nrow_column = "probe"', TRANSCRIPTS, "a column is missing"),
        ('x]\nunits = "z"', TRANSCRIPTS, "unknown key"),
        ('"x/y"]\nunit = "z"', TRANSCRIPTS, "illegal name of a layer 'x/y'"),
    ],
)
def test_what_a_mapping_cannot_say(section: str, content: str, message: str, tmp_path: Path) -> None:
    mapping = tables(tmp_path, section, content, rows="a\tb\tc\n1\t2\t3\n", twice="a\tb\nTP53.b\tp53\nTP53.b\talk\n")
    with pytest.raises(InputError, match=message):
        import_tables(mapping)


def test_linear_values_are_told(tmp_path: Path) -> None:
    section = 'x]\nmechanism = "gene"'
    cohort = import_tables(tables(tmp_path, section, "n\tp1\tp2\nMYCN\t1\t2000\nALK\t5\t8\n"))
    assert cohort.metadata["layers"]["x"]["unit"] == "linear"
    assert cohort.layers["x"].loc["MYCN", "p2"] == 2000.0


def series(file: Path) -> Path:
    text = (
        '!Series_geo_accession\t"GSE1"\n!Series_platform_id\t"GPL1"\n!Sample_title\t"N1"\t"N2"\n'
        '!Sample_geo_accession\t"GSM1"\t"GSM2"\n!Sample_characteristics_ch1\t"inss stage: 4"\t"inss stage: 1"\n'
    )
    file.write_text(text)
    return file


def test_geo_takes_the_samples_of_the_series(tmp_path: Path) -> None:
    (tmp_path / "layer.tsv").write_text("n\tN1\tGSM2\tN7\nMYCN.a\t1\t2\t3\nALK.a\t2\t1\t4\n")
    source = LayerSource(file=str(tmp_path / "layer.tsv"), mechanism="gene")
    cohort = import_geo([series(tmp_path / "s.txt")], layers={"transcripts": source}, timepoint="diagnosis")
    assert cohort.layers["transcripts"].columns.tolist() == ["N1", "N2"]
    assert cohort.metadata["layers"]["transcripts"]["platform"] == "GPL1"
    assert "layer.tsv: 1 columns are no samples of the series, left out" in cohort.metadata["repairs"]


def test_geo_refuses_a_layer_of_other_samples(tmp_path: Path) -> None:
    (tmp_path / "layer.tsv").write_text("n\tX1\tX2\nMYCN.a\t1\t2\n")
    source = LayerSource(file=str(tmp_path / "layer.tsv"), mechanism="gene")
    with pytest.raises(InputError, match="the file has no sample of the series"):
        import_geo([series(tmp_path / "s.txt")], layers={"transcripts": source})


@pytest.mark.skipif(not SEQC.is_dir(), reason="the data of SEQC are not here (NBRELAPSE_DATA)")
def test_the_layers_of_seqc() -> None:
    layers = {
        "transcripts": LayerSource(file=str(SEQC / "transcripts_log2_2204_isoforms.tsv.gz"), mechanism="gene"),
        "junctions": LayerSource(
            file=str(SEQC / "junctions_log2_2286.tsv.gz"), mechanism="coordinates", genome_build="hg19"
        ),
        "gene_sets": LayerSource(file=str(SEQC / "gene_set_scores_ssgsea.tsv.gz"), mechanism="gene_set"),
    }
    cohort = import_geo([SEQC / "GSE49711_series_matrix.txt.gz"], layers=layers)
    assert {name: layer.shape for name, layer in cohort.layers.items()} == {
        "transcripts": (2204, 498),
        "junctions": (2286, 498),
        "gene_sets": (60, 498),
    }
    assert [about["unit"] for about in cohort.metadata["layers"].values()] == ["log2", "log2", "score"]
    counts: pd.DataFrame = layer_mechanisms(cohort, load_catalogue())
    assert counts.loc["other"].to_dict() == {"transcripts": 2040, "junctions": 2280, "gene_sets": 22}
    assert counts.loc["microenvironment", "gene_sets"] == 20
