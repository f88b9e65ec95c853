"""Bring expression to log2."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from nbrelapse.errors import InputError

LARGEST_LOG2 = 50.0
CENTRED = 0.25
"""Spread of the genes' means, in units of a gene's own spread, below which every gene has been centred. Where genes
keep their own levels it is above 1; centred genes have it at 0, and z-scores against a reference cohort near it."""
ENOUGH_GENES, ENOUGH_SAMPLES = 20, 10


def to_log2(expression: pd.DataFrame, file: str | Path | None = None) -> tuple[pd.DataFrame, str]:
    """Return expression in log2 and how it got there.

    No log2 expression value comes near 50 (2^50 copies), whereas linear counts, TPM, RPKM or intensities of a whole
    tumour always exceed it; that decides. Linear values become ``log2(x + 1)``.

    Parameters
    ----------
    expression : DataFrame
        Gene by sample, float64.
    file : path, optional
        For the error message.

    Returns
    -------
    expression : DataFrame
    unit : {"log2", "log2(x + 1) of linear values"}

    Raises
    ------
    InputError
        The values are z-scores or otherwise centred gene by gene: at least 20 genes in 10 samples, negative values,
        and means that differ between genes by less than a quarter of what a gene differs between samples. Which of
        two genes is expressed more cannot be told then, and the signatures compare genes within a sample.

    Examples
    --------
    >>> import pandas as pd
    >>> to_log2(pd.DataFrame({"a": [3.0, 1023.0]}))[0]["a"].tolist()
    [2.0, 10.0]
    >>> to_log2(pd.DataFrame({"a": [3.0, 12.5]}))[1]
    'log2'
    """
    values = expression.to_numpy()
    if not values.size or np.all(np.isnan(values)):
        return expression, "log2"
    if _is_centred(values):
        raise InputError(
            "the expression values are z-scores, or centred gene by gene",
            file=file,
            expected="values that compare the genes of a sample: TPM, RPKM, counts, log2 intensities",
            mend="use the file without z-scores",
        )
    if np.nanmax(values) <= LARGEST_LOG2:
        return expression, "log2"
    logged = np.log2(np.clip(values, 0.0, None) + 1.0)
    return pd.DataFrame(logged, index=expression.index, columns=expression.columns), "log2(x + 1) of linear values"


def _is_centred(values: np.ndarray) -> bool:
    """Tell whether the genes have lost their own levels."""
    measured = values[(~np.isnan(values)).sum(axis=1) >= ENOUGH_SAMPLES]
    if len(measured) < ENOUGH_GENES or not np.nanmin(measured) < 0:
        return False
    own_spread = np.median(np.nanstd(measured, axis=1))
    quartiles = np.quantile(np.nanmean(measured, axis=1), [0.25, 0.75])
    # 1.349 standard deviations of a normal distribution lie between its quartiles.
    return bool((quartiles[1] - quartiles[0]) / 1.349 < CENTRED * own_spread)
