"""A check that days are days, not months or years."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from nbrelapse.errors import InputError

MIN_PATIENTS = 20
YEAR = 365
FOUR_MONTHS = 120
TIMES = ("event_days", "followup_days")


def check_time_units(patients: pd.DataFrame, *, file: str | Path | None = None) -> None:
    """Refuse times that can only be months or years.

    Two rules, each applied where at least 20 patients have a value, so that a few new patients can always be scored:

    - ``event_days``, ``followup_days``: nobody reaches 365. Read as days, nobody was followed for a year; read as
      months, 30 years cover every study.
    - ``age_days``: nobody reaches 365 and nine in ten stay below 120. Read as days, nearly all would be younger than
      four months, when a third of neuroblastoma patients are infants at all; read as months, nine in ten below ten
      years is what cohorts look like. Infant trials have ages up to a year and pass.

    A cohort for which this is nevertheless right says ``units_checked = true`` in its metadata, and is not checked.

    Parameters
    ----------
    patients : DataFrame
        The ``patients`` table.
    file : path, optional
        For the error message.

    Raises
    ------
    InputError
        A column fails its rule.

    Examples
    --------
    >>> import pandas as pd
    >>> patients = pd.DataFrame({"age_days": range(30), "event_days": range(30), "followup_days": range(30)})
    >>> check_time_units(patients * 30)
    >>> check_time_units(patients * 12)
    Traceback (most recent call last):
    ...
    nbrelapse.errors.InputError: the times look like months, not days: nobody was followed for a year
      column: event_days
      expected: days from diagnosis; the largest value is 348
      mend: convert to days (mapping file: `unit = "months"`), or say `units_checked = true` where they are days
    """
    for column in TIMES:
        known = patients[column].dropna()
        if len(known) >= MIN_PATIENTS and known.max() < YEAR:
            raise _mix_up(column, known, "times", "nobody was followed for a year", file)
    ages = patients["age_days"].dropna()
    if len(ages) >= MIN_PATIENTS and ages.max() < YEAR and ages.quantile(0.9) < FOUR_MONTHS:
        raise _mix_up("age_days", ages, "ages", "nine in ten patients would be younger than four months", file)


def _mix_up(column: str, values: pd.Series, what: str, reason: str, file: str | Path | None) -> InputError:
    unit = "years" if values.max() <= 40 and not (values % 1 == 0).all() else "months"
    return InputError(
        f"the {what} look like {unit}, not days: {reason}",
        file=file,
        column=column,
        expected=f"days {'at' if what == 'ages' else 'from'} diagnosis; the largest value is {values.max():g}",
        mend=f'convert to days (mapping file: `unit = "{unit}"`), or say `units_checked = true` where they are days',
    )
