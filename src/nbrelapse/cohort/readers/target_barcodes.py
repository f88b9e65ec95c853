"""What a TARGET barcode says: patient, sample, and when the sample was taken."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources

import pandas as pd

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


@cache
def _timepoint_of_code() -> dict[str, str]:
    text = resources.files("nbrelapse.cohort.readers").joinpath("cbioportal_keys.toml").read_text(encoding="utf-8")
    codes = tomllib.loads(text)["target_sample_codes"]
    return {code: level for level, values in codes.items() for code in values}
