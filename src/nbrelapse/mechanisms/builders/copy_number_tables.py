"""What the copy-number measures read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from nbrelapse.errors import InputError
from nbrelapse.mechanisms.copy_number_profile import CopyNumberProfile


@dataclass(frozen=True)
class CopyNumberTables:
    """Profile of the patients, what of each arm is altered, and genes of patients without segments.

    Parameters
    ----------
    profile : CopyNumberProfile
    covered, gained, lost : DataFrame
        Bases of each arm (columns ``1p`` to ``22q``) that are covered, segmentally gained and segmentally lost; rows
        as in ``profile.patient_ids``.
    lost_at_end : DataFrame of bool
        Whether a segmental loss reaches the end of the chromosome.
    female : ndarray of object, shape (n_patients,)
        True, False, or None where the sex is not known.
    gene_copies : DataFrame
        Genes by ``patient_id``, in copies, from ``gene_copy_number``.
    """

    profile: CopyNumberProfile
    covered: pd.DataFrame
    gained: pd.DataFrame
    lost: pd.DataFrame
    lost_at_end: pd.DataFrame
    female: np.ndarray
    gene_copies: pd.DataFrame

    @property
    def known(self) -> np.ndarray:
        """Whether the scale of each patient's profile can be told."""
        return self.profile.scales["known"].to_numpy(dtype=bool)

    def per_patient(self, weights: np.ndarray) -> np.ndarray:
        """Sum a value of the smoothed segments by patient."""
        return np.bincount(self.profile.segments.sample, weights=weights, minlength=len(self.known))


def illegal(parameters: Mapping[str, Any], key: str, legal: Mapping[str, Any] | Sequence[str]) -> InputError:
    """Return the error for a parameter value that a copy-number measure does not know."""
    return InputError(
        f"illegal {key} {parameters.get(key)!r} of a copy-number feature in the catalogue",
        column=key,
        expected=", ".join(legal),
    )
