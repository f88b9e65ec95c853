"""Experiment files: what is refused, and how paths are read."""

from __future__ import annotations

import hashlib
import re
import tomllib
from importlib import resources
from pathlib import Path

import pytest

from nbrelapse.cohort import condition_columns
from nbrelapse.errors import InputError
from nbrelapse.experiment.config import parse_config, read_config

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"
COHORTS = "reference/cohorts.toml"


SHIPPED = [*EXPERIMENTS.glob("*.toml"), *(set(EXPERIMENTS.glob("reference/*.toml")) - {EXPERIMENTS / COHORTS})]


@pytest.mark.parametrize("file", sorted(SHIPPED), ids=lambda path: path.stem)
def test_the_shipped_experiments_are_valid(file: Path) -> None:
    assert read_config(file).name == file.stem


def test_paths_start_at_the_file(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text('name = "a"\n[cohort]\npath = "../cohorts/a"\ngene_sets = "/sets.gmt"\n')
    source = read_config(file).cohort
    assert source.path == tmp_path / "../cohorts/a"
    assert source.gene_sets == Path("/sets.gmt")


def test_an_experiment_knows_its_file_without_the_folder(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text('name = "a"\n[cohort]\npath = "/cohorts/a"\n')
    config = read_config(file)
    found = config.model_copy(update={"seed": 3}).file
    assert found == ("a.toml", hashlib.sha256(file.read_bytes()).hexdigest(), ())
    assert "a.toml" not in config.model_dump_json()
    assert parse_config({"name": "a", "cohort": {"simulate": {}}}).file is None


def test_an_unknown_key_in_a_section_names_the_legal_ones(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text('name = "a"\n[cohort]\nsimulate = { patient = 100 }\n')
    with pytest.raises(InputError) as error:
        read_config(file)
    assert error.value.column == "cohort.simulate.patient"
    assert error.value.expected == "patients, seed"
    assert error.value.file == str(file)


@pytest.mark.parametrize(
    ("document", "problem", "column"),
    [
        ({"cohort": {"simulate": {}}}, "a required key is missing", "name"),
        ({"name": "a", "cohort": {}}, "illegal value {}", "cohort"),
        ({"name": "a", "cohort": {"simulate": {}}, "endpoint": "death"}, "illegal value 'death'", "endpoint"),
        ({"name": "a", "cohort": {"simulate": {}}, "models": ["svm"]}, "illegal value 'svm'", "models.0"),
        ({"name": "a", "cohort": {"simulate": {}}, "validation": {"folds": 1}}, "illegal value 1", "validation.folds"),
        (
            {"name": "a", "cohort": {"simulate": {}}, "validation": {"interval": "normal"}},
            "illegal value 'normal'",
            "validation.interval",
        ),
    ],
)
def test_bad_settings(document: dict[str, object], problem: str, column: str) -> None:
    with pytest.raises(InputError) as error:
        parse_config(document)
    assert error.value.problem == problem
    assert error.value.column == column


def test_a_file_that_is_missing_or_no_toml(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        read_config(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("name = ")
    with pytest.raises(InputError, match="not valid TOML"):
        read_config(tmp_path / "bad.toml")


def test_the_quickstart_file_is_the_packaged_one() -> None:
    packaged = resources.files("nbrelapse.experiment") / "quickstart.toml"
    assert (EXPERIMENTS / "quickstart.toml").read_text() == packaged.read_text()


def test_a_model_is_named_once() -> None:
    with pytest.raises(InputError, match="cox"):
        parse_config({"name": "a", "cohort": {"simulate": {}}, "models": ["cox", "cox"]})


PAGE = (EXPERIMENTS.parent / "docs" / "experiment.md").read_text(encoding="utf-8")


def test_the_documented_files_are_valid() -> None:
    files = re.findall(r"^```toml\n(.*?)^```", PAGE, flags=re.M | re.S)
    parsed = [parse_config(tomllib.loads(text)) for text in files]
    assert [config.name for config in parsed] == ["mine", "high_risk_without_cog", "gpoh_jap", "several", "everything"]
    table = PAGE.partition("# Conditions")[2].partition("# features")[0]
    cells = [cell for line in table.splitlines() if line.startswith("| ") for cell in re.findall("`([^`]+)`", line)]
    conditions = [cell for cell in cells if re.search(r"[=<(]| in | is |high_risk", cell)]
    assert len(conditions) == 13
    for condition in conditions:
        condition_columns(condition)


@pytest.mark.parametrize(
    ("where", "text"),
    [
        ("risk_gruop == 'high'", "did you mean risk_group?"),
        ("risk_group = 'high'", "cannot be read"),
        ("patient_id == 'a'", "cannot name patients"),
        ("", "is empty"),
    ],
)
def test_a_condition_is_read_with_the_file(tmp_path: Path, where: str, text: str) -> None:
    file = tmp_path / "a.toml"
    file.write_text(f'name = "a"\n[cohort]\nsimulate = {{}}\nwhere = "{where}"\n')
    with pytest.raises(InputError, match="illegal value") as error:
        read_config(file)
    assert (error.value.file, error.value.column) == (str(file), "cohort.where")
    assert text in str(error.value.expected)


def written(folder: Path, name: str, text: str) -> Path:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def test_a_file_extends_another_and_each_has_its_own_folder(tmp_path: Path) -> None:
    base = """name = "base"
seed = 4
models = ["cox", "boosted"]
[cohort]
path = "../cohorts/a"
gene_sets = "sets.tsv"
[validation]
folds = 3
repeats = 2
"""
    written(tmp_path, "shared/base.toml", base)
    middle = written(tmp_path, "shared/middle.toml", 'extends = "base.toml"\n[validation]\nrepeats = 7\n')
    text = 'extends = "../shared/middle.toml"\nname = "mine"\nmodels = ["cox"]\n[cohort]\npath = "b"\n'
    file = written(tmp_path, "own/mine.toml", text)
    config = read_config(file)
    assert (config.name, config.seed, config.models) == ("mine", 4, ("cox",))
    assert (config.validation.folds, config.validation.repeats) == (3, 7)
    assert config.cohort.path is not None and config.cohort.gene_sets is not None
    assert config.cohort.path.resolve() == tmp_path / "own" / "b"
    assert config.cohort.gene_sets.resolve() == tmp_path / "shared" / "sets.tsv"
    assert config.file is not None and config.file.name == "mine.toml"
    before = config.file.sha256
    middle.write_text(middle.read_text() + "inner_folds = 4\n")
    after = read_config(file).file
    assert after is not None and after.sha256 != before


def test_another_source_of_patients_takes_the_place_of_the_one_below(tmp_path: Path) -> None:
    written(tmp_path, "base.toml", 'name = "a"\n[cohort]\npath = "a"\nwhere = "high_risk"\n')
    file = written(tmp_path, "mine.toml", 'extends = "base.toml"\n[cohort]\nsimulate = { patients = 90 }\n')
    cohort = read_config(file).cohort
    assert cohort.path is None and cohort.simulate is not None and cohort.where == "high_risk"


@pytest.mark.parametrize(
    ("extends", "problem"),
    [('"mine.toml"', "extends itself"), ('"other.toml"', "extends itself"), ('"none.toml"', "not"), ("3", "illegal")],
)
def test_what_cannot_be_extended_is_refused(tmp_path: Path, extends: str, problem: str) -> None:
    written(tmp_path, "other.toml", 'extends = "mine.toml"\n')
    file = written(tmp_path, "mine.toml", f'extends = {extends}\nname = "a"\n[cohort]\nsimulate = {{}}\n')
    with pytest.raises(InputError, match=problem):
        read_config(file)


def test_changes_count_before_the_file(tmp_path: Path) -> None:
    file = written(tmp_path, "a.toml", 'name = "a"\n[cohort]\nsimulate = {}\n[validation]\nfolds = 4\n')
    changes = ["validation.repeats=2", "name=other", "cohort.simulate.patients=90", 'models=["cox"]', "log_paths=true"]
    config = read_config(file, changes)
    assert (config.name, config.models, config.log_paths) == ("other", ("cox",), True)
    assert (config.validation.folds, config.validation.repeats) == (4, 2)
    assert config.cohort.simulate is not None and config.cohort.simulate.patients == 90
    assert config.file is not None
    assert config.file.changed == ("validation.repeats", "name", "cohort.simulate.patients", "models", "log_paths")
    plain = read_config(file).file
    assert plain is not None and plain.sha256 != config.file.sha256


@pytest.mark.parametrize("change", ["validation.repeats", "=3", ".folds=3", "a..b=3"])
def test_a_change_that_is_none_is_refused(tmp_path: Path, change: str) -> None:
    file = written(tmp_path, "a.toml", 'name = "a"\n[cohort]\nsimulate = {}\n')
    with pytest.raises(InputError, match="no change of a key"):
        read_config(file, [change])


def test_all_that_is_wrong_is_said_at_once_with_the_nearest_names(tmp_path: Path) -> None:
    file = written(
        tmp_path, "a.toml", 'name = "a"\nsede = 3\n[cohort]\nsimulate = {}\n[validation]\nfold = 1\nrepeats = 0\n'
    )
    with pytest.raises(InputError) as error:
        read_config(file)
    said = str(error.value).splitlines()
    assert said[0] == "3 keys of the experiment file are wrong"
    assert {line.strip().partition(";")[0] for line in said[1:4]} == {
        "sede: unknown key",
        "validation.fold: unknown key",
        "validation.repeats: illegal value 0",
    }
    assert "did you mean seed?" in str(error.value) and "did you mean folds?" in str(error.value)
    assert f"file: {file}" in str(error.value)
