"""The files of a run."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from nbrelapse.report.save_figures import save_figures

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


def write_artifacts(
    folder: Path,
    tables: Mapping[str, pd.DataFrame],
    figures: Mapping[str, Figure],
    documents: Mapping[str, str],
    report: Path | None,
) -> bool:
    """Write the files of a run to a folder.

    Parameters
    ----------
    folder : path
        Exists and is empty.
    tables : dict of str to DataFrame
        To ``tables/<name>.parquet``.
    figures : dict of str to Figure
        To ``plots/<name>.png`` and ``.svg``.
    documents : dict of str to str
        By file name.
    report : path, optional
        Copied to ``report.html``.

    Returns
    -------
    bool
        Whether there is any file.
    """
    for name, table in tables.items():
        (folder / "tables").mkdir(exist_ok=True)
        table.to_parquet(folder / "tables" / f"{name}.parquet")
    save_figures(figures, folder / "plots")
    for name, text in documents.items():
        (folder / name).write_text(text, encoding="utf-8")
    if report is not None:
        shutil.copyfile(report, folder / "report.html")
    return any(folder.iterdir())
