"""Write scores to a file."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from nbrelapse.errors import InputError


def write_scores(scores: pd.DataFrame, file: str | Path) -> Path:
    """Write scores as Parquet, CSV or JSON (one object a patient), by the file's extension.

    The file appears whole or not at all.

    Raises
    ------
    InputError
        The extension is another.
    """
    target = Path(file)
    writers = {
        ".parquet": lambda path: scores.to_parquet(path, index=False),
        ".csv": lambda path: scores.to_csv(path, index=False),
        ".json": lambda path: scores.to_json(path, orient="records", double_precision=15, indent=1),
    }
    if target.suffix not in writers:
        raise InputError("scores cannot be written to such a file", file=target, expected=", ".join(writers))
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f".{target.name}.partial")
    try:
        writers[target.suffix](beside)
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)
    return target
