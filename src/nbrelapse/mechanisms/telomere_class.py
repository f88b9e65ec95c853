"""How each tumour maintains its telomeres, and how that is known."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nbrelapse.mechanisms.feature_table import FeatureTable

ROUTES = {
    "MYCN": "mycn__any_amplification",
    "TERT": "telomere__tert_activation",
    "ALT": "telomere__alt",
}
EVIDENCE = {
    "MYCN status": "mycn__amplified",
    "MYCN copy number": "mycn__amplified_copy_number",
    "TERT rearrangement": "telomere__tert_rearrangement",
    "TERT promoter": "telomere__tert_promoter_mutation",
    "C-circle or APB": "telomere__alt_test",
    "ATRX/DAXX sequence": "telomere__atrx_daxx_truncating",
    "ATRX deletion": "telomere__atrx_deletion",
}


def telomere_class(table: FeatureTable) -> pd.DataFrame:
    """Telomere maintenance class of each patient, and the evidence at hand.

    Parameters
    ----------
    table : FeatureTable
        A feature that it lacks counts as unknown.

    Returns
    -------
    DataFrame
        Indexed by ``patient_id``. ``class``: ``MYCN``, ``TERT`` or ``ALT`` where that route alone was found,
        ``multiple`` where several were, ``none found`` where all three were looked at without a finding, else
        ``unknown``. A route that was found is named although others were not looked at. ``evidence``: the findings
        that are known, whatever they are, joined by ``, ``.

    Notes
    -----
    The three routes are those of 10.1126/science.aat6768 and 10.1038/s41467-021-21247-8. How each is told stands in
    the catalogue (``mycn.any_amplification``, ``telomere.tert_activation``, ``telomere.alt``). TERT expression does
    not enter: no published cut carries over from one platform to another.

    Examples
    --------
    >>> from nbrelapse.mechanisms import FeatureTable, load_catalogue
    >>> index = pd.Index(["a", "b"], name="patient_id")
    >>> values = pd.DataFrame({"mycn__amplified": [1.0, 0.0], "mycn__any_amplification": [1.0, 0.0]}, index=index)
    >>> telomere_class(FeatureTable(values, load_catalogue())).to_dict("list")
    {'class': ['MYCN', 'unknown'], 'evidence': ['MYCN status', 'MYCN status']}
    """
    routes = table.values.reindex(columns=list(ROUTES.values())).to_numpy()
    known = table.values.reindex(columns=list(EVIDENCE.values())).notna().to_numpy()
    found = (routes == 1).sum(axis=1)
    conditions = [found > 1, found == 1, (routes == 0).all(axis=1)]
    alone = np.array(list(ROUTES), dtype=object)[(routes == 1).argmax(axis=1)]
    classes = np.select(conditions, [np.full(len(found), "multiple", dtype=object), alone, "none found"], "unknown")
    rows, which = np.unique(known @ (1 << np.arange(len(EVIDENCE))), return_inverse=True)
    texts = [", ".join(name for bit, name in enumerate(EVIDENCE) if row >> bit & 1) for row in rows]
    evidence = np.array(texts, dtype=object)[which]
    return pd.DataFrame({"class": classes, "evidence": evidence}, index=table.values.index).astype("str")
