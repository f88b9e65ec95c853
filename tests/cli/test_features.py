"""``nbrelapse features``: the table, who was looked at, and a catalogue of one's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from nbrelapse.cohort import Cohort, simulate_cohort, write_cohort
from nbrelapse.experiment import read_config
from nbrelapse.experiment.prepare import prepare_data
from nbrelapse.mechanisms import build_features, load_catalogue
from nbrelapse.report.coverage import COUNTS, feature_patients, mechanism_patients

Run = Callable[..., Any]
OWN = """
[ras_mapk.phox2b]
title = "PHOX2B truncation"
definition = "1 if PHOX2B is truncated."
assay = "mutations"
kind = "binary"
builder = "mutations"
genes = ["PHOX2B"]
variants = "truncating"

[clinical.male]
remove = true
"""


@pytest.fixture(scope="module")
def simulated() -> Cohort:
    return simulate_cohort(60, seed=4)


@pytest.fixture
def folder(empty: Path, simulated: Cohort) -> Path:
    """The working directory, with a cohort in it."""
    write_cohort(simulated, empty / "cohort")
    return empty


def test_coverage_is_shown_as_a_table_and_a_picture(nbrelapse: Run, folder: Path, simulated: Cohort) -> None:
    shown = nbrelapse("features", "cohort", "--out", "features.csv", "--coverage")
    assert (shown.code, shown.err) == (0, "")
    counts = mechanism_patients(simulated, build_features(simulated))
    rows = {line.split()[0]: line.split()[1:] for line in shown.out.splitlines()}
    for mechanism in ("mycn", "alk"):
        own = counts[counts["mechanism"] == mechanism].set_index("assay")
        cells = []
        for assay in counts["assay"].cat.categories:
            found = own.loc[assay] if assay in own.index else None
            cells.append("–" if found is None else str(found["known"]))
            cells += [f"+{found['not_known']}"] if found is not None and found["not_known"] else []
        assert rows[mechanism.upper()] == cells
    assert "–" in rows["MYCN"]
    assert (folder / "features.csv.coverage.png").read_bytes().startswith(b"\x89PNG")
    assert "expression: " in shown.out and "of their genes found" in shown.out


def test_the_picture_goes_where_it_is_asked_for(nbrelapse: Run, folder: Path) -> None:
    shown = nbrelapse("features", "cohort", "--out", "features.parquet", "--coverage-plot", "pictures/who.svg")
    assert shown.code == 0
    assert sorted(path.name for path in folder.iterdir()) == [
        "cohort",
        "features.parquet",
        "features.parquet.json",
        "pictures",
    ]
    assert (folder / "pictures" / "who.svg").read_text().startswith("<?xml")


def test_without_being_asked_it_says_who_was_looked_at_in_one_column(nbrelapse: Run, folder: Path) -> None:
    shown = nbrelapse("features", "cohort", "--out", "features.csv")
    assert "Any assay" in shown.out and "Mutations" not in shown.out
    assert not list(folder.glob("*.png"))


def test_json_has_the_counts_feature_by_feature(nbrelapse: Run, folder: Path, simulated: Cohort) -> None:
    document = nbrelapse("features", "cohort", "--out", "features.csv", "--json").document
    table = build_features(simulated)
    found = pd.DataFrame(document["coverage"]["features"]).set_index("feature")
    pd.testing.assert_frame_equal(found[COUNTS], feature_patients(simulated, table)[COUNTS])
    assert [row["mechanism"] for row in document["coverage"]["mechanisms"]] == list(
        mechanism_patients(simulated, table)["mechanism"]
    )
    genes = {row["feature"]: row for row in document["genes_found"]}
    assert genes["mycn__expression"]["scorable"] is True
    assert document["coverage_plot"] is None


def test_relapse_samples_are_not_counted(nbrelapse: Run, empty: Path, simulated: Cohort) -> None:
    later = simulated.samples.assign(timepoint="relapse")
    write_cohort(
        Cohort("later", simulated.patients, later, simulated.assays, mutations=simulated.mutations), empty / "cohort"
    )
    document = nbrelapse("features", "cohort", "--out", "features.csv", "--json").document
    found = pd.DataFrame(document["coverage"]["features"]).set_index("feature").loc["p53__tp53_mutation", COUNTS]
    assert found.to_dict() == {"known": 0, "not_known": 0, "not_assayed": 60}


def test_a_catalogue_of_one_s_own_adds_and_removes(nbrelapse: Run, folder: Path) -> None:
    (folder / "my.toml").write_text(OWN)
    assert nbrelapse("features", "cohort", "--out", "features.csv", "--catalogue", "my.toml").code == 0
    columns = pd.read_csv("features.csv").columns
    assert "ras_mapk__phox2b" in columns
    assert "clinical__male" not in columns


def test_an_experiment_reads_a_catalogue_of_one_s_own(folder: Path) -> None:
    (folder / "deep").mkdir()
    (folder / "deep" / "my.toml").write_text(OWN)
    (folder / "deep" / "a.toml").write_text('name = "a"\ncatalogue = "my.toml"\n[cohort]\npath = "../cohort"\n')
    config = read_config("deep/a.toml")
    assert config.catalogue == Path("deep/my.toml")
    assert "my.toml" not in config.model_dump_json()
    table = prepare_data(config).table
    assert table.catalogue.version == f"{load_catalogue().version}+my"
    assert "ras_mapk__phox2b" in table.catalogue.features
    assert "clinical__male" not in table.values


def test_a_catalogue_that_leaves_no_feature_is_refused(nbrelapse: Run, folder: Path) -> None:
    (folder / "my.toml").write_text("extends = false\n")
    nbrelapse("features", "cohort", "--out", "features.csv", "--catalogue", "my.toml", "--coverage").assert_refused(
        "no feature can be computed", "my.toml"
    )
    assert not (folder / "features.csv").exists()


@pytest.mark.parametrize(
    ("arguments", "texts"),
    [
        (["--out", "features.xlsx"], ["a feature table cannot be a .xlsx", ".parquet or .csv"]),
        (["--out", "features.csv", "--coverage-plot", "who.gif"], ["a picture cannot be a .gif", ".png or .svg"]),
        (["--out", "features.csv", "--catalogue", "none.toml"], ["the file does not exist", "none.toml"]),
    ],
    ids=["table", "picture", "catalogue"],
)
def test_bad_names_are_refused_before_the_work(
    nbrelapse: Run, folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], texts: list[str]
) -> None:
    monkeypatch.setattr("nbrelapse.cohort.read_cohort", None)
    nbrelapse("features", "cohort", *arguments).assert_refused(*texts)
    assert [path.name for path in folder.iterdir()] == ["cohort"]


def test_a_broken_package_is_one_message(nbrelapse: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = folder / "site"
    (site / "broken_nb-1.0.dist-info").mkdir(parents=True)
    (site / "broken_nb-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-nb\nVersion: 1.0\n")
    (site / "broken_nb-1.0.dist-info" / "entry_points.txt").write_text("[nbrelapse.builders]\nmine = broken_nb:build\n")
    (site / "broken_nb.py").write_text("import not_installed_anywhere\n")
    monkeypatch.syspath_prepend(site)
    (folder / "my.toml").write_text(OWN.replace('builder = "mutations"', 'builder = "mine"'))
    nbrelapse("features", "cohort", "--out", "features.csv", "--catalogue", "my.toml").assert_refused(
        "the builder mine of the package broken-nb cannot be imported", "not_installed_anywhere", "mend: "
    )
    assert not (folder / "features.csv").exists()
