"""Rows of ``assays`` for what files show to have been looked at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from nbrelapse.cohort.vocabulary import as_text, normalise_levels
from nbrelapse.errors import InputError


def assay_rows(
    sample_ids: Iterable[str], assay: str, build: str | None = None, platform: str | None = None
) -> pd.DataFrame:
    """Return a row for each sample that was looked at, also for those in which nothing was found.

    Parameters
    ----------
    sample_ids : iterable of str
        Repetitions count once.
    assay : str
    build, platform : str, optional

    Returns
    -------
    DataFrame of str
        ``sample_id``, ``assay``, ``genome_build``, ``platform``.

    Examples
    --------
    >>> assay_rows(["a", "a"], "mutations", "hg38").values.tolist()
    [['a', 'mutations', 'hg38', nan]]
    """
    distinct = pd.Series(list(dict.fromkeys(sample_ids)), dtype="str")
    missing = float("nan")
    columns = {"assay": assay, "genome_build": build or missing, "platform": platform or missing}
    return pd.DataFrame(
        {"sample_id": distinct}
        | {name: pd.Series(value, distinct.index, dtype="str") for name, value in columns.items()}
    )


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
        mend="lift all coordinates over to one build, or import two cohorts",
    )


def add_assay_rows(given: pd.DataFrame | None, found: pd.DataFrame, file: str | Path) -> pd.DataFrame:
    """Join what a study says of its assays with what its files show.

    Parameters
    ----------
    given : DataFrame or None
        ``assays`` as the study has it; its rows win.
    found : DataFrame
        Of :func:`assay_rows`.
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
            mend="lift all coordinates over to one build, or import two cohorts",
        )
    if given is None:
        return found.drop_duplicates(["sample_id", "assay"], ignore_index=True)
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
            mend="correct the build, or the coordinates",
        )
    completed = given.assign(genome_build=said.where(said.notna(), build))
    joined: pd.DataFrame = pd.concat([completed, found], ignore_index=True)
    names = joined[["sample_id", "assay"]].apply(as_text)
    repeated = names.duplicated() & (joined.index >= len(given))
    return joined[~repeated].reset_index(drop=True)
