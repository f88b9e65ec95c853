"""How often intervals hold the truth: figures of a model, bands of patients, nested figures of the final model.

Figures: a model that is exactly right and one that sees half of it are judged by `evaluate` in cohorts of 40 to 500
patients with few and many events (or none and a binary outcome), with percentile and BCa intervals, besides the mean
event-free time. The truth is the same figure in 30,000 patients followed alike. A figure that is not printed has no
coverage; where it is printed in fewer than 30 cohorts nothing is said.

Patients are those of the packaged simulation, read without error and with nothing missing: the true incidence of
relapse within five years is known, and is a function of what the models read. Bands: models are tuned and fitted on a
cohort, and 300 new patients are held against their bands and against the spread of the bootstrap refits alone, in all
and by tenth of predicted risk. Nested: the true figures are those of the final model, tuned and fitted on the whole
cohort, in 4,000 new patients; intervals are those of `evaluate`, and the same without their stretch. Horizons are
taken together. `cox_prior` knows
half of the true effects at 80 % of their size, and the signs of the others.

Intervals of the coverage are over cohorts: patients of a cohort share its model.
"""

from __future__ import annotations

import warnings
from itertools import product
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import expit, logit, ndtr
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from _document import main
from nbrelapse.mechanisms.catalogue import PriorKnowledge
from nbrelapse.metrics import (
    METRICS,
    IntervalKind,
    Predictions,
    cross_validation_stretch,
    evaluate,
    event_free_time,
    prediction_times,
)
from nbrelapse.metrics.horizons import YEAR
from nbrelapse.models.base import RiskModel
from nbrelapse.models.clinical import ClinicalCox, ClinicalLogistic
from nbrelapse.models.families import BINARY_FAMILIES, create_model
from nbrelapse.models.resamples import bootstrap_refits
from nbrelapse.outcome import SURVIVAL_DTYPE
from nbrelapse.simulation.patients import (
    _by_stratum,
    _draw_courses,
    _draw_patients,
    _load_calibration,
    _true_log_hazards,
)
from nbrelapse.validation import cross_predictions, learn_bands, nested_cross_validation, tune

HORIZON = np.array([5 * YEAR])
NEW = 300
JUDGES = 4000
TRIALS = 8
FIRST = 900
"""Seed of the first cohort of bands: the widths were chosen on cohorts 500 to 711 and on other simulations."""
REFITS = 40
FAMILIES = ("cox", "cox_prior", "boosted", "boosted_prior", "blend", "forest", *BINARY_FAMILIES)
SETTINGS = {"few": (0.06, 0.8, 2.0, 12.0), "many": (0.2, 1.2, 1.0, 12.0), "binary": (0.25, 1.0)}
"""Hazard a year (or probability) of the event, spread of the log risk, earliest and latest end of follow-up, years."""
RIVAL = 0.03
TRUTH = 30_000
FIGURES = {40: 250, 60: 120, 100: 80, 200: 60, 500: 40}
FULL_FIGURES = dict.fromkeys(FIGURES, 250)
FIGURE_RESAMPLES = 300
BANDS = {150: 8, 500: 4}
FULL_BANDS = {150: 40, 300: 40, 500: 40}
NESTED = {150: 60, 500: 30}
NESTED_FAMILIES = {False: ("cox", "boosted"), True: ("logistic", "boosted_classifier")}
FULL_NESTED = {150: 400, 300: 400, 500: 400}
CLINICAL = ["stage_4", "mna", "log2_age"]
NOT_READ = ["stratum", "purity", "age_days", "diagnosis_year", "discovery", "other"]


class _Patients(NamedTuple):
    X: pd.DataFrame
    y: np.ndarray
    incidence: np.ndarray


def interval_coverage(*, figures: bool, bands: bool, nested: bool, full: bool) -> list[dict[str, object]]:
    results: list[dict[str, object]] = []
    everything = not (figures or bands or nested)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", RuntimeWarning)
        if figures or everything:
            results += _figures(FULL_FIGURES if full else FIGURES)
        if bands or everything:
            for size, cohorts in (FULL_BANDS if full else BANDS).items():
                for family in FAMILIES:
                    results += _bands(family, size, cohorts)
        if nested or everything:
            for size, cohorts in (FULL_NESTED if full else NESTED).items():
                results += _nested(size, cohorts)
            results += _nested(150, (FULL_NESTED if full else NESTED)[150], binary=True)
    return results


def _figures(cohorts: dict[int, int]) -> list[dict[str, object]]:
    rows = []
    for setting in SETTINGS:
        true = _judged(setting, TRUTH, 12_345, "percentile", 2)["value"]
        for size, count in cohorts.items():
            for seed, kind in product(range(count), ("percentile", "bca")):
                found = _judged(setting, size, seed, kind, FIGURE_RESAMPLES)
                found["true"] = true.reindex(found.index)
                rows.append(found.dropna().reset_index().assign(n=size, kind=kind))
    table = pd.concat(rows)
    table["held"] = (table["low"] <= table["true"]) & (table["true"] <= table["high"])
    results = []
    for (what, metric, kind, size), own in table.groupby(["of", "metric", "kind", "n"], sort=False)["held"]:
        if len(own) >= 30:
            row = _row(f"{what}, {metric}, {kind}, {size} patients", own.astype(float), False)
            results.append(row | {"goal": 0.92, "met": bool(own.mean() >= 0.92)})
    return results


def _judged(setting: str, size: int, seed: int, kind: IntervalKind, n_bootstrap: int) -> pd.DataFrame:
    """Figures of both models and their difference, ``of, metric`` to ``value, low, high``."""
    y, models = _drawn_models(setting, size, seed)
    everybody = {"all": np.ones(size, dtype=bool)}
    found = evaluate(
        models, y, populations=everybody, references=["half"], n_bootstrap=n_bootstrap, interval=kind, seed=seed
    )
    tables = [
        found.metrics.rename(columns={"model": "of"}),
        found.differences.rename(columns={"difference": "value"}).assign(of="right less half"),
    ]
    if setting != "binary" and kind == "percentile":
        halves = {"risk above the mean": models["right"].log_risk[0] > 0}
        times, _ = event_free_time(models["right"], halves, y, n_bootstrap=n_bootstrap, seed=seed)
        times = times[times["grouping"] != "predicted_third"]  # whose limits are others in each cohort
        group = times["grouping"] + " " + times["group"].astype(str)
        metric = "event-free time " + times["years"].astype(str) + " y, " + group
        tables.append(times.rename(columns={"event_free": "value"}).assign(of="patients", metric=metric))
    columns = ["of", "metric", "value", "low", "high"]
    return pd.concat([table[columns] for table in tables]).set_index(["of", "metric"])


def _drawn_models(setting: str, size: int, seed: int) -> tuple[np.ndarray, dict[str, Predictions]]:
    rng = np.random.default_rng(seed)
    level, effect, *follow_up = SETTINGS[setting]
    x = effect * rng.normal(size=size)
    half = 1.4 * (0.6 * x + 0.5 * effect * rng.normal(size=size))
    fold = np.zeros((1, size), dtype=int)
    if setting == "binary":
        odds, whenever = {"right": logit(level) + x, "half": logit(level) + half}, np.array([np.inf])
        y = (rng.random(size) < expit(odds["right"])).astype(np.int8)
        return y, {
            name: Predictions(name, own[None], fold, expit(own)[None, :, None], whenever) for name, own in odds.items()
        }
    times = np.arange(1, 21) / 4 * YEAR

    def predictions(name: str, log_risk: np.ndarray) -> Predictions:
        own = level * np.exp(log_risk)[:, None]
        incidence = own / (own + RIVAL) * -np.expm1(-(own + RIVAL) * times / YEAR)
        return Predictions(name, log_risk[None], fold, incidence[None], times)

    own = level * np.exp(x)
    happens, censored = rng.exponential(1 / (own + RIVAL)), rng.uniform(*follow_up, size)
    event = np.where(rng.random(size) < own / (own + RIVAL), 1, 2)
    y = np.zeros(size, dtype=SURVIVAL_DTYPE)
    y["event"], y["time"] = np.where(happens <= censored, event, 0), np.minimum(happens, censored) * YEAR
    return y, {"right": predictions("right", x), "half": predictions("half", half)}


def _draw(size: int, seed: int) -> _Patients:
    """Draw patients with their outcome and their true incidence of relapse within five years."""
    calibration = _load_calibration()
    course = calibration["course"]
    streams = np.random.default_rng(seed).spawn(2)
    drawn = _draw_patients(streams[0], size, calibration)
    log_hazard = _true_log_hazards(drawn, calibration["log_hazards"]).sum(axis=1).to_numpy()
    log_hazard = log_hazard - course["mean_log_hazard"]
    courses = _draw_courses(streams[1], drawn, log_hazard, calibration)
    y = np.zeros(size, dtype=SURVIVAL_DTYPE)
    y["event"] = np.select([courses["relapsed"], courses["event"] == "Censored"], [1, 0], 2)
    y["time"] = courses["event_days"]
    hazards = (
        (course["plateau"] * np.exp(log_hazard), "relapse"),
        (-np.log1p(-_by_stratum(course["competing"], drawn["stratum"].to_numpy())), "competing"),
    )
    days = np.linspace(1e-6, HORIZON[0], 200)
    relapse, competing = (
        hazard[:, None] * ndtr(np.log(days / course[f"{cause}_median_days"]) / course[f"{cause}_log_sd"])
        for hazard, cause in hazards
    )
    free = np.exp(-relapse - competing)
    incidence = ((free[:, 1:] + free[:, :-1]) / 2 * np.diff(relapse, axis=1)).sum(axis=1)
    X = drawn.select_dtypes("number").drop(columns=NOT_READ, errors="ignore").astype(float)
    return _Patients(X.set_axis([f"{seed}-{row}" for row in range(size)]), y, incidence)


def _model(family: str, columns: list[str], seed: int) -> RiskModel:
    effects = {name: value for of in _load_calibration()["log_hazards"].values() for name, value in of.items()}
    read = sorted(set(effects) & set(columns))
    known = {name: 0.8 * effects[name] for name in read[::2]}
    signs = {name: int(np.sign(effects[name])) for name in read}
    unsized = {name: signs[name] for name in read[1::2]}
    prior = PriorKnowledge(known, frozenset(known), unsized, 0.3, {name: name for name in columns})
    binary = family in BINARY_FAMILIES
    return create_model(family, columns=columns, directions=signs, prior=prior, seed=seed, binary=binary)


def _bands(family: str, size: int, cohorts: int) -> list[dict[str, object]]:
    rows = []
    binary = family in BINARY_FAMILIES
    horizon = np.array([np.inf]) if binary else HORIZON
    for seed in range(FIRST, FIRST + cohorts):
        own, new = _draw(size, seed), _draw(NEW, 10_000 + seed)
        y = (np.random.default_rng(seed).random(size) < own.incidence).astype(np.int8) if binary else own.y
        tuned = tune(_model(family, list(own.X), seed), own.X, y, n_trials=TRIALS, n_folds=3, seed=seed)
        model = clone(tuned).fit(own.X, y)
        predicted = cross_predictions(tuned, own.X, y, times=prediction_times(y), seed=seed)
        bands = learn_bands(predicted, model, own.X, y)
        assert bands is not None
        refits = bootstrap_refits(tuned, own.X, y, n_refits=REFITS, seed=seed)
        refitted = np.stack([refit.predict_risk(new.X, horizon)[1] for refit in refits])
        incidence = model.predict_risk(new.X, horizon)[1]
        low, high, *_ = bands.limits(incidence, horizon, refitted)
        inside = (low[:, 0] <= new.incidence) & (new.incidence <= high[:, 0])
        low_refits, high_refits = np.quantile(refitted[:, :, 0], [0.025, 0.975], axis=0)
        before = (low_refits <= new.incidence) & (new.incidence <= high_refits)
        tenth = np.argsort(np.argsort(incidence[:, 0], kind="stable")) * 10 // NEW
        by_tenth = [inside[tenth == number].mean() for number in range(10)]
        below_true = np.argsort(np.argsort(new.incidence)) * 10 // NEW
        rows.append([before.mean(), inside.mean(), (high - low).mean(), inside[below_true == 9].mean(), *by_tenth])
    names = ["spread of refits alone", "band", "mean width of the band", "band, highest tenth of true risk"]
    names += [f"band, tenth {number}" for number in range(1, 11)]
    found = pd.DataFrame(rows, columns=names)
    return [_row(f"{family}, {size} patients: {name}", found[name], name == "band") for name in names]


def _nested(size: int, cohorts: int, *, binary: bool = False) -> list[dict[str, object]]:
    judges = _recorded(_draw(JUDGES, 90_000), 7, binary=binary)
    clinical = ClinicalLogistic(CLINICAL) if binary else ClinicalCox(CLINICAL)
    rows = []
    for seed in range(cohorts):
        own = _recorded(_draw(size, 20_000 + seed), seed, binary=binary)
        models = {name: _model(name, list(own.X), seed) for name in NESTED_FAMILIES[binary]} | {"clinical": clinical}
        settings = {"n_trials": TRIALS, "seed": seed}
        times = prediction_times(own.y)
        predicted = nested_cross_validation(
            models, own.X, own.y, n_repeats=1, n_folds=5, n_inner_folds=3, times=times, **settings
        )
        final = {
            name: tune(model, own.X, own.y, n_folds=3, **settings).fit(own.X, own.y) for name, model in models.items()
        }
        found = _figures_of(predicted, own.y, 300, seed)
        true = _figures_of({name: _predicted(name, model, judges, times) for name, model in final.items()}, judges.y, 2)
        found["true"] = true["value"].reindex(found.index)
        stretch = [
            cross_validation_stretch(predicted["clinical"].fold, METRICS[name].training)
            for name in found.index.get_level_values("metric")
        ]
        for which, wider in (("without stretch", np.array(stretch)), ("as printed", 1.0)):
            low, high = (found["value"] + (found[end] - found["value"]) / wider for end in ("low", "high"))
            held = (low <= found["true"]) & (found["true"] <= high)
            rows.append(held[found[["low", "high", "true"]].notna().all(axis=1)].reset_index(name="held"))
            rows[-1] = rows[-1].assign(which=which, seed=seed)
    table = pd.concat(rows)
    table["metric"] = table["metric"].map(lambda name: METRICS[name].subject)
    by_cohort = table.groupby(["of", "metric", "which", "seed"], sort=False)["held"].mean()
    return [
        _row(f"nested, {size} patients: {of}, {metric}, {which}", held, which == "as printed")
        for (of, metric, which), held in by_cohort.groupby(level=[0, 1, 2], sort=False)
    ]


def _recorded(patients: _Patients, seed: int, *, binary: bool) -> _Patients:
    """Give the patients a yes or no of their true probability where the endpoint is one."""
    if not binary:
        return patients
    y = (np.random.default_rng(seed).random(len(patients.X)) < patients.incidence).astype(np.int8)
    return patients._replace(y=y)


def _predicted(name: str, model: RiskModel, judges: _Patients, times: np.ndarray) -> Predictions:
    log_risk, incidence = model.predict_risk(judges.X, times)
    return Predictions(name, log_risk[None], np.zeros((1, JUDGES), dtype=int), incidence[None], times)


def _figures_of(models: dict[str, Predictions], y: np.ndarray, n_bootstrap: int, seed: int = 0) -> pd.DataFrame:
    """Figures of models and their differences from the clinical one, ``of, metric`` to ``value, low, high``."""
    everybody = {"all": np.ones(len(y), dtype=bool)}
    found = evaluate(models, y, populations=everybody, references=["clinical"], n_bootstrap=n_bootstrap, seed=seed)
    less = found.differences.rename(columns={"difference": "value"})
    tables = [found.metrics.assign(of=found.metrics["model"]), less.assign(of=less["model"] + " less clinical")]
    return pd.concat(tables).set_index(["of", "metric"])[["value", "low", "high"]]


def _row(name: str, values: pd.Series, judged: bool) -> dict[str, object]:
    error = 1.96 * values.std(ddof=1) / np.sqrt(len(values))
    row = {"name": f"{name} ({len(values)} cohorts)", "value": values.mean()}
    row |= {"low": values.mean() - error, "high": values.mean() + error}
    return row | ({"goal": 0.92, "met": bool(values.mean() >= 0.92)} if judged else {})


OPTIONS = {
    "figures": "only the figures of a model in cohorts of 40 to 500",
    "bands": "only the bands of patients",
    "nested": "only the intervals of nested cross-validation",
    "full": "more cohorts and sizes: hours",
}

if __name__ == "__main__":
    main("interval_coverage", interval_coverage, OPTIONS)
