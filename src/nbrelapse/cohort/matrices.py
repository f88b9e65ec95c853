"""The numbers of a feature by sample table, as files have them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from nbrelapse.cohort.schema import LARGEST_NUMBER, _largest, normalise_numbers
from nbrelapse.errors import InputError


def _matrix_numbers(matrix: pd.DataFrame, file: str | Path) -> pd.DataFrame:
    """Return the values as float64, with the rows numbered from 0; messages tell samples by their place.

    Raises
    ------
    InputError
        A sample is there twice, or a value is neither a number, up to 1e15, nor a word for "not known".
    """
    columns = pd.Index([str(column) for column in matrix.columns], dtype="str")
    twice = columns.duplicated()
    if twice.any():
        raise InputError("a sample is there twice", file=file, column=f"{int(twice.sum())} columns")
    # Names of rows as index would stand for row numbers in messages.
    numbers = matrix.set_axis(columns, axis=1).reset_index(drop=True)
    text = numbers.select_dtypes(exclude="number").columns
    if text.empty:
        return numbers.astype("float64")
    # Samples are told by their place: messages never name them.
    places = {column: f"sample column {place}" for place, column in enumerate(columns, 1)}
    read = {column: normalise_numbers(numbers[column].rename(places[column]), file=file) for column in text}
    numbers = pd.concat([numbers.drop(columns=text), pd.DataFrame(read, index=numbers.index)], axis=1)[columns]
    return numbers.astype("float64")


def _refuse_infinite(numbers: pd.DataFrame, file: str | Path) -> None:
    """Refuse values that stand for no number, and name their rows."""
    values = numbers.to_numpy()
    if _largest(values) > LARGEST_NUMBER:
        infinite = np.abs(values) > LARGEST_NUMBER
        raise InputError(
            "not a number: an infinite value or one above 1e15, as the log2 of 0",
            file=file,
            column=f"{int(infinite.any(axis=0).sum())} of {numbers.shape[1]} sample columns",
            rows=(infinite.any(axis=1).nonzero()[0] + 1).tolist(),
            expected="a number, or an empty cell where it is not known",
            fix="give log2(x + 1), or leave the cell empty",
        )
