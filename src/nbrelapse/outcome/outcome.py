"""An endpoint's outcome for the patients of a cohort, ready for a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from nbrelapse.cohort.cohort import counted
from nbrelapse.errors import InputError
from nbrelapse.outcome.event_of import event_of

SURVIVAL_DTYPE = np.dtype([("event", np.int8), ("time", np.float64)])


@dataclass(frozen=True)
class Outcome:
    """Outcome of one endpoint; build it with :func:`nbrelapse.outcome.make_outcome`.

    ``numpy.asarray(outcome)`` is :attr:`y`, ``len(outcome)`` the number of patients, and ``outcome[rows]`` the outcome
    of some of them by position or mask, as scikit-learn's splitters ask for it.

    Parameters
    ----------
    endpoint : {"relapse", "efs", "os", "refractory"}
    patient_ids : Index
        The patients that have an outcome, in cohort order.
    y : ndarray of shape (n_patients,)
        Survival endpoints: structured, ``event`` (0 censored, 1 the event, 2 a competing event) and ``time``
        (days, > 0). ``refractory``: int8, 1 = refractory.
    excluded : dict of str to int
        How many patients were left out, by reason.
    choices : dict
        The rules applied where the data leave room (for instance ``unspecified``).

    Examples
    --------
    >>> y = np.array([(1, 200.0), (2, 31.0), (0, 900.0)], dtype=SURVIVAL_DTYPE)
    >>> outcome = Outcome("relapse", pd.Index(["p1", "p2", "p3"]), y, {"first event not recorded": 1})
    >>> outcome.events.tolist(), outcome.times.tolist()
    ([1, 2, 0], [200.0, 31.0, 900.0])
    >>> outcome
    Outcome 'relapse': 3 patients, 1 event, 1 competing, 1 censored
      times: 31 to 900 days
      left out: 1 first event not recorded
    """

    endpoint: str
    patient_ids: pd.Index
    y: np.ndarray
    excluded: Mapping[str, int] = field(default_factory=dict)
    choices: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_survival(self) -> bool:
        """Whether the endpoint is a time to an event."""
        return self.endpoint != "refractory"

    @property
    def index(self) -> pd.Index:
        """The patients that have an outcome: another name of ``patient_ids``, as tables call it."""
        return self.patient_ids

    @property
    def shape(self) -> tuple[int]:
        """Number of patients, as arrays tell it."""
        return (len(self.y),)

    @property
    def events(self) -> np.ndarray:
        """What happened to each patient: 0 no event seen, 1 the event, 2 a competing event."""
        return event_of(self.y).astype(np.int64)

    @property
    def times(self) -> np.ndarray:
        """Days to the event or to the end of observation; InputError for ``refractory``, which has none."""
        if not self.is_survival:
            raise InputError(
                f"endpoint {self.endpoint!r} has no times: it says whether a patient responded, not when",
                expected="a time to an event: relapse, efs or os",
                mend="use `events`, 1 = refractory",
            )
        return np.array(self.y["time"])

    def take(self, patient_ids: pd.Index) -> Outcome:
        """Return the outcome of the given patients, in their order."""
        position = self.patient_ids.get_indexer(patient_ids)
        if (position < 0).any():
            raise KeyError(f"{int((position < 0).sum())} of the patients have no outcome")
        return Outcome(self.endpoint, patient_ids, self.y[position], self.excluded, self.choices)

    def summary(self) -> dict[str, Any]:
        """Count events and estimate follow-up and survival, see :func:`nbrelapse.outcome.summarize_outcome`."""
        from nbrelapse.outcome.summarize_outcome import summarize_outcome

        return summarize_outcome(self)

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, rows: Any) -> Outcome:
        # scikit-learn asks for rows by position as y[rows, ...].
        position = rows[0] if isinstance(rows, tuple) and len(rows) == 2 and rows[1] is Ellipsis else rows
        if not isinstance(position, slice) and np.ndim(position) != 1:
            raise TypeError("an outcome is read by several rows at once: a list, a mask or a slice; its values are `y`")
        return Outcome(self.endpoint, self.patient_ids[position], self.y[position], self.excluded, self.choices)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.y, dtype=dtype, copy=copy)

    def __repr__(self) -> str:
        lines = [self._headline()]
        if self.is_survival and len(self):
            lines.append(f"  times: {self.times.min():g} to {self.times.max():g} days")
        if self.excluded:
            lines.append(f"  left out: {', '.join(f'{count:,} {reason}' for reason, count in self.excluded.items())}")
        if self.choices:
            lines.append(f"  choices: {', '.join(f'{name} = {choice}' for name, choice in self.choices.items())}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        headline, *details = repr(self).split("\n")
        items = "".join(f"<li>{escape(line.strip())}</li>" for line in details)
        return f"<p>{escape(headline)}</p>" + (f"<ul>{items}</ul>" if items else "")

    def _headline(self) -> str:
        happened = np.bincount(self.events, minlength=3).tolist()
        if self.is_survival:
            counts = [counted(happened[1], "event"), f"{happened[2]:,} competing", f"{happened[0]:,} censored"]
            counts = counts if happened[2] else [counts[0], counts[2]]
        else:
            counts = [f"{happened[1]:,} refractory", f"{happened[0]:,} responding"]
        return f"Outcome {self.endpoint!r}: {counted(len(self), 'patient')}, {', '.join(counts)}"
