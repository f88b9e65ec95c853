"""Experiment files: what is refused, and how paths are read."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import pytest

from nbrelapse.errors import InputError
from nbrelapse.experiment.config import parse_config, read_config

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"


@pytest.mark.parametrize("file", sorted(EXPERIMENTS.glob("*.toml")), ids=lambda path: path.stem)
def test_the_shipped_experiments_are_valid(file: Path) -> None:
    assert read_config(file).name == file.stem


def test_paths_start_at_the_file(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text('name = "a"\n[cohort]\npath = "../cohorts/a"\ngene_sets = "/sets.gmt"\n')
    source = read_config(file).cohort
    assert source.path == tmp_path / "../cohorts/a"
    assert source.gene_sets == Path("/sets.gmt")


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
