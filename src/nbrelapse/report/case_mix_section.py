"""The section of an evaluation that says how its patients differ from those the model was trained on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from nbrelapse.report.wording import _number, _percent, _signed

_UNKNOWN = "–"
_IN_WORDS = {"known": "how often they are known", "mean": "their mean", "distribution": "their distribution"}
_ALIKE = 0.02
"""Difference of two expected concordances of which nothing is made. A choice: intervals are far wider."""


_CENSORING = ", which censoring raises"
"""Harrell's C and the cause-specific one (van Klaveren 2016, 10.1002/sim.6997)."""


def case_mix_sentences(
    features: pd.DataFrame, figures: pd.DataFrame, observed_c: float = math.nan, *, timed: bool = True
) -> list[str]:
    """Say how patients differ from the training patients, the features first.

    Parameters
    ----------
    features, figures : DataFrame
        The tables of :class:`nbrelapse.scoring.CaseMix`.
    observed_c : float
        Concordance found here, cause-specific where there are competing events.
    timed : bool
        Whether the outcome is a time to an event.

    Returns
    -------
    list of str
        One or more; what a model saved before 0.4.0 did not keep is not spoken of.
    """
    values = {row["figure"]: row for row in figures.to_dict("records")}
    return [
        _features_sentence(features, "features_differing" in values),
        *_distance_sentences(values),
        _spread_sentence(values),
        *_expected_sentences(values, observed_c, timed),
    ]


def _features_sentence(features: pd.DataFrame, compared: bool) -> str:
    """Say how many features differ.

    Examples
    --------
    >>> table = pd.DataFrame({"differs": ["", "mean, distribution", "known"], "known": [1.0, 0.9, 0.0]})
    >>> _features_sentence(table, True)
    'Of 3 features 2 differ from the training patients beyond chance: 1 in how often they are known, 1 in their mean,
    1 in their distribution. 1 is known of nobody here.'
    """
    never = int((features["known"] == 0).sum())
    unknown = f" {never} {'is' if never == 1 else 'are'} known of nobody here." if never else ""
    if not compared:
        return (
            f"The model has {len(features)} features; it was saved without their distribution in training, so that "
            f"only what is known and the range of the values can be compared.{unknown}"
        )
    differing = int((features["differs"] != "").sum())
    start = f"Of {len(features)} features {differing or 'none'} differ{'s' if differing < 2 else ''}"
    parts = {name: int(features["differs"].str.split(", ").map(lambda own, name=name: name in own).sum())
             for name in _IN_WORDS}  # fmt: skip
    told = ", ".join(f"{count} in {_IN_WORDS[name]}" for name, count in parts.items() if count)
    return f"{start} from the training patients beyond chance{f': {told}' if told else ''}.{unknown}"


def _distance_sentences(values: Mapping[str, Mapping[Any, Any]]) -> list[str]:
    outside = values["out_of_range"]
    beyond = (
        f"{_percent(outside['here'])} of the patients have a value that no training patient had (at least one feature)."
    )
    if "membership_c" not in values or math.isnan(values["membership_c"]["here"]):
        return [beyond]
    member, far = values["membership_c"], values["far"]
    return [
        f"A patient here lies farther from the mean of the training patients than one of these with a probability of "
        f"{_number(member['here'], 2)} ({_number(member['low'], 2)} to {_number(member['high'], 2)}; 0.50 if they are "
        f"alike); {_percent(far['here'])} ({_percent(far['low'])} to {_percent(far['high'])}) lie beyond 95% of them, "
        f"where 5% would be expected. {beyond}"
    ]


def _spread_sentence(values: Mapping[str, Mapping[Any, Any]]) -> str:
    mean, sd = values["log_risk_mean"], values["log_risk_sd"]
    return (
        f"The predicted log risk has the mean {_signed(mean['here'])} and the standard deviation "
        f"{_number(sd['here'], 2)} here, {_signed(mean['training'])} and {_number(sd['training'], 2)} in training."
    )


def _expected_sentences(values: Mapping[str, Mapping[Any, Any]], observed: float, timed: bool) -> list[str]:
    """Say what concordance was to be expected of these patients, and what of it is the fit.

    Examples
    --------
    >>> figures = {"expected_c": {"training": 0.8, "here": 0.7}, "calibrated_c": {"here": 0.65}}
    >>> print(_expected_sentences(figures, 0.66, timed=False)[0])
    Were its risks right, the model would have a concordance of 0.80 in its training patients and of 0.70 in these, who
    are more alike: that is case mix. With effects of the size found here it would be 0.65: that is fit. Observed: 0.66.
    """
    expected, calibrated = values["expected_c"], values["calibrated_c"]["here"]
    if math.isnan(expected["here"]) or math.isnan(expected["training"]):
        return []
    moved = expected["here"] - expected["training"]
    who = "who differ as much" if abs(moved) < _ALIKE else f"who are {'more' if moved < 0 else 'less'} alike"
    text = (
        f"Were its risks right, the model would have a concordance of {_number(expected['training'], 2)} in its "
        f"training patients and of {_number(expected['here'], 2)} in these, {who}: that is case mix."
    )
    if not math.isnan(calibrated):
        text += f" With effects of the size found here it would be {_number(calibrated, 2)}: that is fit."
    if not math.isnan(observed):
        text += f" Observed: {_number(observed, 2)}{_CENSORING if timed else ''}."
    return [text]


def _case_mix_section(
    features: pd.DataFrame, figures: pd.DataFrame, mechanisms: Mapping[str, str], observed_c: float, timed: bool
) -> dict[str, Any]:
    """Return what the page shows: sentences, a row a mechanism, and every feature by mechanism.

    Parameters
    ----------
    features, figures : DataFrame
        The tables of :class:`nbrelapse.scoring.CaseMix`.
    mechanisms : mapping of str to str
        Titles, in the order to be shown.
    observed_c, timed
        As in :func:`case_mix_sentences`.
    """
    groups = dict(list(features.groupby("mechanism")))
    rows = [
        {
            "title": title,
            "features": len(groups[name]),
            "differing": int((groups[name]["differs"] != "").sum()),
            "never": int((groups[name]["known"] == 0).sum()),
            "largest": _largest(groups[name]),
            "rows": [_row(row) for row in groups[name].to_dict("records")],
        }
        for name, title in mechanisms.items()
        if name in groups
    ]
    return {
        "sentences": case_mix_sentences(features, figures, observed_c, timed=timed),
        "compared": bool((figures["figure"] == "features_differing").any()),
        "mechanisms": rows,
    }


def _largest(features: pd.DataFrame) -> str:
    sizes = features["difference"].abs()
    if sizes.isna().all():
        return _UNKNOWN
    row = features.iloc[int(sizes.argmax())]
    return f"{_signed(row['difference'])} {row['title']}"


def _row(row: Mapping[Any, Any]) -> dict[str, str]:
    interval = ""
    if not math.isnan(row["low"]):
        interval = f"{_signed(row['low'])} to {_signed(row['high'])}"
    return {
        "title": row["title"],
        "known": _share(row["known"]),
        "training_known": _share(row["training_known"]),
        "value": _value(row, "mean", "sd"),
        "training_value": _value(row, "training_mean", "training_sd"),
        "difference": _UNKNOWN if math.isnan(row["difference"]) else _signed(row["difference"]),
        "interval": interval,
        "psi": _UNKNOWN if math.isnan(row["psi"]) else _number(row["psi"], 2),
        "out_of_range": _UNKNOWN if math.isnan(row["out_of_range"]) else _share(row["out_of_range"]),
        "differs": row["differs"],
    }


def _value(row: Mapping[Any, Any], mean: str, sd: str) -> str:
    if math.isnan(row[mean]):
        return _UNKNOWN
    if row["kind"] == "binary":
        return _share(row[mean])
    return f"{row[mean]:.3g} ({row[sd]:.2g})".replace("-", "−")


def _share(value: float) -> str:
    return "0%" if value == 0 else "100%" if value == 1 else _percent(value)
