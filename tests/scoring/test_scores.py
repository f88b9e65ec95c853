from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nbrelapse.errors import InputError
from nbrelapse.scoring.scores import write_scores

SCORES = pd.DataFrame({"patient_id": ["a", "ü"], "log_risk": [0.1 + 0.2, np.nan], "warnings": ["", "x; y, z"]})


def test_each_format_holds_the_same(tmp_path: Path) -> None:
    pd.testing.assert_frame_equal(pd.read_parquet(write_scores(SCORES, tmp_path / "new" / "scores.parquet")), SCORES)
    text = pd.read_csv(write_scores(SCORES, tmp_path / "scores.csv"))
    assert text["log_risk"].iloc[0] == 0.1 + 0.2
    assert text["warnings"].iloc[1] == "x; y, z"
    rows = json.loads(write_scores(SCORES, tmp_path / "scores.json").read_text(encoding="utf-8"))
    assert rows[1] == {"patient_id": "ü", "log_risk": None, "warnings": "x; y, z"}


def test_an_older_file_is_replaced_and_nothing_stays_beside(tmp_path: Path) -> None:
    (tmp_path / "scores.csv").write_text("old")
    write_scores(SCORES, tmp_path / "scores.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["scores.csv"]
    assert (tmp_path / "scores.csv").read_text().startswith("patient_id,")


def test_a_failure_keeps_the_older_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "scores.csv").write_text("old")

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_csv", fail)
    with pytest.raises(InputError, match="No space left"):
        write_scores(SCORES, tmp_path / "scores.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["scores.csv"]
    assert (tmp_path / "scores.csv").read_text() == "old"


@pytest.mark.parametrize("name", ["scores.xlsx", "scores", "scores.csv.gz"])
def test_another_extension_names_the_legal_ones(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"\.parquet, \.csv, \.json"):
        write_scores(SCORES, tmp_path / name)
    assert list(tmp_path.iterdir()) == []
