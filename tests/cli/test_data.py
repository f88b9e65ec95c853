"""``nbrelapse features``: the table, who was looked at, and a catalogue of one's own."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from nbrelapse.cli.data import cohort_app as app
from nbrelapse.cohort import Cohort, read_cohort, write_cohort
from nbrelapse.errors import InputError
from nbrelapse.experiment import read_config
from nbrelapse.experiment.prepare import _prepare_data
from nbrelapse.mechanisms import build_features, load_catalogue
from nbrelapse.report.facts import _COUNTS, feature_patients, mechanism_patients
from nbrelapse.report.mechanism_page import mechanism_page
from nbrelapse.simulation import simulate_cohort

MAPPING = """
name = "demo"
[patients]
file = "clinical.tsv"
[patients.columns]
patient_id = "id"
inss_stage = "stage"
event = "event"
event_days = "days"
"""


@pytest.fixture
def mapping(tmp_path: Path) -> Path:
    (tmp_path / "clinical.tsv").write_text("id\tstage\tevent\tdays\na\t4s\trelapse\t400\nb\t4\tnone\t900\n")
    (tmp_path / "map.toml").write_text(MAPPING)
    return tmp_path / "map.toml"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_import_then_check(mapping: Path, tmp_path: Path) -> None:
    out = tmp_path / "cohort"
    imported = run("import", "tables", mapping, "--out", out, "--json")
    assert imported.exit_code == 0
    assert json.loads(imported.stdout)["events"] == {"relapse": 1, "none": 1}
    checked = run("check", out, "--json")
    assert checked.exit_code == 0
    document = json.loads(checked.stdout)
    assert (document["valid"], document["name"], document["patients"]) == (True, "demo", 2)
    assert "demo: 2 patients, 2 samples" in run("check", out).stdout


def test_import_and_check_say_whom_each_endpoint_would_have(mapping: Path, tmp_path: Path) -> None:
    rows = "a\t4s\trelapse\t400\nb\t4\tnone\t900\nc\t4\trelapse\t\nd\t4\tdeath\t31\n"
    (tmp_path / "clinical.tsv").write_text(f"id\tstage\tevent\tdays\n{rows}")
    imported = run("import", "tables", mapping, "--out", tmp_path / "cohort")
    checked = run("check", tmp_path / "cohort")
    line = "relapse     3 patients, 1 with the event, 1 with a competing one; left out: 1 first event has no time\n"
    assert line in imported.stderr
    assert line in checked.stdout
    line = "os          not usable: 3 death not recorded, 1 death has no time; dead among those left out: 1\n"
    assert line in checked.stdout
    endpoints = json.loads(run("check", tmp_path / "cohort", "--json").stdout)["endpoints"]
    assert (endpoints["efs"]["patients"], endpoints["efs"]["events"]) == (3, 2)


def test_check_says_what_first_events_of_unknown_kind_count_as(mapping: Path, tmp_path: Path) -> None:
    mapping.write_text(mapping.read_text() + 'death = "dead"\nfollowup_days = "seen"\n')
    rows = "a\t4\tunspecified\t400\t0\t900\nb\t4\tunspecified\t300\t1\t300\nc\t4\tunspecified\t\t1\t60\n"
    (tmp_path / "clinical.tsv").write_text(f"id\tstage\tevent\tdays\tdead\tseen\n{rows}")
    assert run("import", "tables", mapping, "--out", tmp_path / "cohort").exit_code == 0
    told = "2 first events of unknown kind count as relapses, deaths on the same day aside"
    line = (
        f"relapse     2 patients, 1 with the event, 1 with a competing one; {told}; left out: 1 first event has no time"
    )
    text = run("check", tmp_path / "cohort").stdout
    assert line in text
    assert text.count("unknown kind") == 1
    document = json.loads(run("check", tmp_path / "cohort", "--json").stdout)["endpoints"]
    assert [document[name]["unspecified"] for name in ("relapse", "efs", "os")] == [2, 0, 0]


def test_check_names_the_dead_among_those_left_out(mapping: Path, tmp_path: Path) -> None:
    text = mapping.read_text() + 'death = "dead"\nfollowup_days = "seen"\n'
    mapping.write_text(text)
    rows = "a\t4\trelapse\t400\t0\t900\nb\t4\t\t\t1\t300\nc\t4\tprogression\t\t1\t60\nd\t4\tnone\t900\t0\t900\n"
    (tmp_path / "clinical.tsv").write_text(f"id\tstage\tevent\tdays\tdead\tseen\n{rows}")
    assert run("import", "tables", mapping, "--out", tmp_path / "cohort").exit_code == 0
    checked = run("check", tmp_path / "cohort").stdout
    reasons = "left out: 1 first event not recorded, 1 first event has no time; dead among those left out: 2\n"
    for endpoint in ("relapse", "efs"):
        assert f"{endpoint:<11} 2 patients, 1 with the event; {reasons}" in checked
    document = json.loads(run("check", tmp_path / "cohort", "--json").stdout)["endpoints"]
    assert [document[name]["dead_left_out"] for name in ("relapse", "efs", "os")] == [2, 2, 0]


@pytest.mark.parametrize("dead", ["0", ""])
def test_event_free_after_the_end_of_follow_up_is_refused_by_import_and_check(
    mapping: Path, tmp_path: Path, dead: str
) -> None:
    mapping.write_text(mapping.read_text() + 'death = "dead"\nfollowup_days = "seen"\n')
    rows = f"a\t4\trelapse\t400\t0\t900\nb\t4\tnone\t1500\t{dead}\t{{seen}}\n"
    table = tmp_path / "clinical.tsv"
    table.write_text(f"id\tstage\tevent\tdays\tdead\tseen\n{rows.format(seen=1000)}")
    refused = run("import", "tables", mapping, "--out", tmp_path / "cohort").exception
    assert isinstance(refused, InputError)
    assert (refused.column, refused.rows, Path(refused.file).name) == (
        "days, which the mapping makes event_days",
        [2],
        "clinical.tsv",
    )
    table.write_text(f"id\tstage\tevent\tdays\tdead\tseen\n{rows.format(seen=1480)}")
    assert run("import", "tables", mapping, "--out", tmp_path / "cohort").exit_code == 0
    stored = tmp_path / "cohort" / "patients.parquet"
    patients = pd.read_parquet(stored)
    patients.assign(followup_days=[900.0, 1000.0]).to_parquet(stored)
    assert run("check", tmp_path / "cohort").exit_code == 1


def test_overlap_of_two_cohorts(tmp_path: Path) -> None:
    cohort = simulate_cohort(60, seed=5)
    write_cohort(cohort, tmp_path / "a")
    write_cohort(cohort, tmp_path / "b")
    found = run("overlap", tmp_path / "a", tmp_path / "b", "--out", tmp_path / "pairs.csv")
    assert found.exit_code == 0
    assert "60 of 60 patients of simulated look the same" in found.stdout
    assert not any(patient in found.stdout for patient in cohort.patient_ids)
    assert set(pd.read_csv(tmp_path / "pairs.csv")["first_id"]) == set(cohort.patient_ids)
    document = json.loads(run("overlap", tmp_path / "a", "--json").stdout)
    assert document["beyond_chance"] is False
    assert isinstance(run("overlap", tmp_path / "a", "--out", tmp_path / "pairs.txt").exception, InputError)


def test_without_json_nothing_goes_to_standard_output(mapping: Path, tmp_path: Path) -> None:
    imported = run("import", "tables", mapping, "--out", tmp_path / "cohort")
    assert imported.exit_code == 0
    assert imported.stdout == ""
    assert "written to" in imported.stderr


def test_a_cohort_that_is_not_valid_exits_with_1(mapping: Path, tmp_path: Path) -> None:
    out = tmp_path / "cohort"
    run("import", "tables", mapping, "--out", out)
    (out / "samples.parquet").unlink()
    checked = run("check", out, "--json")
    assert checked.exit_code == 1
    assert json.loads(checked.stdout)["valid"] is False


def test_a_folder_that_is_no_cohort_is_bad_input(tmp_path: Path) -> None:
    result = run("check", tmp_path)
    assert isinstance(result.exception, InputError)


def test_an_existing_cohort_is_kept_and_nothing_is_half_written(mapping: Path, tmp_path: Path) -> None:
    out = tmp_path / "cohort"
    run("import", "tables", mapping, "--out", out)
    before = sorted(path.name for path in tmp_path.iterdir())
    assert isinstance(run("import", "tables", mapping, "--out", out).exception, InputError)
    assert run("import", "tables", mapping, "--out", out, "--overwrite").exit_code == 0
    (tmp_path / "clinical.tsv").write_text("id\tstage\tevent\tdays\na\t5\trelapse\t400\n")
    assert isinstance(run("import", "tables", mapping, "--out", out, "--overwrite").exception, InputError)
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert run("check", out).exit_code == 0


def test_an_unknown_time_point(tmp_path: Path) -> None:
    result = run("import", "cbioportal", tmp_path, "--out", tmp_path / "cohort", "--timepoint", "later")
    assert isinstance(result.exception, InputError)
    assert "diagnosis, refractory, relapse, other" in str(result.exception)


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
    assert (shown.code, shown.err.count("\n")) == (0, 1) and shown.err.startswith("next: ")
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
    pd.testing.assert_frame_equal(found[_COUNTS], feature_patients(simulated, table)[_COUNTS])
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
    found = pd.DataFrame(document["coverage"]["features"]).set_index("feature").loc["p53__tp53_mutation", _COUNTS]
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
    table = _prepare_data(config).table
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
    monkeypatch.setattr("nbrelapse.cohort.storage.read_cohort", None)
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
        "the builder mine of the package broken-nb cannot be imported", "not_installed_anywhere", "fix: "
    )
    assert not (folder / "features.csv").exists()


@pytest.mark.parametrize("columns", [80, 120])
def test_the_text_says_all_and_fits_the_terminal(nbrelapse: Run, monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    shown = nbrelapse("mechanisms")
    assert (shown.code, shown.err) == (0, "")
    assert "\x1b" not in shown.out
    assert max(len(line.rstrip()) for line in shown.out.splitlines()) <= columns
    words = " ".join(shown.out.split())
    for name, definition in load_catalogue().features.items():
        assert f"{name} {definition.title}" in words
        assert " ".join(definition.definition.split()) in words


def test_one_mechanism(nbrelapse: Run) -> None:
    shown = nbrelapse("mechanisms", "--mechanism", "alk")
    words = " ".join(shown.out.split())
    assert "hazard ratio 1.8 (os), adjusted; 10.1200/JCO.21.00086" in words
    assert "genes: ALK protein changes: F1174*, R1275*, F1245*" in words
    assert "therapies crizotinib (single arm), lorlatinib (early)" in words
    assert "evidence single arm: phase 2 trial" in words
    assert "objective response in 3 of 20 patients (15%, 95% CI 3.3-34.3%)" in words
    assert "requires an activating ALK alteration" in words
    assert "No recommendation." in words
    assert "dinutuximab" not in words
    assert "mycn__" not in shown.out
    both = nbrelapse("mechanisms", "--mechanism", "alk", "--mechanism", "p53", "--json").document
    assert [entry["name"] for entry in both["mechanisms"]] == ["alk", "p53"]


def test_json_holds_the_whole_catalogue(nbrelapse: Run) -> None:
    document = nbrelapse("mechanisms", "--json").document
    catalogue = load_catalogue()
    assert document["version"] == catalogue.version
    features = {entry["name"]: entry for mechanism in document["mechanisms"] for entry in mechanism["features"]}
    assert list(features) == list(catalogue.features)
    amplified = features["mycn__amplified"]
    assert amplified["direction"] == {"relapse": 1, "refractory": -1}
    assert amplified["hazard_ratio"]["os"] == math.exp(amplified["log_hazard_prior"]["os"])
    assert features["instability__loss_1p"]["parameters"]["arm"] == "1p"
    therapies = {entry["name"]: entry for entry in document["therapies"]}
    assert list(therapies) == list(catalogue.therapies)
    assert therapies["6-thio-dG"]["level"] == "preclinical"
    assert therapies["6-thio-dG"]["requires"]["none_of"] == ["telomere__alt"]


def test_markdown_is_the_page_of_the_documentation(nbrelapse: Run) -> None:
    assert nbrelapse("mechanisms", "--markdown").out == mechanism_page(load_catalogue())


def test_a_catalogue_of_one_s_own(nbrelapse: Run, empty: Path) -> None:
    (empty / "my.toml").write_text('[alk.gain]\nremove = true\n[alk.amplified]\ntitle = "Many copies"\n')
    shown = nbrelapse("mechanisms", "--catalogue", "my.toml", "--mechanism", "alk")
    assert "alk__amplified  Many copies" in shown.out
    assert "alk__gain" not in shown.out


def test_an_agent_without_evidence_is_said_to_be_not_reviewed(nbrelapse: Run, empty: Path) -> None:
    (empty / "my.toml").write_text('[alk.amplified]\ntherapies = ["some agent"]\n')
    words = " ".join(nbrelapse("mechanisms", "--catalogue", "my.toml", "--mechanism", "alk").out.split())
    assert "therapies some agent (not reviewed)" in words
    assert "some agent evidence not reviewed" in words


def test_a_mechanism_without_therapies_has_no_such_section(nbrelapse: Run) -> None:
    assert "Therapies" not in nbrelapse("mechanisms", "--mechanism", "clinical").out


def test_what_cannot_be_shown_is_refused(nbrelapse: Run, empty: Path) -> None:
    nbrelapse("mechanisms", "--mechanism", "alc").assert_refused("there is no mechanism alc", "mycn, alk, telomere")
    nbrelapse("mechanisms", "--json", "--markdown").assert_refused("two forms of one answer")
    nbrelapse("mechanisms", "--catalogue", "my.toml").assert_refused("the file does not exist", "my.toml")
    (empty / "my.toml").write_text('[alk.gain]\nassay = "array"\n')
    nbrelapse("mechanisms", "--catalogue", "my.toml").assert_refused(
        "illegal assay 'array'", "file: my.toml", "column: [alk.gain]", "expected: clinical, fish", "fix: "
    )


def test_copy_number_calls_and_pictures_go_where_they_are_asked_for(nbrelapse: Run, folder: Path) -> None:
    files = ["--out", "features.csv", "--calls", "calls.tsv", "--genome", "genome.png"]
    shown = nbrelapse("features", "cohort", *files)
    assert (shown.code, shown.err.count("\n")) == (0, 1) and shown.err.startswith("next: ")
    assert "calls: calls.tsv" in shown.out and "genome: genome.png" in shown.out
    calls = pd.read_csv(folder / "calls.tsv", sep="\t")
    assert len(calls) == 60 * 46 and {"patient_id", "arm", "call", "copies", "altered_mb", "scale_told"} <= {*calls}
    assert (folder / "genome.png").read_bytes().startswith(b"\x89PNG")
    patient = calls.loc[calls["call"] == "amplified", "patient_id"].iloc[0]
    shown = nbrelapse("features", "cohort", "--out", "f.csv", "--genome", "one.svg", "--patient", patient, "--json")
    assert shown.code == 0 and (folder / "one.svg").read_text().startswith("<?xml")


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--calls", "calls.xlsx"], "a table of copy-number calls cannot be a .xlsx"),
        (["--genome", "genome.txt"], "a picture cannot be a .txt"),
        (["--patient", "SIM-000001"], "--patient needs --genome"),
        (["--genome", "one.png", "--patient", "nobody"], "the cohort has no patient 'nobody'"),
    ],
)
def test_bad_calls_and_pictures_are_refused_before_the_work(
    nbrelapse: Run, folder: Path, options: list[str], problem: str
) -> None:
    shown = nbrelapse("features", "cohort", "--out", "features.csv", *options)
    assert shown.code == 2 and problem in shown.err
    assert not (folder / "features.csv").exists()


def test_attributes_are_named_and_ignored_and_what_was_not_read_is_said(nbrelapse: Run, empty: Path) -> None:
    study = empty / "study"
    study.mkdir()
    (study / "data_clinical_patient.txt").write_text("PATIENT_ID\tSTAGE\tSEX\nP1\t4S\tMale\nP2\t1\tFemale\n")
    (study / "data_clinical_sample.txt").write_text("SAMPLE_ID\tPATIENT_ID\tMYCN_AMP\nS1\tP1\tYes\nS2\tP2\tNo\n")
    (study / "data_fusions.txt").write_text("Hugo_Symbol\tFusion\nALK\tx\n")
    answer = nbrelapse("cohort", "import", "cbioportal", study, "--out", "plain")
    assert answer.code == 0
    for text in ("attributes not read\n  STAGE", "files not read\n  data_fusions.txt", "inss_stage: no patient"):
        assert text in answer.err
    named = nbrelapse(
        "cohort", "import", "cbioportal", study, "--out", "named", "--attribute", "STAGE=inss_stage", "--ignore", "SEX"
    )
    assert named.code == 0
    patients = read_cohort(empty / "named").patients
    assert patients["inss_stage"].tolist() == ["4S", "1"] and patients["sex"].isna().all()
    checked = nbrelapse("cohort", "check", "named")
    assert "attributes not read\n  SEX (ignored)" in checked.out
    for wrong in ("STAGE", "STAGE=stage", "STAGES=inss_stage"):
        answer = nbrelapse("cohort", "import", "cbioportal", study, "--out", "bad", "--attribute", wrong)
        answer.assert_refused("--attribute")
    assert not (empty / "bad").exists()
