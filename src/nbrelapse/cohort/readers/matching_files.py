"""The files that a mapping names, and the samples they are of."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from nbrelapse.errors import InputError


def matching_files(folder: Path, pattern: str) -> list[Path]:
    """Return a file, or the files that a pattern such as ``sv/*.vcf.gz`` matches, in order of path.

    Raises
    ------
    InputError
        The pattern matches nothing. A single file that does not exist is for its reader to refuse.
    """
    if not re.search(r"[*?\[]", pattern) or (folder / pattern).exists():
        return [folder / pattern]
    files = sorted(file for file in folder.glob(pattern) if file.is_file())
    if not files:
        raise InputError("no file matches", file=folder / pattern, mend="correct `file` in the mapping, or --source")
    return files


def samples_of_files(files: Sequence[Path], sample_pattern: str | None, sample_id: str | None) -> list[str] | None:
    r"""Return the sample of each file; None where neither the names nor the mapping tell it.

    Parameters
    ----------
    files : sequence of Path
    sample_pattern : str or None
        Regular expression with one group; it is searched in the name of the file.
    sample_id : str or None
        The sample of all files.

    Raises
    ------
    InputError
        The pattern does not match a file's name.

    Examples
    --------
    >>> samples_of_files([Path("sv/NB01.vcf.gz"), Path("sv/NB02.vcf")], r"(.+)\.vcf", None)
    ['NB01', 'NB02']
    """
    if sample_id is not None:
        return [sample_id] * len(files)
    if sample_pattern is None:
        return None
    found = [re.search(sample_pattern, file.name) for file in files]
    unmatched = [file for file, match in zip(files, found, strict=True) if match is None or not match[1]]
    if unmatched:
        raise InputError(
            f"`sample_pattern` does not match the names of {len(unmatched)} files",
            file=unmatched[0],
            column="sample_pattern",
            expected=f"names that match {sample_pattern}",
        )
    return [match[1] for match in found if match is not None]
