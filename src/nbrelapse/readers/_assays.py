"""Which samples were assayed: rows of ``assays``, normal samples left out, tumour purity, TARGET barcodes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from nbrelapse.cohort.assemble import join_assay_rows
from nbrelapse.cohort.cohort import Repairs
from nbrelapse.cohort.columns import encode, is_among
from nbrelapse.cohort.schema import ASSAY_OF, MATRICES, as_text, normalise_levels
from nbrelapse.errors import InputError
from nbrelapse.readers._files import reader_keys


def single_build(builds: Mapping[Path, str | None], what: str) -> str | None:
    """Return the genome build that files name; None where none does.

    Parameters
    ----------
    builds : dict of Path to str or None
        The build that each file names.
    what : str
        The table that the files belong to, for the error message.

    Raises
    ------
    InputError
        Two files name different builds.
    """
    named = {file: build for file, build in builds.items() if build is not None}
    if len(set(named.values())) <= 1:
        return next(iter(named.values()), None)
    first = next(iter(named.values()))
    other = next(file for file, build in named.items() if build != first)
    raise InputError(
        f"{what} files of several genome builds: {', '.join(sorted(set(named.values())))}",
        file=other,
        expected=f"{first}, as {next(iter(named)).name} says",
        fix="lift all coordinates over to one build, or import two cohorts",
    )


def add_assay_rows(given: pd.DataFrame | None, found: pd.DataFrame, file: str | Path) -> pd.DataFrame:
    """Join what a study says of its assays with what its files show.

    Parameters
    ----------
    given : DataFrame or None
        ``assays`` as the study has it; its rows win.
    found : DataFrame
        Of :func:`nbrelapse.cohort.assemble.assay_rows`.
    file : path
        Where ``given`` is from, for the error message.

    Returns
    -------
    DataFrame
        The rows of ``given``, with the build that the files name where it has none, then the other rows of ``found``.

    Raises
    ------
    InputError
        The files name several genome builds, or another one than ``given``.
    """
    told = found.dropna(subset=["genome_build"]).drop_duplicates(["assay", "genome_build"])
    if told["assay"].duplicated().any():
        assay = told.loc[told["assay"].duplicated(), "assay"].iloc[0]
        raise InputError(
            f"the files of {assay} name several genome builds",
            expected="one build",
            fix="lift all coordinates over to one build, or import two cohorts",
        )
    if given is None:
        return join_assay_rows(None, found)
    said = pd.Series(float("nan"), given.index, dtype="str")
    if "genome_build" in given:
        said = normalise_levels(given["genome_build"], "genome_build", file=file)
    build = (
        as_text(given["assay"]).map(told.set_index("assay")["genome_build"]).astype("str") if "assay" in given else said
    )
    differs = said.notna() & build.notna() & (said != build)
    if differs.any():
        raise InputError(
            "another genome build than the files name themselves",
            file=file,
            column="genome_build",
            rows=(differs.to_numpy().nonzero()[0] + 1).tolist(),
            expected=str(build[differs].iloc[0]),
            fix="correct the build, or the coordinates",
        )
    keys = {name: as_text(given[name]) for name in ("sample_id", "assay") if name in given}
    completed = given.assign(**keys, genome_build=said.where(said.notna(), build))
    # Columns that files say nothing of would change the type of the study's own.
    return join_assay_rows(completed, found.drop(columns=["panel", "covered_mb"]))


def leave_out_normals(tables: dict[str, pd.DataFrame], normals: Collection[str], repairs: Repairs) -> None:
    """Leave the data of matched normal samples out of the molecular tables.

    A sample that the clinical table does not have is a normal where the MAF names it as one, or where its TARGET code
    says so. Any other unknown sample stays, and is refused later.

    Parameters
    ----------
    tables : dict of str to DataFrame
        By name, changed in place; ``samples`` lists the tumours.
    normals : collection of str
        Named as normals.
    repairs : Repairs
        What was left out is added.

    Examples
    --------
    >>> import pandas as pd
    >>> tables = {"samples": pd.DataFrame({"sample_id": ["a"]}), "expression": pd.DataFrame({"a": [1.0], "a-N": [2.0]})}
    >>> repairs = Repairs()
    >>> leave_out_normals(tables, ["a-N"], repairs)
    >>> tables["expression"].columns.tolist(), list(repairs)
    (['a'], ['expression: 1 matched normal samples left out'])
    """
    tumours, named = as_text(tables["samples"]["sample_id"]), pd.Series(list(normals), dtype="str")
    for name in [name for name in ASSAY_OF if name in tables]:
        table = tables[name]
        codes, distinct = encode(pd.Series(table.columns) if name in MATRICES else table["sample_id"])
        ids = as_text(distinct.astype("str"))
        normal = ~is_among(ids, tumours)
        normal[normal] = is_among(ids[normal], named) | (target_timepoints(ids[normal]) == "normal")
        if normal.any():
            # Rows without a sample stay, to be refused by number.
            keep = ~np.append(normal, False)[codes]
            tables[name] = table.loc[:, keep] if name in MATRICES else table[keep]
            repairs.add_count(name, normal.sum(), "matched normal samples left out")


def recorded_purity(values: pd.Series, repairs: Repairs) -> pd.Series:
    """Return recorded shares of tumour cells as fractions.

    Parameters
    ----------
    values : Series
        Percentages, with or without a percent sign; fractions where none exceeds 1 and some are no whole numbers.
        What is no single number ("60-70", ">90") is left out.
    repairs : Repairs
        How many were left out, and why, is added.

    Returns
    -------
    Series of float64
        Above 0 to 1; NaN where it is unknown, unread, 0 (a tumour sample has some tumour cells: 0 stands for "not
        judged") or outside 0 to 100 %.

    Examples
    --------
    >>> import pandas as pd
    >>> repairs = Repairs()
    >>> recorded_purity(pd.Series(["80", "35%", ">90", "0", "Unknown"]), repairs).tolist()
    [0.8, 0.35, nan, nan, nan]
    >>> list(repairs)[0]
    'samples.purity: 1 percentages that are no numbers left out'
    >>> recorded_purity(pd.Series(["0.8", "1", "0.35"]), Repairs()).tolist()
    [0.8, 1.0, 0.35]
    """
    text = as_text(values)
    numbers = pd.to_numeric(text.str.removesuffix("%").str.strip(), errors="coerce").astype("float64")
    unread, signs = text.notna() & numbers.isna(), text.str.endswith("%").fillna(False).astype(bool)
    repairs.add_count("samples.purity", unread.sum(), "percentages that are no numbers left out")
    in_fractions = bool((numbers.dropna() <= 1).all() and (numbers % 1 > 0).any() and not signs.any())
    fractions = numbers if in_fractions else numbers / 100
    if in_fractions:
        repairs.add_count("samples.purity", numbers.notna().sum(), "read as fractions, not as percentages")
    repairs.add_count("samples.purity", (fractions == 0).sum(), "values of 0 left out: no purity was judged")
    outside = (fractions < 0) | (fractions > 1)
    repairs.add_count("samples.purity", outside.sum(), "values outside 0 to 100 % left out")
    return fractions.where((fractions > 0) & (fractions <= 1))


PATIENT = r"^(TARGET-\d+-[A-Z0-9]+)"
SAMPLE = r"^(TARGET-\d+-[A-Z0-9]+-\d\d[A-Z]?)"
CODE = r"^TARGET-\d+-[A-Z0-9]+-(\d\d)"


def target_patients(barcodes: pd.Series) -> pd.Series:
    """Patient part of TARGET barcodes; NaN for what is no TARGET barcode.

    Examples
    --------
    >>> import pandas as pd
    >>> target_patients(pd.Series(["TARGET-30-PAAAAA-01A-01D", "0aeed974-9ad8"])).tolist()
    ['TARGET-30-PAAAAA', nan]
    """
    return barcodes.astype("str").str.extract(PATIENT, expand=False)


def target_samples(barcodes: pd.Series) -> pd.Series:
    """Sample part of TARGET barcodes, without aliquot; a barcode that ends with the patient stays as it is.

    Examples
    --------
    >>> import pandas as pd
    >>> target_samples(pd.Series(["TARGET-30-PAAAAA-01A-01D", "TARGET-30-PAAAAA-02", "0aeed974-9ad8"])).tolist()
    ['TARGET-30-PAAAAA-01A', 'TARGET-30-PAAAAA-02', nan]
    """
    return barcodes.astype("str").str.extract(SAMPLE, expand=False).fillna(target_patients(barcodes))


def target_timepoints(sample_ids: pd.Series) -> pd.Series:
    """Time points that the two digits of a TARGET sample code stand for.

    Parameters
    ----------
    sample_ids : Series of str

    Returns
    -------
    Series of str
        ``diagnosis`` (primary), ``relapse`` (recurrent), ``normal`` (not a tumour), ``other``; NaN without a code.

    References
    ----------
    https://gdc.cancer.gov/resources-tcga-users/tcga-code-tables/sample-type-codes

    Examples
    --------
    >>> import pandas as pd
    >>> ids = pd.Series(["TARGET-30-PAAAAA-01A", "TARGET-30-PAAAAA-04", "TARGET-30-PAAAAA-10A", "TARGET-30-PAAAAA"])
    >>> target_timepoints(ids).tolist()
    ['diagnosis', 'relapse', 'normal', nan]
    """
    code = sample_ids.astype("str").str.extract(CODE, expand=False)
    known = code.map(_timepoint_of_code()).astype("str")
    known = known.mask(code.str.startswith("1").fillna(False).astype(bool), "normal")
    return known.mask(code.notna() & known.isna(), "other")


def _timepoint_of_code() -> dict[str, str]:
    codes = reader_keys("cbioportal")["target_sample_codes"]
    return {code: level for level, values in codes.items() for code in values}
