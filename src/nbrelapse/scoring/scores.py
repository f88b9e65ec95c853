"""Write scores to a file."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pandas as pd

from nbrelapse.errors import InputError

SUFFIXES = (".parquet", ".csv", ".json")


def check_scores_file(file: str | Path) -> Path:
    """Return the path of a file of scores, before the work of scoring is done.

    Raises
    ------
    InputError
        Its extension is not one of ``SUFFIXES``, or it is a folder.
    """
    target = Path(file)
    if target.suffix not in SUFFIXES:
        raise InputError("scores cannot be written to such a file", file=target, expected=", ".join(SUFFIXES))
    if target.is_dir():
        raise InputError("scores cannot be written: this is a folder", file=target)
    return target


def write_scores(scores: pd.DataFrame, file: str | Path) -> Path:
    """Write scores as Parquet, CSV or JSON (one object a patient, null where there is no number), by the extension.

    The file appears whole or not at all.

    Parameters
    ----------
    scores : DataFrame
        From :func:`nbrelapse.scoring.score`.
    file : path

    Returns
    -------
    Path

    Raises
    ------
    InputError
        The extension is another, or the file cannot be written.
    """
    target = check_scores_file(file)
    writers = {
        ".parquet": lambda path: scores.to_parquet(path, index=False),
        ".csv": lambda path: scores.to_csv(path, index=False, lineterminator="\n"),
        ".json": lambda path: scores.to_json(path, orient="records", double_precision=15, indent=1),
    }
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{target.stem}-", suffix=target.suffix, dir=target.parent)
        os.close(handle)
        beside = Path(name)
        try:
            writers[target.suffix](beside)
            beside.chmod(0o644)
            beside.replace(target)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"the scores cannot be written: {error.strerror}", file=target) from None
    return target
