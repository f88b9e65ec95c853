"""Who is drawn of a cohort too large for a dot a patient."""

from __future__ import annotations

import numpy as np

from nbrelapse.explanation.explanation import Explanation

MOST_DOTS = 4000
"""Patients drawn at most: more dots cover each other and take long to draw. A choice."""


def drawn_patients(explanation: Explanation, most: int = MOST_DOTS) -> np.ndarray:
    """Choose the patients to draw: all, or as many as asked for, evenly spaced by their predicted risk.

    Parameters
    ----------
    explanation : Explanation
    most : int

    Returns
    -------
    ndarray of int
        Positions in the explanation, rising; the lowest and the highest risk among them.
    """
    risk = explanation.mechanisms.to_numpy().sum(axis=1)
    if len(risk) <= most:
        return np.arange(len(risk))
    steps = np.linspace(0, len(risk) - 1, most).round().astype(int)
    return np.sort(np.argsort(risk, kind="stable")[steps])


def drawn_note(number: int, of: int) -> str:
    """Say that not all patients are drawn; nothing where they are.

    Examples
    --------
    >>> drawn_note(4000, 100000)
    '4,000 of 100,000 patients, evenly spaced by predicted risk'
    """
    return f"{number:,} of {of:,} patients, evenly spaced by predicted risk" if number < of else ""
