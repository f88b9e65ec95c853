"""The feature table of a simulated study, as it was when somebody last looked at it.

A change here is a change of what models read. Where it is meant, ``python tests/truth/renew_golden.py`` writes the
table anew; the difference belongs in the same commit, and its reason in the message.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from nbrelapse.mechanisms import build_features, load_catalogue
from nbrelapse.readers import import_cbioportal
from nbrelapse.simulation import write_raw_files

GOLDEN = Path(__file__).parent / "golden" / "simulated.csv"
PATIENTS, SEED = 60, 20_261_124
LOGARITHMS = ("count", "continuous")


def golden_table(folder: Path) -> pd.DataFrame:
    """Simulate raw files, import them and compute every feature; a row a patient, a column a feature."""
    return build_features(import_cbioportal(write_raw_files(folder, PATIENTS, SEED))).values


def write_golden(table: pd.DataFrame, file: Path) -> None:
    """Write every number with all the digits that tell it from its neighbours; empty = NaN."""
    table.map(lambda value: "" if np.isnan(value) else repr(float(value))).to_csv(file, lineterminator="\n")


def read_golden(file: Path) -> pd.DataFrame:
    return pd.read_csv(file, index_col="patient_id").astype("float64")


def test_the_table_is_the_golden_one(tmp_path: Path) -> None:
    found, expected = golden_table(tmp_path / "study"), read_golden(GOLDEN)
    assert list(found.columns) == list(expected.columns), "renew the golden table: python tests/truth/renew_golden.py"
    assert list(found.index) == list(expected.index)
    features = load_catalogue().features
    logs = [name for name in found if features[str(name)].kind in LOGARITHMS]
    pd.testing.assert_frame_equal(found.drop(columns=logs), expected.drop(columns=logs), check_exact=True)
    # NumPy's log1p and log2 are rounded differently on different processors, and sums of them once more.
    found, expected = found[logs], expected[logs]
    assert (found.isna() == expected.isna()).all(axis=None)
    pd.testing.assert_frame_equal(found, expected, rtol=1e-13, atol=1e-15)


def test_the_golden_table_shows_most_features() -> None:
    """A column of one value would not show every change; some events are too rare for so few patients."""
    table = read_golden(GOLDEN)
    assert (table.max() > table.min()).mean() > 0.75


def test_writing_keeps_every_bit(tmp_path: Path) -> None:
    index = pd.Index(["a", "b"], name="patient_id")
    table = pd.DataFrame({"x": [0.1 + 0.2, np.nan], "y": [np.log1p(2.0), 5e-324]}, index=index)
    write_golden(table, tmp_path / "table.csv")
    pd.testing.assert_frame_equal(read_golden(tmp_path / "table.csv"), table, check_exact=True)
