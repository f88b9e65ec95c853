"""Layers on the command line: import, check, features."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from nbrelapse.cli import app
from nbrelapse.cohort import read_cohort
from nbrelapse.errors import InputError

TRANSCRIPTS = "name\tN1\tN2\nMYCN.a\t9\t3\nALK.b\t2\t4\nACTB.c\t5\t1\n"
JUNCTIONS = "name\tN1\tN2\nchr2:16080690-16081000\t1\t2\nchr9:1-9\t2\t1\n"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "s.txt").write_text(
        '!Series_geo_accession\t"GSE1"\n!Series_platform_id\t"GPL1"\n!Sample_title\t"N1"\t"N2"\n'
        '!Sample_characteristics_ch1\t"inss stage: 4"\t"inss stage: 1"\n'
    )
    (tmp_path / "t.tsv").write_text(TRANSCRIPTS)
    (tmp_path / "j.tsv").write_text(JUNCTIONS)
    return tmp_path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def geo(source: Path, *more: object) -> Result:
    return run(
        "cohort", "import", "geo", source / "s.txt", "--timepoint", "diagnosis", "--out", source / "cohort", *more
    )


def test_import_check_and_features(source: Path) -> None:
    layers = ("--layer", f"transcripts={source / 't.tsv'}", "--layer-rows", "transcripts=gene", "--json")
    junctions = ("--layer", f"junctions={source / 'j.tsv'}", "--layer-rows", "junctions=coordinates:hg19")
    imported = geo(source, *layers, *junctions, "--layer-unit", "junctions=log2")
    assert imported.exit_code == 0, imported.output
    expected = {"transcripts": {"mycn": 1, "alk": 1, "other": 1}, "junctions": {"mycn": 1, "other": 1}}
    assert json.loads(imported.stdout)["layer_mechanisms"] == expected
    assert read_cohort(source / "cohort").metadata["layers"]["junctions"]["genome_build"] == "hg19"
    checked = run("cohort", "check", source / "cohort")
    assert "  transcripts  mycn 1, alk 1, other 1\n  junctions    mycn 1, other 1\n" in checked.stdout
    assert json.loads(run("cohort", "check", source / "cohort", "--json").stdout)["layer_mechanisms"] == expected
    table = source / "f.parquet"
    built = run("features", source / "cohort", "--layer", "transcripts", "--out", table)
    assert built.exit_code == 0 and "Other" in built.stdout
    found = pd.read_parquet(table).set_index("patient_id")
    assert found["mycn__transcripts_MYCN.a"].to_dict() == {"N1": 2.5 / 3, "N2": 1.5 / 3}
    assert not any("__junctions_" in name for name in found)
    run("features", source / "cohort", "--layer", "all", "--out", table)
    assert "mycn__junctions_chr2_16080690-16081000" in pd.read_parquet(table)


def test_a_cohort_without_layers_says_nothing_of_them(source: Path) -> None:
    assert geo(source).exit_code == 0
    checked = run("cohort", "check", source / "cohort")
    assert "layer" not in checked.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--layer", "transcripts"), "'transcripts' names no file"),
        (("--layer", "x=a.tsv", "--layer", "x=b.tsv"), "'x' is said twice"),
        (("--layer-rows", "x=gene"), "'x' is no layer"),
        (("--layer", "x=t.tsv", "--layer-unit", "y=log2"), "'y' is no layer"),
        (("--layer", "x=absent.tsv", "--layer-rows", "x=gene"), "the file does not exist"),
    ],
)
def test_options_that_cannot_be_read(source: Path, options: tuple[str, ...], message: str) -> None:
    answer = geo(source, *options)
    assert answer.exit_code == 1 and isinstance(answer.exception, InputError)
    assert message in str(answer.exception)
    assert not (source / "cohort").exists()
