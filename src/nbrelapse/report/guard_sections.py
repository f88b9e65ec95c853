"""The sections of a report that say how far its figures carry, and whether decisions would change."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from nbrelapse.metrics.decisions import TREAT_ALL, at_years
from nbrelapse.metrics.event_free_time import PREDICTED_THIRD
from nbrelapse.metrics.horizons import YEAR
from nbrelapse.metrics.table import POPULATIONS, metric_title
from nbrelapse.models.families import model_title
from nbrelapse.report.wording import _number, _signed, _strategy_title

if TYPE_CHECKING:
    import pandas as pd

    from nbrelapse.metrics.choice import FigureSpread
    from nbrelapse.metrics.decisions import ClinicalUtility, Reclassification
    from nbrelapse.validation.guards import Multiplicity
    from nbrelapse.validation.sample_size import LearningCurve, SampleSize


@dataclass(frozen=True)
class GuardSection:
    """One guard in a report or a model card.

    Parameters
    ----------
    title : str
    sentences : tuple of str
        A paragraph each.
    columns : tuple of str
        Heads of a table; none without one.
    rows : tuple of tuple of str
    figure, caption : str
        Name of the picture among the report's, and what it shows; empty without one.
    """

    title: str
    sentences: tuple[str, ...]
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    figure: str = ""
    caption: str = ""


def sample_size_section(size: SampleSize, used: Mapping[str, int]) -> GuardSection:
    """Say whether there are enough events for the candidate parameters, and how many the final models use.

    Parameters
    ----------
    size : SampleSize
    used : dict of str to int
        Features that move a prediction, by model.
    """
    finals = "; ".join(
        f"{model_title(name)} {count} ({size.events / count:.1f} events each)" if count else f"{model_title(name)} none"
        for name, count in used.items()
    )
    return GuardSection(
        "Events per parameter",
        (_sample_size_sentence(size), f"Features that the final models use, of {size.parameters}: {finals}."),
    )


def _sample_size_sentence(size: SampleSize) -> str:
    """Compare the patients there are with those that Riley's criteria ask for.

    Examples
    --------
    >>> from nbrelapse.validation.sample_size import sample_size
    >>> print(_sample_size_sentence(sample_size(1000, 300, 3)).split(":")[0])
    300 events for 3 candidate features are 100.0 events each
    """
    each = f"{size.events_per_parameter:.1f} events each"
    events = f"{size.events} events for {size.parameters} candidate features are {each}"
    criterion = (
        "overfits by a tenth at most (Riley 2020, 10.1136/bmj.m441; explained variation anticipated at 15% of the "
        "largest possible)"
    )
    if size.is_enough:
        return f"{events}: enough for a regression without penalty that {criterion}."
    return (
        f"{events}: few. A regression without penalty that {criterion} would need {size.patients_needed:,} patients "
        f"with {size.events_needed:,} events; in these {size.patients:,} its effects would have to be shrunk "
        f"to {size.shrinkage:.2f} of their size. Penalties and nested cross-validation guard the models here against "
        "that; which features they pick remains uncertain."
    )


def multiplicity_section(tried: Multiplicity) -> GuardSection:
    """Say how many models were tried."""
    return GuardSection("Models tried", (multiplicity_sentence(tried),))


def multiplicity_sentence(tried: Multiplicity) -> str:
    """Say how many models were tried, and what that does to the figure of the one that is reported.

    Examples
    --------
    >>> from nbrelapse.validation.guards import Multiplicity
    >>> print(multiplicity_sentence(Multiplicity(2, 40, 1)).split(";")[0])
    2 model families were compared, each tuned by up to 40 settings (80 in all)
    """
    compared = "1 model family was" if tried.families == 1 else f"{tried.families} model families were compared, each"
    settings = f"{compared} tuned by up to {tried.trials} settings ({tried.families * tried.trials} in all)"
    store = (
        "this MLflow store has no other experiment on these patients and outcomes on record"
        if tried.experiments <= 1
        else f"this MLflow store has {tried.experiments} experiments on these patients and outcomes on record"
    )
    sentences = [f"{settings}; {store}.", _winners_curse(tried)]
    if tried.experiments > 1:
        sentences.append("What was changed after looking at the earlier ones is not corrected for.")
    return " ".join(sentences)


def _winners_curse(tried: Multiplicity) -> str:
    if tried.families == 1:
        return "Tuning happened inside the training folds and does not flatter the cross-validated figures."
    curse = "The highest of several cross-validated figures flatters the model that has it"
    if not (math.isfinite(tried.apparent) and math.isfinite(tried.corrected)):
        return f"{curse}."
    return (
        f"{curse}: corrected for the choice of the family this one has {tried.corrected:.3f} instead of "
        f"{tried.apparent:.3f} (Tsamardinos 2018, 10.1007/s10994-018-5714-4)."
    )


def optimism_section(tables: Mapping[str, pd.DataFrame]) -> GuardSection:
    """Show what is left of the final models' apparent figures in patients whom their refits have not seen.

    A figure that cannot be estimated has no row; a sentence names it.

    Parameters
    ----------
    tables : dict of str to DataFrame
        By model, see :func:`nbrelapse.validation.guards.optimism`.
    """
    figures = {
        f"{model_title(model)}, {metric_title(str(metric))}": row
        for model, table in tables.items()
        for metric, row in table.iterrows()
    }
    shown = {name: row for name, row in figures.items() if math.isfinite(row["corrected"])}
    missing = [name for name in figures if name not in shown]
    resamples = max((int(table["resamples"].max()) for table in tables.values()), default=0)
    sentences = [
        "The final models judged by the patients they were fitted to, and what to expect of new patients by the rule "
        f"0.632+ (Efron & Tibshirani 1997, 10.1080/01621459.1997.10474007): refits to {resamples} bootstrap resamples, "
        "each judged by the patients outside its resample. The parameters were not tuned again in each: what tuning "
        "and the choice of the family add is in the nested cross-validation, whose figures come first."
    ]
    if missing:
        sentences.append(
            "Not estimated, because too few patients are outside the resamples, the figure is undefined there or "
            f"scatters too much: {'; '.join(missing)}."
        )
    return GuardSection(
        "Optimism of the final models",
        tuple(sentences),
        ("Model and figure", "Apparent", "Outside the resample", "Corrected"),
        tuple((name, *(_number(row[column]) for column in _OPTIMISM)) for name, row in shown.items()),
    )


_OPTIMISM = ("apparent", "outside", "corrected")


def spread_section(
    model: str,
    spread: FigureSpread,
    features_used: Sequence[int],
    *,
    metric: str,
) -> GuardSection:
    """Say how far the chosen family's figure and its number of features move with the folds and the refits.

    Parameters
    ----------
    model : str
        The chosen family.
    spread : FigureSpread
        Of its cross-validation.
    features_used : sequence of int
        In each refit, see :class:`nbrelapse.explanation.Stability`.
    metric : str
        That the family was chosen by.
    """
    title, name = metric_title(metric), model_title(model)
    said = []
    if spread.repeats > 1:
        low, high = _number(spread.lowest), _number(spread.highest)
        said.append(f"Over {spread.repeats} divisions into folds, {title} of {name} runs from {low} to {high}.")
    else:
        said.append("There is one division into folds, so how far the figure moves with it is not known.")
    if spread.folds:
        without = {0: "none is", 1: "1 is"}.get(spread.empty, f"{spread.empty} are")
        said.append(f"Of {spread.folds} models tuned anew on parts of the patients, {without} without any feature.")
    if features_used:
        said.append(
            f"{len(features_used)} refits with the final parameters use {min(features_used)} to {max(features_used)} "
            "features."
        )
    return GuardSection("Stability of the chosen family", (" ".join(said),))


def learning_section(curve: LearningCurve, model: str) -> GuardSection:
    """Say whether more patients would help."""
    rows = [
        (f"{row['patients']:.0f}", f"{row['events']:.0f}", _number(row["value"]), _range(row["low"], row["high"]))
        for row in curve.table.to_dict("records")
    ]
    return GuardSection(
        "Learning curve",
        (_learning_sentence(curve, model),),
        ("Training patients", "Events", "Concordance", "95% interval"),
        tuple(rows),
        figure="learning_curve",
        caption="Concordance in unseen patients by the number of training patients, with 95% intervals.",
    )


def _range(low: float, high: float) -> str:
    return f"{_number(low)} to {_number(high)}" if math.isfinite(low) and math.isfinite(high) else "–"


_HARDLY = 0.01
"""A gain in concordance that would hardly be worth twice the patients. A choice."""


def _learning_sentence(curve: LearningCurve, model: str) -> str:
    """Say what twice as many patients would be expected to add.

    Parameters
    ----------
    curve : LearningCurve
    model : str
        The family it is of.
    """
    if not (math.isfinite(curve.gain) and math.isfinite(curve.gain_low)):
        return "There are too few events to train on parts of the patients: whether more would help cannot be told."
    if curve.gain_low > 0:
        answer = "More patients would help"
    elif curve.gain_high < _HARDLY:
        answer = "More patients of this kind would hardly help"
    else:
        answer = "Whether more patients would help is not shown"
    last = curve.table.iloc[-1]
    step = (
        f"from the last part to all {last['patients']:.0f} training patients of a fold the concordance of "
        f"{model_title(model)} changed by {_signed(last['step'], 3)} (95% interval {_signed(last['step_low'], 3)} to "
        f"{_signed(last['step_high'], 3)})"
    )
    return (
        f"{answer}: {step}, and twice as many would be expected to add {_signed(curve.gain, 3)} "
        f"({_signed(curve.gain_low, 3)} to {_signed(curve.gain_high, 3)}), if it goes on with the inverse square "
        "root of their number."
    )


_UNKNOWN = "–"
_COMPONENTS = {"events": "Patients with the event, net share moved up", "nonevents": "Others, net share moved down"}


def decisions_section(utility: ClinicalUtility) -> dict[str, Any]:
    """Return the contents of the section "Would decisions change?"."""
    crossed = utility.reclassification
    return {
        "sentences": [_sentence(utility, year) for year in utility.years],
        "tertiles": [
            {
                "years": _UNKNOWN if pd.isna(row["years"]) else f"{row['years']:.0f}",
                "group": row["group"],
                "n": row["n"],
                "predicted": f"{row['predicted']:.0%}",
                "observed": _share(row),
                "within": "yes" if row["within"] else "no" if pd.notna(row["observed"]) else _UNKNOWN,
            }
            for row in utility.tertiles.to_dict("records")
        ],
        "event_free": _event_free_rows(utility),
        "crossed": None if crossed is None else _crossed(crossed),
        "grouping": "" if utility.grouping is None else _grouping(utility.grouping),
        "within": _within(utility.years[-1]).lower() if utility.years else "",
        "notes": utility.notes,
    }


_NEARLY_ALL = 0.95
"""A share of the patients. A choice: a model that treats more of them is treating everybody, and its gain is theirs."""


def _within(years: int | None) -> str:
    """Say a horizon; there is none to say of a binary endpoint."""
    return "" if years is None else f"Within {years} years"


def _sentence(utility: ClinicalUtility, years: int | None) -> str:
    """Compare treating by a model with the better of treating the clinical group and treating everybody."""
    table = utility.decisions.differences
    model = _strategy_title(utility.model)
    start = _within(years)
    prefix = f"{start}: " if start else ""
    if table.empty:
        return _sentence_case(f"{prefix}there is no clinical group to hold decisions by {model} against.")
    table = at_years(table, years)
    table = table[table["strategy"] == utility.model]
    group = table.loc[table["reference"] != TREAT_ALL, "reference"].iloc[0]
    benefit = at_years(utility.decisions.net_benefit, years).pivot(
        index="threshold", columns="strategy", values="net_benefit"
    )
    useful = benefit.index[benefit[[group, TREAT_ALL]].max(axis=1) > 0]
    # The better of two references is the one from which the difference is smaller.
    table = table.sort_values("difference", kind="stable").drop_duplicates("threshold").sort_values("threshold")
    table = table[table["threshold"].isin(useful)]
    if table.empty:
        return _sentence_case(
            f"{prefix}treating everybody or the {_lower(group)} does more good than harm at no threshold."
        )
    horizon = f" {start.lower()}" if start else ""
    start = (
        f"At thresholds from {table['threshold'].min():.0%} to {table['threshold'].max():.0%}{horizon}, "
        f"where treating everybody or the {_lower(group)} does more good than harm, treating by {model} instead"
    )
    everybody = table["threshold"].isin(_treating_all(utility, years))
    better, worse = table[(table["low"] > 0) & ~everybody], table[table["high"] < 0]
    parts = [
        f"{_part(rows, word, len(table))} than the better of the two"
        for rows, word in ((better, "more"), (worse, "less"))
        if not rows.empty
    ]
    said = f"{start} {' and '.join(parts) or 'is not shown to do more good, or less, than the better of the two'}."
    if everybody.any():
        said += f" At {int(everybody.sum())} of these the model itself treats nearly everybody."
    return said


def _sentence_case(text: str) -> str:
    return text[0].upper() + text[1:]


def _treating_all(utility: ClinicalUtility, years: int | None) -> pd.Series:
    """Return the thresholds at which the model treats nearly all patients."""
    own = at_years(utility.decisions.net_benefit, years)
    own = own[own["strategy"] == utility.model]
    return own.loc[own["treated"] >= _NEARLY_ALL, "threshold"]


def _lower(group: str) -> str:
    title = _strategy_title(group)
    return title[0].lower() + title[1:]


def _part(rows: pd.DataFrame, word: str, asked: int) -> str:
    most = rows.iloc[int(rows["difference"].abs().argmax())]
    return (
        f"does {word} good at {len(rows)} of {asked} (most at {most['threshold']:.0%}: "
        f"{_signed(most['difference'], 3)} in net benefit per patient, 95% interval {_signed(most['low'], 3)} to "
        f"{_signed(most['high'], 3)})"
    )


_DAYS_PER_MONTH = YEAR / 12
_THIRDS = ("lowest", "middle", "highest")


def _event_free_rows(utility: ClinicalUtility) -> list[dict[str, Any]]:
    """Return the restricted mean event-free times as a table of the report, in days and in months."""
    if utility.event_free.empty:
        return []
    return [
        {
            "grouping": _event_free_group(row["grouping"], row["group"], row["groups"]),
            **{name: row[name] for name in ("years", "n", "at_risk", "events")},
            "days": f"{row['event_free']:.0f} ({row['low']:.0f} to {row['high']:.0f})",
            "months": f"{row['event_free'] / _DAYS_PER_MONTH:.1f}",
        }
        for row in utility.event_free.to_dict("records")
    ]


def _event_free_group(grouping: str, rank: int, groups: int) -> str:
    """Name a group of the table of event-free times.

    Examples
    --------
    >>> _event_free_group("all", 0, 1), _event_free_group("predicted_third", 2, 3)
    ('All patients', 'Third of predicted risk: highest')
    >>> _event_free_group("high_risk", 1, 2)
    'Clinical high-risk group: yes'
    """
    if grouping == "all":
        return POPULATIONS["all"]
    if grouping == PREDICTED_THIRD:
        return f"Third of predicted risk: {_THIRDS[rank]}"
    if grouping == "high_risk":
        return f"{_strategy_title(grouping)}: {('no', 'yes')[rank]}"
    return f"{model_title(grouping)}: {_group(rank, groups)}"


def _crossed(crossed: Reclassification) -> dict[str, Any]:
    cells = {(row["clinical"], row["model"]): row for row in crossed.cells.to_dict("records")}
    groups = range(len(crossed.cuts) + 1)
    return {
        "columns": [_group(group, len(groups)) for group in groups],
        "rows": [
            {"title": _group(first, len(groups)), "cells": [_cell(cells.get((first, second))) for second in groups]}
            for first in groups
        ],
        "cuts": ", ".join(f"{cut:.0%}" for cut in crossed.cuts),
        "improvement": [
            {
                "title": _COMPONENTS[row["component"]],
                "value": _signed(row["value"], 3),
                "interval": f"{_signed(row['low'], 3)} to {_signed(row['high'], 3)}",
            }
            for row in crossed.improvement.dropna().to_dict("records")
        ],
    }


def _grouping(name: str) -> str:
    return _strategy_title(name) if name == "high_risk" else model_title(name)


def _group(rank: int, groups: int) -> str:
    names = {2: ("lower", "highest"), 3: ("low", "intermediate", "high")}
    return names[groups][rank] if groups in names else f"group {rank + 1} of {groups}"


def _cell(row: dict[Any, Any] | None) -> dict[str, str]:
    if row is None:
        return {"value": _UNKNOWN, "interval": ""}
    return {"value": f"{row['n']}", "interval": _share(row)}


def _share(row: dict[Any, Any]) -> str:
    if pd.isna(row["observed"]):
        return _UNKNOWN
    return f"{_number(100 * row['observed'], 0)}% ({_number(100 * row['low'], 0)} to {_number(100 * row['high'], 0)})"
