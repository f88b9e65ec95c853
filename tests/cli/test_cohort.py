from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from nbrelapse.cli.cohort import app
from nbrelapse.errors import InputError

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
