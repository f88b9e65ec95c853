from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from nbrelapse.cohort import Cohort, assemble_cohort, read_cohort, write_cohort
from nbrelapse.errors import InputError

LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"


@pytest.fixture
def cohort() -> Cohort:
    return assemble_cohort(
        "demo",
        {
            "patients": pd.DataFrame({"patient_id": ["a", "b"], "mycn_status": ["1", "0"], "high_risk": ["1", None]}),
            "mutations": pd.DataFrame({"sample_id": ["a"], "Hugo_Symbol": ["ALK"], "HGVSp_Short": ["p.F1174L"]}),
            "expression": pd.DataFrame([[1.0, float("nan")]], index=["ALK"], columns=["a", "b"]),
        },
        metadata={"expression": {"unit": "log2", "platform": None}, "scale": float("nan")},
    )


def test_what_is_written_is_read(cohort: Cohort, tmp_path: Path) -> None:
    read = read_cohort(write_cohort(cohort, tmp_path / "new" / "demo"))
    assert read.name == "demo"
    for name in ("patients", "samples", "assays", "mutations", "expression"):
        pd.testing.assert_frame_equal(getattr(read, name), getattr(cohort, name))
    assert read.segments is None
    assert read.metadata["expression"] == {"unit": "log2"}
    assert "scale" not in read.metadata


def test_files_of_the_folder(cohort: Cohort, tmp_path: Path) -> None:
    write_cohort(cohort, tmp_path / "demo")
    names = ["assays", "expression", "mutations", "patients", "samples"]
    assert sorted(file.name for file in (tmp_path / "demo").iterdir()) == sorted(
        [f"{name}.parquet" for name in names] + ["cohort.toml"]
    )
    assert pd.read_parquet(tmp_path / "demo" / "expression.parquet").columns.tolist() == ["Hugo_Symbol", "a", "b"]
    assert [file.name for file in tmp_path.iterdir()] == ["demo"]


def test_overwriting_is_asked_for(cohort: Cohort, tmp_path: Path) -> None:
    write_cohort(cohort, tmp_path / "demo")
    with pytest.raises(InputError, match="a cohort is there already"):
        write_cohort(cohort, tmp_path / "demo")
    (tmp_path / "demo" / "stale.parquet").touch()
    write_cohort(cohort, tmp_path / "demo", overwrite=True)
    assert not (tmp_path / "demo" / "stale.parquet").exists()
    assert [file.name for file in tmp_path.iterdir()] == ["demo"]


def test_a_foreign_folder_is_never_replaced(cohort: Cohort, tmp_path: Path) -> None:
    (tmp_path / "thesis.docx").touch()
    with pytest.raises(InputError, match="has content and is no cohort"):
        write_cohort(cohort, tmp_path, overwrite=True)
    assert (tmp_path / "thesis.docx").exists()


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        read_cohort(tmp_path / "nowhere")


def test_no_cohort_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a cohort folder"):
        read_cohort(tmp_path)


def test_missing_file(cohort: Cohort, tmp_path: Path) -> None:
    write_cohort(cohort, tmp_path / "demo")
    (tmp_path / "demo" / "mutations.parquet").unlink()
    with pytest.raises(InputError, match="the file does not exist") as caught:
        read_cohort(tmp_path / "demo")
    assert str(caught.value.file).endswith("mutations.parquet")


@pytest.mark.parametrize(("content", "problem"), [(LFS, "Git LFS pointer"), ("PAR1nonsense", "damaged")])
def test_unreadable_file(cohort: Cohort, tmp_path: Path, content: str, problem: str) -> None:
    write_cohort(cohort, tmp_path / "demo")
    (tmp_path / "demo" / "patients.parquet").write_text(content)
    with pytest.raises(InputError, match=problem):
        read_cohort(tmp_path / "demo")


def test_another_format(cohort: Cohort, tmp_path: Path) -> None:
    settings = write_cohort(cohort, tmp_path / "demo") / "cohort.toml"
    settings.write_text(settings.read_text().replace("format = 1", "format = 9"))
    with pytest.raises(InputError, match="unknown cohort format 9"):
        read_cohort(tmp_path / "demo")


def test_a_spoilt_table_is_refused_with_its_file(cohort: Cohort, tmp_path: Path) -> None:
    folder = write_cohort(cohort, tmp_path / "demo")
    patients = pd.read_parquet(folder / "patients.parquet")
    patients.assign(event_days=[-1.0, 5.0]).to_parquet(folder / "patients.parquet")
    with pytest.raises(InputError, match="negative value") as caught:
        read_cohort(folder)
    assert str(caught.value.file).endswith("patients.parquet")
