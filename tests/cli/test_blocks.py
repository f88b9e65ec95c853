"""``features`` and ``score`` block by block of patients: the same files and words as of the cohort in one piece."""

from __future__ import annotations

import json
import os
import resource
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nbrelapse.cohort import Cohort, open_cohort, read_cohort, write_cohort
from nbrelapse.mechanisms import build_features, independent_blocks, load_catalogue
from nbrelapse.scoring import can_score_blocks, load_model, score
from nbrelapse.simulation import simulate_cohort

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / "models" / "quickstart"
HIGH_RISK = Path(os.environ.get("NBRELAPSE_DATA", ROOT.parent / "shared" / "data")) / "high_risk_copy_number"
Command = Callable[..., Any]


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    found = simulate_cohort(60, seed=4)
    assert found.expression is not None
    return replace(found, expression=found.expression[:1500])  # fewer genes than in training, which is warned of


@pytest.fixture(scope="module")
def size() -> int:
    return int(np.random.default_rng(64).integers(20, 55))


@pytest.fixture(scope="module")
def folders(cohort: Cohort, size: int, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The cohort in one piece and in blocks."""
    folder = tmp_path_factory.mktemp("blocks")
    return {
        "whole": write_cohort(cohort, folder / "whole" / "cohort"),
        "blocks": write_cohort(cohort, folder / "blocks" / "cohort", block_size=size),
    }


def answers(nbrelapse: Command, folders: dict[str, Path], before: list[object], out: str, *after: object) -> list[Any]:
    """What a command says and writes, of the cohort in one piece and in blocks."""
    found = []
    with ExitStack() as stack:
        for folder in folders.values():
            patch = stack.enter_context(pytest.MonkeyPatch.context())
            patch.chdir(folder.parent)
            answer = nbrelapse(*before, "cohort", "--out", out, *after)
            assert answer.code == 0, answer.err
            found.append((answer.out, answer.err, {file.name: content(file) for file in Path().glob(f"{out}*")}))
    return found


def content(file: Path) -> object:
    return pd.read_parquet(file).to_csv() if file.suffix == ".parquet" else file.read_bytes()


def test_features_are_the_same_to_the_last_byte(nbrelapse: Command, folders: dict[str, Path]) -> None:
    out = "features.csv"
    assert len(open_cohort(folders["blocks"]).blocks) > 1
    whole, blocks = answers(nbrelapse, folders, ["features"], out, "--json")
    assert sorted(whole[2]) == [out, f"{out}.json"]
    assert blocks == whole
    assert json.loads(whole[0])["patients"] == 60


def test_scores_are_the_same_to_the_last_byte(nbrelapse: Command, folders: dict[str, Path]) -> None:
    out = "scores.json"
    whole, blocks = answers(nbrelapse, folders, ["score", MODEL], out, "--json")
    assert list(whole[2]) == [out]
    assert blocks == whole


def test_some_patients_in_two_processes(nbrelapse: Command, folders: dict[str, Path]) -> None:
    where = ("--where", "risk_group == 'high' or age_days < 365")
    whole, blocks = answers(nbrelapse, folders, ["score", MODEL], "some.csv", *where, "--jobs", 2)
    assert (blocks[0], blocks[2]) == (whole[0], whole[2])
    for found in (blocks, whole):
        assert "of 60 patients: risk_group == 'high' or age_days < 365" in found[1]


def test_a_model_of_high_risk_patients_counts_the_others_over_all_blocks(
    nbrelapse: Command, folders: dict[str, Path]
) -> None:
    model = ROOT / "models" / "high-risk-copy-number"
    whole, blocks = answers(nbrelapse, folders, ["score", model], "high.csv", "--json")
    assert blocks == whole
    assert any("of these 60 patients are" in note for note in json.loads(whole[0])["notes"])


def test_what_needs_all_patients_gets_them(nbrelapse: Command, folders: dict[str, Path]) -> None:
    whole, blocks = answers(nbrelapse, folders, ["features"], "f.csv", "--calls", "f.csv.calls.csv")
    assert "f.csv.calls.csv" in whole[2]
    assert blocks == whole
    assert not can_score_blocks(load_model(ROOT / "models" / "relapse-expression-isoforms"))  # it reads a layer


def test_scales_that_the_cohort_does_not_say_are_learned_from_all(cohort: Cohort, tmp_path: Path) -> None:
    metadata = {name: said for name, said in cohort.metadata.items() if name != "platforms"}
    stored = open_cohort(write_cohort(replace(cohort, metadata=metadata), tmp_path / "c", block_size=25))
    assert len(stored.blocks) == 3
    assert [block.number for block in independent_blocks(stored, load_catalogue()).blocks] == [None]


def test_calls_whose_unit_the_cohort_does_not_say_are_looked_at_together(cohort: Cohort, tmp_path: Path) -> None:
    # Levels alone would be taken for GISTIC's; the one ratio among them is of another block.
    samples = cohort.assayed_samples("copy_number").tolist()
    calls = pd.DataFrame(1.0, index=pd.Index(["MYCN", "ALK"], name="Hugo_Symbol"), columns=samples)
    calls.iloc[0, -1] = 0.37
    with_calls = replace(cohort, gene_copy_number=calls, segments=None)
    stored = open_cohort(write_cohort(with_calls, tmp_path / "c", block_size=25))
    assert [block.number for block in independent_blocks(stored, load_catalogue()).blocks] == [None]
    said = replace(with_calls, metadata={**cohort.metadata, "gene_copy_number": {"unit": "log2"}})
    stored = open_cohort(write_cohort(said, tmp_path / "d", block_size=25))
    assert len(independent_blocks(stored, load_catalogue()).blocks) == 3


def test_a_builder_of_another_package_gets_all_patients(folders: dict[str, Path]) -> None:
    catalogue = load_catalogue()
    name, entry = next(iter(catalogue.features.items()))
    foreign = replace(catalogue, features={**catalogue.features, name: replace(entry, builder="theirs")})
    stored = open_cohort(folders["blocks"])
    assert len(independent_blocks(stored, foreign).blocks) == 1
    assert len(independent_blocks(stored, catalogue).blocks) > 1


def test_an_assay_that_one_block_lacks_is_not_missing(nbrelapse: Command, cohort: Cohort, tmp_path: Path) -> None:
    assert cohort.expression is not None
    last = cohort.assayed_samples("expression").iloc[-1]
    few = replace(
        cohort,
        expression=cohort.expression[[last]],
        assays=cohort.assays[(cohort.assays["assay"] != "expression") | (cohort.assays["sample_id"] == last)],
    )
    write_cohort(few, tmp_path / "one", block_size=30)
    answer = nbrelapse("score", MODEL, tmp_path / "one", "--out", tmp_path / "one.parquet", "--json")
    assert answer.code == 0, answer.err
    expected = score(load_model(MODEL), read_cohort(tmp_path / "one"))
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "one.parquet"), expected, check_exact=True)
    nobody = replace(few, expression=None, assays=few.assays[few.assays["assay"] != "expression"])
    write_cohort(nobody, tmp_path / "none", block_size=30)
    answer = nbrelapse("score", MODEL, tmp_path / "none", "--out", tmp_path / "none.csv")
    answer.assert_refused("the cohort lacks what the model reads: nobody has expression")
    assert not (tmp_path / "none.csv").exists()


def test_a_spoilt_block_leaves_what_was_there(
    nbrelapse: Command, cohort: Cohort, tmp_path: Path, names: Callable[[Path], list[str]]
) -> None:
    folder, out = write_cohort(cohort, tmp_path / "cohort", block_size=25), tmp_path / "out"
    spoilt = folder / "segments" / "part-00002.parquet"
    pd.read_parquet(spoilt).assign(end=0.0).to_parquet(spoilt, index=False)
    out.mkdir()
    for name in ("f.csv", "f.csv.json", "s.parquet"):
        (out / name).write_text("older")
    for command in (["features"], ["score", MODEL]):
        file = out / ("s.parquet" if len(command) > 1 else "f.csv")
        answer = nbrelapse(*command, folder, "--out", file)
        answer.assert_refused("value not above zero", "part-00002.parquet", "column: end")
    assert names(out) == ["f.csv", "f.csv.json", "s.parquet"]
    assert {(out / name).read_text() for name in names(out)} == {"older"}


def test_a_full_disk_leaves_no_table_and_no_manifest(
    nbrelapse: Command, folders: dict[str, Path], tmp_path: Path, names: Callable[[Path], list[str]]
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, hard))  # more than the first block, less than all
    try:
        answer = nbrelapse("features", folders["blocks"], "--out", tmp_path / "f.csv")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    answer.assert_refused("the feature table cannot be written: File too large", "f.csv", "fix: make room")
    assert names(tmp_path) == []


@pytest.mark.skipif(not HIGH_RISK.is_dir(), reason="the high-risk copy-number cohort is not here (NBRELAPSE_DATA)")
def test_features_of_real_patients_in_blocks(tmp_path: Path) -> None:
    from nbrelapse.readers import import_tables

    cohort = import_tables(ROOT / "experiments" / "mappings" / "high_risk_copy_number.toml", HIGH_RISK)
    stored = open_cohort(write_cohort(cohort, tmp_path / "cohort", block_size=150))
    catalogue = load_catalogue()
    parts = [build_features(block.read(), catalogue).values for block in independent_blocks(stored, catalogue).blocks]
    assert len(parts) > 2
    pd.testing.assert_frame_equal(pd.concat(parts), build_features(cohort, catalogue).values, check_exact=True)


@pytest.mark.filterwarnings("ignore")  # Dask's own, of sockets and loops that end with a worker
def test_blocks_are_the_same_on_a_cluster(
    nbrelapse: Command, folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    distributed = pytest.importorskip("distributed", reason="the extra dask is not installed")
    monkeypatch.chdir(folders["blocks"].parent)
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0", silence_logs=50
    ) as cluster:
        for name, command in (("features.csv", ["features"]), ("scores.csv", ["score", MODEL])):
            for place, options in (("here", []), ("there", ["--executor", f"dask:{cluster.scheduler_address}"])):
                (tmp_path / place).mkdir(exist_ok=True)
                answer = nbrelapse(*command, "cohort", "--out", tmp_path / place / name, *options)
                assert answer.code == 0, answer.err
            assert (tmp_path / "here" / name).read_bytes() == (tmp_path / "there" / name).read_bytes()
