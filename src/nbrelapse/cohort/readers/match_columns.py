"""Find a table's columns although their names are written in another way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from nbrelapse.errors import InputError


def match_columns(
    found: Sequence[str],
    wanted: Mapping[str, str],
    required: Sequence[str],
    file: str | Path,
    repairs: list[str],
) -> dict[str, str]:
    """Find the wanted columns; only their names' case, quotes and known variants may differ.

    Parameters
    ----------
    found : sequence of str
        The header.
    wanted : dict of str to str
        Column of the format to column of the cohort. Of several names of a column the first that is there counts.
    required : sequence of str
        Cohort columns that must be found.
    file : path
        For the error message.
    repairs : list of str
        Names that are written in another way are appended.

    Returns
    -------
    dict of str to str
        Column of the file to column of the cohort.

    Raises
    ------
    InputError
        A required column is missing.

    Examples
    --------
    >>> repairs = []
    >>> match_columns(["Start_position", "Gene"], {"Start_Position": "start"}, ["start"], "a.maf", repairs)
    {'Start_position': 'start'}
    >>> repairs
    ["a.maf: column 'Start_position' read as 'Start_Position'"]
    """
    by_bare: dict[str, list[str]] = {}
    for name in found:
        by_bare.setdefault(_bare(name), []).append(name)
    matched: dict[str, str] = {}
    for name, column in wanted.items():
        if column in matched.values():
            continue
        candidates = [name] if name in found else by_bare.get(_bare(name), [])
        if len(candidates) == 1:
            matched[candidates[0]] = column
            if candidates[0] != name:
                repairs.append(f"{Path(file).name}: column '{candidates[0]}' read as '{name}'")
    absent = [name for name, column in wanted.items() if column in required and column not in matched.values()]
    if absent:
        raise _missing(found, wanted, absent, bool(matched), file)
    return matched


def _bare(name: str) -> str:
    return name.strip("'\"").lower()


def _missing(
    found: Sequence[str], wanted: Mapping[str, str], absent: list[str], any_found: bool, file: str | Path
) -> InputError:
    first_names = {wanted[name]: name for name in reversed(absent)}
    problem = "a column is missing" if any_found else "the file has no header line, or it is another kind of file"
    shown = f"columns found: {', '.join(found[:15])}" if any_found else "add the header line above the first row"
    return InputError(problem, file=file, column=", ".join(sorted(first_names.values(), key=absent.index)), mend=shown)
