"""Layers of a cohort: what they must be, how they are kept, read and cut."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from nbrelapse.cohort import (
    Cohort,
    Layers,
    Repairs,
    as_layers,
    assemble_cohort,
    check_cohort,
    check_layer_name,
    check_layer_rows,
    genes_of_names,
    normalise_layer,
    places_of_names,
    read_cohort,
    select_patients,
    validate_cohort,
    write_cohort,
)
from nbrelapse.errors import InputError

PATIENTS = pd.DataFrame({"patient_id": ["a", "b", "c"], "event": "none", "event_days": [900, 800, 700]})
ABOUT = {"unit": "log2", "mechanism": "gene", "genome_build": "hg19", "platform": "P"}


def layer(values: list[list[float]], rows: list[str], samples: list[str]) -> pd.DataFrame:
    return pd.DataFrame(values, index=pd.Index(rows, name="feature", dtype="str"), columns=samples)


@pytest.fixture
def cohort() -> Cohort:
    transcripts = layer([[1.0, 2.0], [0.1, np.nan]], ["MYCN.a", "ACTB.b"], ["a", "b"])
    scores = layer([[0.5, 0.7, 0.25]], ["Treg"], ["a", "b", "c"]).astype("float32")
    about = {"transcripts": ABOUT, "cells": {"unit": "score", "mechanism": "none"}}
    return assemble_cohort(
        "demo",
        {"patients": PATIENTS},
        metadata={"layers": about},
        layers={"transcripts": transcripts, "cells": scores},
    )


def test_a_sample_is_assayed_for_the_layers_that_have_it(cohort: Cohort) -> None:
    assert cohort.assayed_samples("layer:transcripts").to_dict() == {"a": "a", "b": "b"}
    assert len(cohort.assayed_samples("layer:cells")) == 3
    rows = cohort.assays[cohort.assays["assay"] == "layer:transcripts"]
    assert rows["genome_build"].tolist() == ["hg19", "hg19"] and rows["platform"].tolist() == ["P", "P"]
    assert "layer transcripts 2, layer cells 3" in repr(cohort) and "layer cells" in cohort._repr_html_()
    assert select_patients(cohort, "not has('layer:transcripts')").tolist() == ["c"]
    with pytest.raises(InputError, match="'layer:proteins' is no assay"):
        select_patients(cohort, "has('layer:proteins')")


def test_the_report_says_what_layers_there_are(cohort: Cohort) -> None:
    report = check_cohort(cohort)
    assert report.layers["transcripts"] == {"features": 2, "samples": 2, **ABOUT}
    assert report.assays["layer:cells"] == 3
    assert "transcripts  2 features of 2 samples, log2, P, hg19, mechanisms by gene" in report.to_text()


def test_a_folder_gives_back_what_was_written(cohort: Cohort, tmp_path: Path) -> None:
    folder = write_cohort(cohort, tmp_path / "cohort")
    assert tomllib.loads((folder / "cohort.toml").read_text())["layers"] == ["transcripts", "cells"]
    found = read_cohort(folder)
    for name in ("transcripts", "cells"):
        pd.testing.assert_frame_equal(found.layers[name], cohort.layers[name])
    assert found.metadata["layers"] == cohort.metadata["layers"]
    again = read_cohort(write_cohort(found.take(["c", "b"]), tmp_path / "part"))
    assert list(again.layers) == ["transcripts", "cells"]
    assert again.layers["transcripts"].columns.tolist() == ["b"]
    assert again.layers["cells"].loc["Treg"].to_dict() == pytest.approx({"b": 0.7, "c": 0.25})


def test_only_what_is_asked_for_is_read(cohort: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_cohort(cohort, tmp_path / "cohort")
    read: list[list[str]] = []
    whole = pq.read_table

    def counted(file: object, *, columns: list[str] | None = None, **more: object) -> object:
        read.extend([columns] if columns else [])
        return whole(file, columns=columns, **more)

    monkeypatch.setattr("nbrelapse.cohort.layers.pq.read_table", counted)
    found = read_cohort(folder)
    kept = found.take(["b"])
    check_cohort(kept)
    assert read == []
    assert as_layers(kept.layers).rows("cells").tolist() == ["Treg"]
    assert read.pop() == ["feature"]
    assert kept.layers["cells"].shape == (1, 1)
    assert kept.layers["cells"].shape == (1, 1)
    assert read == [["feature", "b"]]


def test_a_layer_is_found_after_the_working_directory_changed(
    cohort: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_cohort(cohort, tmp_path / "cohort")
    monkeypatch.chdir(tmp_path)
    found = read_cohort("cohort")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert found.layers["cells"].shape == cohort.layers["cells"].shape


def test_layers_without_a_sample_are_left_out(cohort: Cohort) -> None:
    assert list(cohort.take(["c"]).layers) == ["cells"]
    assert validate_cohort(cohort.take(["c"])).assay_names[-1] == "layer:cells"


def test_nothing_is_copied_where_all_samples_stay(cohort: Cohort) -> None:
    everybody = cohort.take(cohort.patient_ids)
    assert np.shares_memory(everybody.layers["cells"].to_numpy(), cohort.layers["cells"].to_numpy())
    assert as_layers(everybody.layers).n_rows("transcripts") == 2


def test_a_file_that_changed_or_is_damaged_is_refused(cohort: Cohort, tmp_path: Path) -> None:
    folder = write_cohort(cohort, tmp_path / "cohort")
    file = folder / "layers" / "cells.parquet"
    found = read_cohort(folder)
    file.write_bytes(file.read_bytes() + b"PAR1")
    with pytest.raises(InputError, match="changed since the cohort was read"):
        found.layers["cells"]
    file.write_bytes(b"PAR1")
    with pytest.raises(InputError, match="damaged"):
        read_cohort(folder)
    file.unlink()
    with pytest.raises(InputError, match="does not exist"):
        read_cohort(folder)


def test_a_file_with_text_or_a_row_twice_is_refused(cohort: Cohort, tmp_path: Path) -> None:
    folder = write_cohort(cohort, tmp_path / "cohort")
    file = folder / "layers" / "transcripts.parquet"
    pd.DataFrame({"feature": ["x"], "a": ["much"]}).to_parquet(file)
    with pytest.raises(InputError, match="not numbers") as caught:
        read_cohort(folder)
    assert caught.value.column == "sample column 1"
    pd.DataFrame({"feature": ["x", "x"], "a": [1.0, 2.0]}).to_parquet(file)
    with pytest.raises(InputError, match="duplicated or empty name of a row"):
        read_cohort(folder).layers["transcripts"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"metadata": {}}, "what a layer holds is not known"),
        ({"metadata": {"layers": {"cells": {"unit": "score", "mechanism": "guess"}}}}, "what a layer holds"),
        ({"layers": {"cells": layer([[1.0]], ["x"], ["z"])}}, "data of a sample that is not in assays as layer:cells"),
        ({"layers": {"cells": layer([[1.0], [2.0]], ["x", "x"], ["a"])}}, "duplicated or empty name of a row"),
        ({"layers": {"cells": layer([[1.0]], ["x"], ["a"]).astype("object")}}, "not numbers"),
        ({"layers": {"Cells": layer([[1.0]], ["x"], ["a"])}}, "illegal name of a layer 'Cells'"),
    ],
)
def test_what_no_layer_can_be(cohort: Cohort, change: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        validate_cohort(replace(cohort, **({"layers": {"cells": cohort.layers["cells"]}} | change)))


@pytest.mark.parametrize("name", ["../x", "a b", "A", "", "gene", "expression", "all", "x" * 61, "con.parquet", "a__b"])
def test_illegal_names(name: str) -> None:
    with pytest.raises(InputError, match="illegal name of a layer"):
        check_layer_name(name)


def raw(**columns: list[object]) -> pd.DataFrame:
    return pd.DataFrame(columns, index=["r1", "r2"])


@pytest.mark.parametrize(
    ("table", "message", "rows"),
    [
        (raw(s1=["1", "much"], s2=["1", "2"]), "not a number", [2]),
        (raw(s1=[1.0, np.inf], s2=[1.0, 2.0]), "not a number: an infinite value", [2]),
        (raw(s1=[3.0, 3.0], s2=[3.0, np.nan]), "all values of the layer are the same", None),
        (raw(s1=[None, "NA"], s2=["", "unknown"]), "no row of the layer has a value", None),
        (raw(s1=[1.0, 2.0], feature=[1.0, 2.0]), "a sample is called feature", None),
        (raw(s1=[1.0, 2.0]).set_axis(["r1", "r1"], axis=0), "a row is there twice", [1, 2]),
    ],
)
def test_values_that_are_refused(table: pd.DataFrame, message: str, rows: list[int] | None) -> None:
    with pytest.raises(InputError, match=message) as caught:
        normalise_layer(table, "layer.tsv", Repairs())
    assert (caught.value.rows or None) == rows


def test_float32_is_kept_only_where_it_is_exact() -> None:
    exact = normalise_layer(raw(s1=["0.5", "2"], s2=["", "-1.25"]), "x", Repairs())
    assert set(exact.dtypes.astype(str)) == {"float32"} and exact.loc["r2", "s2"] == -1.25
    rounded = normalise_layer(raw(s1=["0.1", "2"], s2=["1", "3"]), "x", Repairs())
    assert set(rounded.dtypes.astype(str)) == {"float64"} and rounded.loc["r1", "s1"] == 0.1


def test_rows_of_one_value_are_counted() -> None:
    table = pd.DataFrame([[7.0] * 12, range(12)], index=["flat", "slope"], columns=[f"s{n}" for n in range(12)])
    repairs = Repairs()
    assert len(normalise_layer(table, "x.tsv", repairs)) == 2
    assert list(repairs) == ["x.tsv: 1 rows are the same in all samples, and become no features"]


def test_genes_of_names() -> None:
    names = ["GANCandCAPN3.vaAug10", "EIF4E.1.jAug10", "NMYC_probe", "HLA-A|x", "ENSG00000141510", "cg0001", "MARCH1"]
    expected = [("GANC", "CAPN3"), ("EIF4E",), ("MYCN",), ("HLA-A",), ("TP53",), (), ("MARCHF1",)]
    assert genes_of_names(names) == expected


def test_places_of_names() -> None:
    names = ["chr1:30-10", "X:5-9:-", "chrUn_gl:1-2", "MYCN", "2:7"]
    found = places_of_names(names)
    assert found["chromosome"].notna().tolist() == [True, True, False, False, False]
    assert found.iloc[0].tolist() == ["1", 10.0, 30.0] and found.iloc[1].tolist() == ["X", 5.0, 9.0]


def test_rows_that_find_nothing_are_counted_or_refused() -> None:
    repairs = Repairs()
    found = layer([[1.0], [2.0], [3.0]], ["MYCN.a", "ALK.b", "cg1"], ["s"])
    check_layer_rows(found, {"mechanism": "gene"}, "x.tsv", repairs)
    assert list(repairs) == ["x.tsv: 1 rows find no gene: they belong to `other`"]
    with pytest.raises(InputError, match="3 of 3 rows of the layer name no place") as caught:
        check_layer_rows(found, {"mechanism": "coordinates"}, "x.tsv", Repairs())
    assert caught.value.rows == [1, 2, 3] and "gene_set" in str(caught.value.fix)
    with pytest.raises(InputError, match="not in the table of mechanisms"):
        check_layer_rows(found, {"mechanism": "table", "mechanisms": {"mycn": ["other"]}}, "x.tsv", Repairs())


def test_layers_are_a_mapping() -> None:
    layers = Layers({"x": layer([[1.0, 2.0]], ["r"], ["s1", "s2"])})
    assert dict(layers).keys() == {"x"} and len(layers) == 1 and repr(layers) == "Layers(x 1 x 2)"
    assert layers.take(["s2", "s9"])["x"].columns.tolist() == ["s2"]
    assert len(layers.take(["s9"])) == 0
    with pytest.raises(KeyError):
        layers["y"]
