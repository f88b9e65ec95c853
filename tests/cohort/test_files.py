from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from nbrelapse.cohort.files import check_file_name, write_beside
from nbrelapse.errors import InputError


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    target = tmp_path / "new" / "scores.csv"
    for text in ("first", "second"):
        with write_beside(target) as beside:
            beside.write_text(text)
            assert beside.suffix == ".csv"
        assert target.read_text() == text
    assert [path.name for path in target.parent.iterdir()] == ["scores.csv"]


def test_a_folder_is_replaced_whole(tmp_path: Path) -> None:
    target = tmp_path / "cohort"
    for name in ("first", "second"):
        with write_beside(target) as beside:
            beside.mkdir()
            (beside / name).write_text(name)
    assert [path.name for path in target.iterdir()] == ["second"]
    assert [path.name for path in tmp_path.iterdir()] == ["cohort"]


@pytest.mark.parametrize("failure", [OSError("full"), KeyboardInterrupt()])
def test_a_failure_leaves_what_was_there(tmp_path: Path, failure: BaseException) -> None:
    target = tmp_path / "scores.csv"
    target.write_text("old")
    with pytest.raises(type(failure)), write_beside(target) as beside:
        beside.write_text("half")
        raise failure
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["scores.csv"]


def test_a_folder_that_cannot_take_its_place_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "cohort"
    target.mkdir()
    (target / "old").write_text("old")
    rename = Path.rename

    def fail_for_the_new(self: Path, to: Path) -> Path:
        if (self / "new").exists():
            raise OSError("busy")
        return rename(self, to)

    monkeypatch.setattr(Path, "rename", fail_for_the_new)
    with pytest.raises(OSError, match="busy"), write_beside(target) as beside:
        beside.mkdir()
        (beside / "new").write_text("new")
    assert (target / "old").read_text() == "old"


def rights(path: Path) -> str:
    return oct(path.stat().st_mode & 0o777)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such rights")
def test_rows_of_patients_are_their_owners_alone(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        with write_beside(tmp_path / "open.csv") as beside:
            beside.write_text("n")
        with write_beside(tmp_path / "scores.csv", private=True) as beside:
            beside.write_text("patient_id,risk")
        with write_beside(tmp_path / "cohort", private=True) as beside:
            (beside / "layers").mkdir(parents=True)
            (beside / "layers" / "genes.parquet").write_text("rows")
    finally:
        os.umask(before)
    assert rights(tmp_path / "open.csv") == "0o644"
    assert rights(tmp_path / "scores.csv") == rights(tmp_path / "cohort/layers/genes.parquet") == "0o600"
    assert rights(tmp_path / "cohort") == rights(tmp_path / "cohort" / "layers") == "0o700"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such rights")
def test_what_was_opened_to_a_group_stays_open_to_it(tmp_path: Path) -> None:
    (tmp_path / "scores.csv").write_text("old")
    (tmp_path / "scores.csv").chmod(0o640)
    (tmp_path / "cohort").mkdir()
    (tmp_path / "cohort").chmod(0o750)
    with write_beside(tmp_path / "scores.csv", private=True) as beside:
        beside.write_text("new")
    with write_beside(tmp_path / "cohort", private=True) as beside:
        beside.mkdir()
        (beside / "patients.parquet").write_text("rows")
    assert rights(tmp_path / "scores.csv") == rights(tmp_path / "cohort" / "patients.parquet") == "0o640"
    assert rights(tmp_path / "cohort") == "0o750"


def test_a_file_never_takes_the_place_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "scores.csv").mkdir()
    with pytest.raises(IsADirectoryError), write_beside(tmp_path / "scores.csv") as beside:
        beside.write_text("text")
    assert (tmp_path / "scores.csv").is_dir()


@pytest.mark.parametrize(("name", "said"), [("a.txt", ".txt"), ("a", "file without extension")])
def test_another_extension_is_refused(name: str, said: str) -> None:
    with pytest.raises(InputError, match=f"a picture cannot be a {said}") as error:
        check_file_name(name, "a picture", (".png", ".svg"))
    assert error.value.expected == ".png or .svg"
