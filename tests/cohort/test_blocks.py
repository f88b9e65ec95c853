"""Cohort folders of many patients: written in blocks, read in blocks, and the same cohort as before."""

from __future__ import annotations

import pickle
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nbrelapse.cohort import (
    Cohort,
    encode_rows,
    open_cohort,
    read_cohort,
    rows_file,
    take_where,
    write_cohort,
    write_cohort_blocks,
)
from nbrelapse.errors import InputError
from nbrelapse.simulation import simulate_cohort

LONG = ("patients", "samples", "assays", "panels", "mutations", "segments", "rearrangements")


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    found = simulate_cohort(60, seed=3)
    assert found.expression is not None
    order = np.random.default_rng(0).permutation(len(found.samples))
    # Samples and patients in orders of their own.
    return replace(found, samples=found.samples.iloc[order].reset_index(drop=True), expression=found.expression[:300])


@pytest.fixture
def folder(cohort: Cohort, tmp_path: Path) -> Path:
    return write_cohort(cohort, tmp_path / "cohort", block_size=25)


@contextmanager
def files_of_at_most(limit: int) -> Iterator[None]:
    """A disk that is full after so many bytes of a file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def assert_same(one: Cohort, other: Cohort) -> None:
    """The same rows in all tables, patients in the same order."""
    assert one.patient_ids.tolist() == other.patient_ids.tolist()
    for name in LONG:
        first, second = (getattr(cohort, name) for cohort in (one, other))
        keys = list(first.columns)
        pd.testing.assert_frame_equal(
            first.sort_values(keys).reset_index(drop=True), second.sort_values(keys).reset_index(drop=True)
        )
    assert one.expression is not None and other.expression is not None
    pd.testing.assert_frame_equal(one.expression.sort_index(axis=1), other.expression.sort_index(axis=1))


def joined(blocks: list[Cohort]) -> Cohort:
    tables = {name: pd.concat([getattr(block, name) for block in blocks], ignore_index=True) for name in LONG}
    tables["panels"] = blocks[0].panels
    expression = pd.concat([block.expression for block in blocks if block.expression is not None], axis=1)
    return replace(blocks[0], expression=expression, **tables)


@pytest.mark.parametrize("size", [*np.random.default_rng(64).integers(15, 59, 2).tolist(), 59])
def test_blocks_of_any_size_hold_the_cohort(cohort: Cohort, tmp_path: Path, size: int) -> None:
    folder = write_cohort(cohort, tmp_path / "cohort", block_size=size)
    stored = open_cohort(folder)
    blocks = [block.read() for block in stored.blocks]
    assert [len(block.patients) for block in blocks] == [size] * (60 // size) + ([60 % size] if 60 % size else [])
    assert all(block.samples["patient_id"].isin(block.patients["patient_id"]).all() for block in blocks)
    assert all(block.metadata == blocks[0].metadata for block in blocks)
    assert_same(joined(blocks), cohort)
    assert_same(read_cohort(folder), cohort)
    assert_same(stored.whole().blocks[0].read(), cohort)


def test_a_cohort_that_fits_a_block_is_stored_as_it_always_was(cohort: Cohort, tmp_path: Path) -> None:
    folder = write_cohort(cohort, tmp_path / "cohort")
    assert "format = 1\n" in (folder / "cohort.toml").read_text()
    assert sorted(file.name for file in folder.iterdir())[:2] == ["assays.parquet", "cohort.toml"]
    (block,) = open_cohort(folder).blocks
    pd.testing.assert_frame_equal(block.read().samples, cohort.samples)


def test_many_genes_make_small_blocks(cohort: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cohort.expression is not None
    monkeypatch.setattr("nbrelapse.cohort.storage.PATIENTS_A_BLOCK", 60)
    assert len(open_cohort(write_cohort(cohort, tmp_path / "few")).blocks) == 1
    monkeypatch.setattr("nbrelapse.cohort.storage._GENES_A_BLOCK", len(cohort.expression) // 3)
    assert len(open_cohort(write_cohort(cohort, tmp_path / "many")).blocks) == 3
    without = replace(cohort, expression=None)
    assert len(open_cohort(write_cohort(without, tmp_path / "none")).blocks) == 1


def test_a_block_reads_its_own_files_only(folder: Path, cohort: Cohort) -> None:
    for file in folder.glob("*/part-00001.parquet"):
        if file.parent.name not in ("patients", "samples", "assays"):
            file.write_bytes(b"damaged")
    stored = open_cohort(folder)
    assert stored.blocks[0].read().patient_ids.tolist() == cohort.patient_ids[:25].tolist()
    with pytest.raises(InputError, match="damaged"):
        stored.blocks[1].read()


def test_a_process_with_another_working_directory_reads_the_same_files(
    folder: Path, cohort: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """joblib's processes keep the working directory that they were started in, where another cohort may lie."""
    there = tmp_path / "there"
    write_cohort(simulate_cohort(40, seed=9), there / folder.name, block_size=25)
    monkeypatch.chdir(folder.parent)
    blocks = open_cohort(folder.name).blocks
    assert str(blocks[0].folder) == folder.name  # as it was given, in messages
    sent = pickle.dumps(blocks)
    monkeypatch.chdir(there)
    found = joined([block.read() for block in pickle.loads(sent)])
    assert found.patient_ids.tolist() == cohort.patient_ids.tolist()


def test_who_has_no_expression_is_still_of_a_cohort_that_has(cohort: Cohort, tmp_path: Path) -> None:
    assert cohort.expression is not None
    few = replace(cohort, expression=cohort.expression.iloc[:, :1])
    blocks = [block.read() for block in open_cohort(write_cohort(few, tmp_path / "c", block_size=20)).blocks]
    shapes = [block.expression.shape for block in blocks if block.expression is not None]
    assert sorted(shapes) == [(len(few.expression), 0)] * 2 + [(len(few.expression), 1)]
    assert_same(read_cohort(tmp_path / "c"), few)


def test_layers_are_read_for_the_samples_of_a_block(cohort: Cohort, tmp_path: Path) -> None:
    samples = cohort.assayed_samples("expression")
    values = np.arange(2.0 * len(samples)).reshape(2, -1)
    layer = pd.DataFrame(values, index=pd.Index(["B cells", "T cells"], name="feature"), columns=samples.tolist())
    assays = cohort.assays.iloc[: len(samples)].assign(sample_id=samples.to_numpy(), assay="layer:cells", panel=None)
    layered = replace(
        cohort,
        layers={"cells": layer},
        assays=pd.concat([cohort.assays, assays.astype(cohort.assays.dtypes)], ignore_index=True),
        metadata={**cohort.metadata, "layers": {"cells": {"unit": "score", "mechanism": "none"}}},
    )
    blocks = [block.read() for block in open_cohort(write_cohort(layered, tmp_path / "c", block_size=25)).blocks]
    assert blocks[0].layers["cells"].shape[1] < layer.shape[1]
    found = pd.concat([block.layers["cells"] for block in blocks], axis=1)
    pd.testing.assert_frame_equal(found[layer.columns], layer)


def test_patients_are_chosen_as_in_one_piece(folder: Path, cohort: Cohort) -> None:
    condition = "risk_group == 'high' and has('copy_number')"
    stored, kept = open_cohort(folder).where(condition), take_where(cohort, condition)
    assert_same(joined([block.read() for block in stored.blocks]), kept)
    assert_same(stored.whole().blocks[0].read(), kept)
    assert stored.metadata["selections"] == kept.metadata["selections"]
    one = cohort.patients["age_days"].iloc[0]
    assert len(open_cohort(folder).where(f"age_days == {one}").blocks) < 3
    with pytest.raises(InputError, match="no patient has the risk_group 'hihg'"):
        open_cohort(folder).where("risk_group == 'hihg'")


def altered(folder: Path, table: str, part: int, **columns: object) -> None:
    file = folder / table / f"part-{part:05d}.parquet"
    pd.read_parquet(file).assign(**columns).to_parquet(file, index=False)


def test_what_only_all_blocks_show_is_refused(folder: Path) -> None:
    first = pd.read_parquet(folder / "patients" / "part-00000.parquet")["patient_id"].iloc[0]
    before = pd.read_parquet(folder / "patients" / "part-00002.parquet")
    before.assign(patient_id=[first, *before["patient_id"][1:]]).to_parquet(
        folder / "patients" / "part-00002.parquet", index=False
    )
    for read in (open_cohort, read_cohort):
        with pytest.raises(InputError, match="a patient is there twice") as caught:
            read(folder)
        assert caught.value.rows == [51] and str(first) not in str(caught.value)
    before.to_parquet(folder / "patients" / "part-00002.parquet", index=False)
    altered(folder, "assays", 1, genome_build="hg38")
    with pytest.raises(InputError, match="mixed genome builds"):
        open_cohort(folder)


def test_times_of_all_patients_must_be_days_and_those_of_a_block_may_be_short(folder: Path) -> None:
    altered(folder, "patients", 0, event="none", death=0.0, event_days=100.0, followup_days=100.0)
    assert (open_cohort(folder).blocks[0].read().patients["followup_days"] == 100).all()
    for part in (1, 2):
        altered(folder, "patients", part, event="none", death=0.0, event_days=100.0, followup_days=100.0)
    with pytest.raises(InputError, match="the times look like months"):
        open_cohort(folder)


def test_a_row_of_another_block_is_refused_with_its_file(folder: Path) -> None:
    foreign = pd.read_parquet(folder / "segments" / "part-00000.parquet")["sample_id"].iloc[0]
    altered(folder, "segments", 1, sample_id=foreign)
    with pytest.raises(InputError, match="data of an unknown sample") as caught:
        open_cohort(folder).blocks[1].read()
    assert str(caught.value.file).endswith("part-00001.parquet")


def test_a_file_too_few_or_too_many(folder: Path) -> None:
    (folder / "segments" / "part-00003.parquet").write_bytes((folder / "segments" / "part-00002.parquet").read_bytes())
    with pytest.raises(InputError, match="a block of the table is missing, or there is one too many"):
        open_cohort(folder)
    (folder / "segments" / "part-00003.parquet").rename(folder / "segments" / "part-00002.parquet")
    assert len(open_cohort(folder).blocks) == 3
    (folder / "segments" / "part-00002.parquet").unlink()
    with pytest.raises(InputError, match="expected: 3 files"):
        open_cohort(folder)


@pytest.mark.parametrize("blocks", ["0", "-1", '"3"', "1_000_000_000"])
def test_an_illegal_number_of_blocks(folder: Path, blocks: str) -> None:
    settings = folder / "cohort.toml"
    settings.write_text(settings.read_text().replace("blocks = 3", f"blocks = {blocks}"))
    with pytest.raises(InputError, match="the number of blocks is missing or illegal"):
        open_cohort(folder)


def test_blocks_of_other_genes_or_tables_are_refused(cohort: Cohort, folder: Path, tmp_path: Path) -> None:
    one, two = (cohort.take(cohort.patient_ids[part]) for part in (slice(30), slice(30, None)))
    assert_same(read_cohort(write_cohort_blocks([one, two], tmp_path / "new")), cohort)
    assert two.expression is not None
    for other in (replace(two, expression=two.expression[::-1]), replace(two, mutations=None)):
        with pytest.raises(InputError, match="different tables or genes"):
            write_cohort_blocks([one, other], tmp_path / "other")
    with pytest.raises(InputError, match="a patient is there twice"):
        write_cohort_blocks([one, one], tmp_path / "other")
    with pytest.raises(InputError, match="no block of patients"):
        write_cohort_blocks([], tmp_path / "other")
    assert not (tmp_path / "other").exists()
    file = folder / "expression" / "part-00001.parquet"
    pd.read_parquet(file)[::-1].to_parquet(file, index=False)
    with pytest.raises(InputError, match="list different genes"):
        read_cohort(folder)


def test_a_full_disk_leaves_the_cohort_that_was_there(cohort: Cohort, folder: Path, tmp_path: Path) -> None:
    before = {file: file.read_bytes() for file in folder.rglob("*.*")}
    with (
        files_of_at_most(20_000),
        pytest.raises(InputError, match=r"the cohort cannot be written: .*large") as caught,
    ):
        write_cohort(cohort.take(cohort.patient_ids[:40]), folder, overwrite=True, block_size=10)
    assert caught.value.file == str(folder) and "make room" in str(caught.value)
    assert {file: file.read_bytes() for file in folder.rglob("*.*")} == before
    assert [file.name for file in tmp_path.iterdir()] == [folder.name]


@pytest.mark.parametrize("suffix", [".csv", ".json", ".parquet"])
def test_rows_appended_are_the_table(tmp_path: Path, suffix: str) -> None:
    table = pd.DataFrame({"patient_id": ["a", "b", 'c"d'], "risk": [0.1, np.nan, 1 / 3], "told": ["", "x; y", "é"]})
    for name, parts in (("whole", [table]), ("blocks", [table[:1], table[1:2], table[2:]])):
        with rows_file(tmp_path / f"{name}{suffix}", "the scores") as append:
            for place, part in enumerate(parts):
                append(encode_rows(part, suffix, first=place == 0))
    whole, blocks = (tmp_path / f"{name}{suffix}" for name in ("whole", "blocks"))
    if suffix == ".parquet":
        pd.testing.assert_frame_equal(pd.read_parquet(blocks), pd.read_parquet(whole))
    else:
        assert blocks.read_bytes() == whole.read_bytes()
    if suffix == ".json":
        assert pd.read_json(blocks)["patient_id"].tolist() == table["patient_id"].tolist()


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_full_disk_in_the_middle_leaves_the_older_file(tmp_path: Path, suffix: str) -> None:
    target = tmp_path / f"scores{suffix}"
    target.write_text("older")
    noise = pd.DataFrame(np.random.default_rng(0).normal(size=(2000, 4)), columns=list("abcd"))
    with (
        files_of_at_most(100_000),
        pytest.raises(InputError, match=r"the scores cannot be written: .*large"),
        rows_file(target, "the scores") as append,
    ):
        for place in range(20):
            append(encode_rows(noise, suffix, first=place == 0))
    assert target.read_text() == "older"
    assert [file.name for file in tmp_path.iterdir()] == [target.name]
