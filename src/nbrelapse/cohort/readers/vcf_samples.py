"""Which samples of a VCF carry which variants."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from nbrelapse.cohort.row_numbers import row_numbers
from nbrelapse.errors import InputError

NORMAL = re.compile(r"(?:^|[-_.])(?:normal|control|ctrl|blood|germline)(?:[-_.]|$)", re.IGNORECASE)


def carried_variants(
    records: pd.DataFrame, samples: Sequence[str], sample_id: str | None, meta: Sequence[str], file: str | Path
) -> tuple[pd.Series, int]:
    """Tell the samples that carry each variant.

    Parameters
    ----------
    records : DataFrame of str
        ``INFO``, ``FORMAT`` and the columns ``sample 1``, ``sample 2``, ...
    samples : sequence of str
        What the file calls them.
    sample_id : str or None
        The sample asked for, or what to call it, see :func:`nbrelapse.cohort.readers.vcf.read_vcf`.
    meta : sequence of str
        The ``##`` lines.
    file : path
        For error messages.

    Returns
    -------
    carried : Series of str
        The sample, indexed as `records`; a record is there as often as it has carriers.
    germline : int
        How many records were left out because the normal carries them too.

    Raises
    ------
    InputError
        The sample is not in the file, or nothing says which sample the variants are of.

    Examples
    --------
    >>> records = pd.DataFrame({"INFO": [".", "."], "FORMAT": ["GT", "GT"], "sample 1": ["0/1", "0/1"],
    ...     "sample 2": ["0/0", "0/1"]})
    >>> carried, germline = carried_variants(records, ["TUMOR", "NORMAL"], None, [], "a.vcf")
    >>> carried.tolist(), germline
    (['TUMOR'], 1)
    """
    normals = _normals(samples, meta)
    wanted, names = _wanted(samples, normals, sample_id, file)
    if not samples:
        return pd.Series(names[0], index=records.index, dtype="str"), 0
    called, variant = _genotypes(records, len(samples))
    unsaid = np.asarray(~called.any(axis=1))
    if len(wanted) > 1 and unsaid.any():
        raise InputError(
            "no genotype says which sample carries the variant",
            file=file,
            column="FORMAT",
            rows=row_numbers(records.index, unsaid),
            expected="GT",
            mend="say which column is the tumour (sample_id)",
        )
    normal = [1 - wanted[0]] if len(samples) == 2 and len(wanted) == 1 else normals
    somatic = records["INFO"].astype("str").str.contains(r"(?:^|;)SOMATIC(?:;|=|$)").fillna(False).to_numpy(dtype=bool)
    germline = variant[:, normal].any(axis=1) & ~somatic
    carries = (variant[:, wanted] | unsaid[:, None]) & ~germline[:, None]
    row, place = carries.nonzero()
    carried = pd.Series(np.asarray(names, dtype=object)[place], index=records.index[row], dtype="str")
    return carried, int(((variant[:, wanted].any(axis=1)) & germline).sum())


def _normals(samples: Sequence[str], meta: Sequence[str]) -> list[int]:
    named = {line.partition("=")[2].strip() for line in meta if line.startswith("##normal_sample=")}
    return [place for place, name in enumerate(samples) if name in named or NORMAL.search(name)]


def _wanted(
    samples: Sequence[str], normals: Sequence[int], sample_id: str | None, file: str | Path
) -> tuple[list[int], list[str]]:
    """Columns to read, and what to call them."""
    tumours = [place for place in range(len(samples)) if place not in normals]
    if sample_id is None:
        if not tumours:
            raise InputError("the file names no sample", file=file, mend="say whose it is (sample_id)")
        return tumours, [samples[place] for place in tumours]
    if sample_id in samples:
        return [list(samples).index(sample_id)], [sample_id]
    if len(samples) < 2:
        return [0], [sample_id]
    if len(samples) == 2 and len(tumours) == 1:
        return tumours, [sample_id]
    raise InputError(
        f"the sample is not among the {len(samples)} of the file",
        file=file,
        expected="the name of a sample column as the #CHROM line has it",
        mend="name the column of the tumour",
    )


def _genotypes(records: pd.DataFrame, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Whether a genotype is called and whether it has the variant, a column a sample."""
    cells = records[[f"sample {number}" for number in range(1, width + 1)]].to_numpy(dtype=object)
    genotype = pd.Series(cells.ravel(), dtype="str").str.extract("^([^:]*)", expand=False)
    has_genotype = records["FORMAT"].str.match(r"GT(?::|$)").fillna(False).to_numpy(dtype=bool)[:, None]
    called = genotype.str.contains(r"\d").fillna(False).to_numpy(dtype=bool).reshape(cells.shape) & has_genotype
    return called, genotype.str.contains("[1-9]").fillna(False).to_numpy(dtype=bool).reshape(cells.shape) & called
