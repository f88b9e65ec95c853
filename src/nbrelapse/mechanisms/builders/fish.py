"""Features from fluorescence in situ hybridization, as recorded by the study."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from nbrelapse.cohort.cohort import Cohort
from nbrelapse.mechanisms.builder_rules import check_parameters
from nbrelapse.mechanisms.builders import clinical
from nbrelapse.mechanisms.catalogue import FeatureDefinition


def build(cohort: Cohort, definitions: Sequence[FeatureDefinition]) -> pd.DataFrame:
    """Read FISH findings, such as MYCN status, from the patients' table.

    Parameters
    ----------
    cohort : Cohort
    definitions : sequence of FeatureDefinition
        With the parameter ``levels``: ``{column: {recorded level: value}}``.

    Returns
    -------
    DataFrame of float64
        Indexed by ``cohort.patient_ids``; NaN where the status is not recorded.

    Raises
    ------
    InputError
        An entry has another parameter, or names a column or level that patients cannot have.

    Examples
    --------
    >>> import pandas as pd
    >>> from nbrelapse.mechanisms import load_catalogue
    >>> patients = pd.DataFrame({"patient_id": ["p1", "p2"], "mycn_status": ["amplified", None]})
    >>> cohort = Cohort("two", patients, pd.DataFrame(), pd.DataFrame())
    >>> build(cohort, load_catalogue().by_builder("fish"))["mycn__amplified"].to_dict()
    {'p1': 1.0, 'p2': nan}
    """
    for definition in definitions:
        check_parameters(definition, ("levels",), ("levels",))
    return clinical.build(cohort, definitions)
