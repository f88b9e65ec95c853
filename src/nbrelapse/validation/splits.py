"""Who trains and who is predicted: repeated stratified folds and named splits."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd

from nbrelapse.errors import InputError
from nbrelapse.outcome import kind_of


def repeated_folds(
    y: np.ndarray,
    *,
    n_repeats: int,
    n_folds: int,
    seed: int,
    groups: np.ndarray | None = None,
    strata: np.ndarray | None = None,
) -> list[tuple[int, int, np.ndarray, np.ndarray]]:
    """Split patients into folds several times over, with the same mix of outcomes in each fold.

    Parameters
    ----------
    y : ndarray of shape (n,)
        As in :class:`nbrelapse.outcome.Outcome`.
    n_repeats, n_folds, seed : int
    groups : ndarray of shape (n,), optional
        Rows of one group (a patient with several samples, siblings) never stand on both sides.
    strata : ndarray of shape (n,), optional
        The study of each patient: each fold has much the same share of every study and its outcomes.

    Returns
    -------
    list of (repeat, fold, train, test)
        ``train`` and ``test`` are positions; each fold holds at least one event on both sides, and of a binary
        outcome at least one patient without it.

    Raises
    ------
    InputError
        There are too few events for the folds, or, of a binary outcome, too few patients without it.

    Examples
    --------
    >>> import numpy as np
    >>> y = np.array([(1, 9.0), (0, 9.0), (0, 9.0), (1, 9.0)], dtype=[("event", "i1"), ("time", "f8")])
    >>> splits = repeated_folds(y, n_repeats=1, n_folds=2, seed=0)
    >>> [y["event"][test].tolist() for _, _, _, test in splits]
    [[0, 1], [1, 0]]
    """
    kind = kind_of(y)
    event, needed = kind.event(y), kind.needed
    for code, what in needed.items():
        count = int((event == code).sum())
        if count < n_folds:
            raise _too_few(count, what, n_folds)
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    classes = _strata(event, n_folds)
    if strata is not None:
        classes = classes + 3 * np.unique(strata, return_inverse=True)[1]
    splits = []
    for repeat, state in enumerate(np.random.SeedSequence(seed).generate_state(n_repeats)):
        folds: StratifiedKFold | StratifiedGroupKFold
        if groups is None:
            folds = StratifiedKFold(n_folds, shuffle=True, random_state=int(state))
        else:
            folds = StratifiedGroupKFold(n_folds, shuffle=True, random_state=int(state))
        with warnings.catch_warnings():
            # Fewer censored patients than folds: some folds go without, which harms nobody.
            warnings.filterwarnings("ignore", message="The least populated class")
            parts = list(folds.split(classes, classes, groups))
        for fold, (train, test) in enumerate(parts):
            for code, what in needed.items():
                if not all((event[side] == code).any() for side in (train, test)):
                    raise _too_few(int((event == code).sum()), what, n_folds)
            splits.append((repeat, fold, train, test))
    return splits


def named_split(labels: pd.Series, train: Sequence[str], validation: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Split patients by the value of a column, such as a published division.

    Parameters
    ----------
    labels : Series
        The value of each patient, indexed by patient; patients with another or no value belong to neither side.
    train, validation : sequence of str
        The values of each side; ``validation`` may be empty, and then nobody is held out.

    Returns
    -------
    train, validation : ndarray of int
        Positions in ``labels``.

    Raises
    ------
    InputError
        A value does not occur or stands on both sides, ``train`` is empty, or a patient is on both sides.

    Examples
    --------
    >>> import pandas as pd
    >>> labels = pd.Series(["training", "validation", None, "training"], index=list("abcd"), name="split")
    >>> [side.tolist() for side in named_split(labels, ["training"], ["validation"])]
    [[0, 3], [1]]
    """
    column = None if labels.name is None else str(labels.name)
    present = sorted({str(value) for value in labels.dropna().unique()})
    sides = {"train": list(train), "validation": list(validation)}
    for side, values in sides.items():
        unknown = [value for value in values if value not in present]
        empty = side == "train" and not values
        if empty or unknown:
            problem = "the split's train side names no value" if empty else f"no patient has {unknown[0]!r}"
            raise InputError(problem, column=column, expected=" or ".join(present) or "a column with values")
    shared = sorted(set(train) & set(validation))
    if shared:
        raise InputError(
            f"{shared[0]!r} is on both sides of the split", column=column, fix="name each value on one side only"
        )
    text = labels.astype("string")
    rows = {side: np.flatnonzero(text.isin(values).to_numpy(dtype=bool)) for side, values in sides.items()}
    both = labels.index[rows["validation"]].isin(labels.index[rows["train"]])
    if both.any():
        raise InputError(
            "patients are on both sides of the split",
            column=column,
            rows=(rows["validation"][both] + 1).tolist(),
            fix="keep one row a patient",
        )
    return rows["train"], rows["validation"]


def _strata(event: np.ndarray, n_folds: int) -> np.ndarray:
    """Events, with competing ones too rare to be in every fold joined to the censored."""
    strata = event.copy()
    if np.sum(strata == 2) < n_folds:
        strata[strata == 2] = 0
    return strata


def _too_few(count: int, what: str, n_folds: int) -> InputError:
    return InputError(
        f"{count} {what} are too few for {n_folds} folds",
        column="folds",
        expected="at least one in every fold",
        fix="ask for fewer folds, or use a larger cohort",
    )
