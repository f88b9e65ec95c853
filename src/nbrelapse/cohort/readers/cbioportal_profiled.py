"""Who was profiled for what in a cBioPortal study."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

import pandas as pd

from nbrelapse.cohort.readers.study_files import StudyFiles
from nbrelapse.cohort.row_numbers import row_numbers
from nbrelapse.cohort.vocabulary import as_text
from nbrelapse.errors import InputError

GENE_PANEL_MATRIX = "data_gene_panel_matrix.txt"


def listed_samples(study: StudyFiles, case_lists: Mapping[str, list[str]]) -> pd.DataFrame:
    """Return the samples of the case lists that say who was profiled for mutations or rearrangements.

    A sample of a list was looked at even where nothing was found. Copy number and expression need no list: the data
    name every profiled sample.

    Returns
    -------
    DataFrame
        ``sample_id``, ``assay``.
    """
    parts = []
    for name in study.names:
        if PurePosixPath(name).parent.name != "case_lists":
            continue
        fields = study.fields(name)
        ending = fields.get("stable_id", "").removeprefix(fields.get("cancer_study_identifier", "") + "_")
        ids = fields.get("case_list_ids", "").split()
        parts += [pd.DataFrame({"sample_id": ids, "assay": assay}) for assay in case_lists.get(ending, [])]
    if not parts:
        return pd.DataFrame({"sample_id": [], "assay": []}).astype("str")
    return pd.concat(parts, ignore_index=True).drop_duplicates(ignore_index=True).astype("str")


def panel_samples(study: StudyFiles, columns: Mapping[str, str], whole: list[str]) -> pd.DataFrame:
    """Return samples and their gene panels, from the gene panel matrix.

    Returns
    -------
    DataFrame
        ``sample_id``, ``assay``, ``panel``; NaN for the whole exome or genome. ``NA`` in the matrix does not tell a
        sample without panel from one that was not profiled, so such samples are left to the case lists.

    Raises
    ------
    InputError
        The matrix lacks ``SAMPLE_ID``, or gives a sample two panels for one assay.
    """
    if study.first([GENE_PANEL_MATRIX]) is None:
        return pd.DataFrame({"sample_id": [], "assay": [], "panel": []}).astype("str")
    matrix = study.table(GENE_PANEL_MATRIX)
    if "SAMPLE_ID" not in matrix:
        raise InputError("a column is missing", file=study.where(GENE_PANEL_MATRIX), column="SAMPLE_ID")
    chosen = {column: columns[column] for column in matrix.columns if column in columns}
    long = matrix.melt("SAMPLE_ID", list(chosen), var_name="assay", value_name="panel")
    long = pd.DataFrame(
        {
            "sample_id": as_text(long["SAMPLE_ID"]),
            "assay": long["assay"].map(chosen).astype("str"),
            "panel": as_text(long["panel"]),
        }
    ).dropna()
    long["panel"] = long["panel"].mask(long["panel"].str.lower().isin(whole))
    long = long.drop_duplicates()
    twice = long.duplicated(["sample_id", "assay"])
    if twice.any():
        ids = as_text(matrix["SAMPLE_ID"])
        raise InputError(
            "a sample has two gene panels for one assay",
            file=study.where(GENE_PANEL_MATRIX),
            column="SAMPLE_ID",
            rows=row_numbers(matrix.index, ids.isin(long.loc[twice, "sample_id"])),
            expected="one row a sample",
            mend="keep the panel that it was looked at with",
        )
    return long.reset_index(drop=True)


def read_panels(study: StudyFiles) -> pd.DataFrame:
    """Return the genes of the panels whose ``data_gene_panel_*.txt`` or ``gene_panel_*.txt`` the study has.

    Returns
    -------
    DataFrame
        ``panel``, ``gene``.
    """
    names = [
        name
        for name in study.names
        if PurePosixPath(name).name.startswith(("data_gene_panel_", "gene_panel_")) and "matrix" not in name
    ]
    fields: list[dict[str, Any]] = [study.fields(name) for name in names]
    parts = [
        pd.DataFrame({"panel": one.get("stable_id", ""), "gene": one.get("gene_list", "").split()}) for one in fields
    ]
    if not parts:
        return pd.DataFrame({"panel": [], "gene": []}).astype("str")
    return pd.concat(parts, ignore_index=True).drop_duplicates(ignore_index=True).astype("str")
