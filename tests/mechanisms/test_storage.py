from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from nbrelapse.errors import InputError
from nbrelapse.mechanisms import Catalogue, FeatureTable, Therapy, load_catalogue
from nbrelapse.mechanisms.storage import read_features, write_features
from nbrelapse.mechanisms.therapy import Requirement

NAMES = ["mycn__amplified_copy_number", "instability__loss_1p"]


@pytest.fixture
def table() -> FeatureTable:
    whole = load_catalogue()
    values = pd.DataFrame(
        {NAMES[0]: [1.0, float("nan")], NAMES[1]: [0.1 + 0.2, 0.0]},
        index=pd.Index(["001", "b"], dtype="str", name="patient_id"),
    )
    return FeatureTable(
        values, Catalogue(whole.version, whole.mechanisms, {name: whole.features[name] for name in NAMES})
    )


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_what_is_written_is_read_back(tmp_path: Path, table: FeatureTable, suffix: str) -> None:
    file = tmp_path / "new" / f"features{suffix}"
    manifest = write_features(table, file)
    found = read_features(file)
    pd.testing.assert_frame_equal(found.values, table.values, check_exact=True)
    assert found.catalogue.features == {name: table.catalogue.features[name] for name in NAMES}
    assert manifest == tmp_path / "new" / f"features{suffix}.json"
    assert sorted(path.name for path in file.parent.iterdir()) == sorted([file.name, manifest.name])


def test_therapies_of_one_s_own_are_kept_and_older_tables_have_none(tmp_path: Path, table: FeatureTable) -> None:
    requires = Requirement("TP53 wild type", none_of=("p53__tp53_mutation",))
    own = {"agent": Therapy("agent", "MDM2", "early", "Children.", "1 of 8 responded.", "a paper", requires)}
    more = FeatureTable(table.values, replace(table.catalogue, own_therapies=own))
    manifest = write_features(more, tmp_path / "features.csv")
    assert read_features(tmp_path / "features.csv").catalogue.own_therapies == own
    document = json.loads(manifest.read_text())
    del document["therapies"]
    manifest.write_text(json.dumps(document))
    assert read_features(tmp_path / "features.csv").catalogue.own_therapies == {}


def test_patient_id_is_the_first_column(tmp_path: Path, table: FeatureTable) -> None:
    write_features(table, tmp_path / "features.csv")
    assert (tmp_path / "features.csv").read_text().splitlines() == [
        f"patient_id,{NAMES[0]},{NAMES[1]}",
        "001,1.0,0.30000000000000004",
        "b,,0.0",
    ]


def test_the_manifest_says_how_many_have_a_value_and_names_nobody(tmp_path: Path, table: FeatureTable) -> None:
    manifest = json.loads(write_features(table, tmp_path / "features.parquet").read_text())
    assert manifest["patients"] == 2
    assert [(entry["name"], entry["patients"]) for entry in manifest["features"]] == [(NAMES[0], 1), (NAMES[1], 2)]
    assert "001" not in json.dumps(manifest["features"])


def test_bad_files_are_refused(tmp_path: Path, table: FeatureTable) -> None:
    with pytest.raises(InputError, match=r"\.parquet or \.csv"):
        write_features(table, tmp_path / "features.xlsx")
    with pytest.raises(InputError, match="does not exist"):
        read_features(tmp_path / "features.csv")
    manifest = write_features(table, tmp_path / "features.csv")
    (tmp_path / "features.csv").write_text("patient_id,other\n1,2\n")
    with pytest.raises(InputError, match="different features"):
        read_features(tmp_path / "features.csv")
    manifest.write_text("{")
    with pytest.raises(InputError, match="manifest cannot be read"):
        read_features(tmp_path / "features.csv")
