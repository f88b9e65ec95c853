"""Score each patient of a cohort with the saved model that knows most of what it needs of this patient."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from nbrelapse.cohort.cohort import Cohort, counted
from nbrelapse.errors import InputError, NbRelapseError
from nbrelapse.mechanisms.build import build_features
from nbrelapse.scoring._training import _risk_groups
from nbrelapse.scoring.bundle import _DESCRIPTION, _TEXT_COLUMNS, Bundle, _evidence_of, _leading_figure
from nbrelapse.scoring.reading import load_model
from nbrelapse.scoring.scores import _LEAST_EVIDENCE, _cohort_flags, _score_features, _unseen, cohort_notes
from nbrelapse.scoring.training_summary import is_simulated

_EVEN = 0.1
"""Shares of what is known that lie within this of the highest count as equal: a model is not given up for one that is
judged worse because a gene is missing. A choice of caution, not an estimate."""

_OF_SIMULATED = "its training patients were simulated, these are not"
_OF_REAL = "its training patients were real, these are simulated"
_TOO_LITTLE = f"less than {_LEAST_EVIDENCE:.0%} of what it relies on is known"
_NO_MODEL = "no score: no model can score this patient"
_NOT_COMPARABLE = (
    "log risks, percentiles and contributions of different models are on scales of their own: compare probabilities"
)


@dataclass(frozen=True)
class WhoCanBeScored:
    """Whom of a cohort a saved model can score.

    Parameters
    ----------
    evidence : Series of float
        By patient, 0 to 1: the share of what the model relies on that is known.
    reasons : Series of str
        By patient: empty where the model can score, else why it cannot.
    values : DataFrame of shape (n_patients, n_features)
        What the model reads; NaN = not assayed.
    """

    evidence: pd.Series
    reasons: pd.Series
    values: pd.DataFrame

    @property
    def patients(self) -> int:
        """How many can be scored."""
        return int((self.reasons == "").sum())

    @property
    def left_out(self) -> dict[str, int]:
        """How many cannot, by reason."""
        counts = self.reasons[self.reasons != ""].value_counts(sort=False)
        return {str(reason): int(number) for reason, number in counts.items()}


def who_can_be_scored(bundle: Bundle, cohort: Cohort) -> WhoCanBeScored:
    """Say which patients of a cohort a saved model can score, and why it cannot score the others.

    A patient can be scored where at least a quarter of what the model relies on is known, as :func:`score` has it, and
    where patients like this one trained the model: simulated or real, and of a risk group that was among them. A model
    of high-risk patients scores nobody of another group, nor of an unknown one.

    Parameters
    ----------
    bundle : Bundle
    cohort : Cohort

    Returns
    -------
    WhoCanBeScored

    Examples
    --------
    >>> from nbrelapse.scoring import load_model
    >>> from nbrelapse.simulation import simulate_cohort
    >>> found = who_can_be_scored(load_model("models/quickstart"), simulate_cohort(40, seed=1))
    >>> found.patients, found.left_out
    (40, {})
    """
    values = build_features(cohort, bundle.catalogue, bundle.gene_sets).values[list(bundle.schema.index)]
    evidence = pd.Series(_evidence_of(bundle, values), index=values.index)
    reasons = pd.Series("", index=values.index, dtype=object)
    reasons[evidence < _LEAST_EVIDENCE] = _TOO_LITTLE
    unseen = _unseen(bundle)
    if unseen is not None:
        for warning, whom in unseen.warnings(_risk_groups(cohort)).items():
            reasons[whom] = warning
    if bundle.training.of_simulated != is_simulated(cohort):
        reasons[:] = _OF_SIMULATED if bundle.training.of_simulated else _OF_REAL
    return WhoCanBeScored(evidence, reasons, values)


@dataclass(frozen=True)
class AutoScores:
    """Scores of a cohort, each patient's by a model chosen for this patient.

    Parameters
    ----------
    table : DataFrame
        A row a patient: ``patient_id``; ``model``, its name, missing where none can score the patient;
        ``model_reason``, what spoke for it, or why each model cannot; then the columns of :func:`score`. Mechanisms
        that the patient's model does not read are NaN.
    models : dict of str to int
        How many patients each model scored.
    left_out : dict of str to int
        How many patients no model can score, by reason.
    notes : list of str
        What speaks against the numbers of a model in this cohort, and which models took no part.
    """

    table: pd.DataFrame
    models: dict[str, int]
    left_out: dict[str, int]
    notes: list[str]


def score_auto(
    models: Mapping[str, Bundle] | str | Path,
    cohort: Cohort,
    *,
    endpoint: str = "efs",
    trust: str | Path | None = None,
) -> AutoScores:
    """Score each patient of a cohort with the saved model that knows most of what it needs of the patient.

    Only models of the endpoint that can score the patient take part, see :func:`who_can_be_scored`; models with a
    landmark take none. Of these the one is taken that knows the largest share of what it relies on. Shares within 0.1
    of the largest count as equal: then the model is taken whose card has the highest C (AUC of a binary endpoint),
    among high-risk patients for one who is high-risk, else among all.

    Parameters
    ----------
    models : mapping of str to Bundle, or path
        By name; or the folder whose model folders take part.
    cohort : Cohort
    endpoint : {"relapse", "efs", "os", "refractory"}
    trust : path, optional
        Keyring: only models that one of its keys signed take part. For a folder.

    Returns
    -------
    AutoScores

    Raises
    ------
    InputError
        There is no such folder, or no model of the endpoint among them.

    Examples
    --------
    >>> from nbrelapse.simulation import simulate_cohort
    >>> found = score_auto("models", simulate_cohort(40, seed=1), endpoint="relapse")
    >>> found.models
    {'quickstart': 40}
    """
    given, notes = find_models(models, trust=trust) if isinstance(models, str | Path) else (dict(models), [])
    taking_part, left = _taking_part(given, endpoint)
    contest = _Contest.of(taking_part, cohort)
    parts = []
    for name, bundle in taking_part.items():
        chosen = contest.chosen == name
        if not chosen.any():
            continue
        own = contest.found[name].values.loc[chosen]
        flags = {warning: whom[chosen] for warning, whom in _cohort_flags(bundle, cohort).items()}
        parts.append(_score_features(bundle, own, flags))
        notes += [f"{name}: {note}" for note in cohort_notes(bundle, cohort, own.index)]
    table = pd.concat(parts) if parts else pd.DataFrame()
    columns = _columns(taking_part)
    nobody = contest.reasons[contest.chosen.isna()]
    table = table.reindex(index=cohort.patient_ids, columns=columns)
    for name in _TEXT_COLUMNS:
        table[name] = table[name].astype(object).where(contest.chosen.notna(), "")
    table.loc[nobody.index, "warnings"] = _NO_MODEL
    table.insert(0, "model", contest.chosen.to_numpy())
    table.insert(1, "model_reason", contest.reasons.to_numpy())
    numbers = contest.chosen.value_counts()
    return AutoScores(
        table.rename_axis("patient_id").reset_index(),
        {name: int(numbers.get(name, 0)) for name in taking_part},
        {str(reason): int(number) for reason, number in nobody.value_counts(sort=False).items()},
        [*([_NOT_COMPARABLE] if len(parts) > 1 else []), *notes, *left],
    )


def find_models(folder: str | Path, *, trust: str | Path | None = None) -> tuple[dict[str, Bundle], list[str]]:
    """Load the models of a folder.

    Parameters
    ----------
    folder : path
        Whose folders with an ``MLmodel`` file are models.
    trust : path, optional
        Keyring; see :func:`load_model`.

    Returns
    -------
    models : dict of str to Bundle
        By the name of the folder.
    notes : list of str
        Which cannot be used, and why.

    Raises
    ------
    InputError
        There is no such folder.
    """
    if not Path(folder).is_dir():
        raise InputError("there is no such folder of models", file=folder, fix="name it with --models")
    found, notes = {}, []
    for path in model_folders(folder):
        try:
            found[path.name] = load_model(path, trust=trust)
        except NbRelapseError as error:
            notes.append(f"{path.name} takes no part, it cannot be used: {str(error).splitlines()[0]}")
    return found, notes


def model_folders(folder: str | Path) -> list[Path]:
    """Return the folders within a folder that are saved models, by name; none where there is no such folder."""
    return sorted(path.parent for path in Path(folder).glob(f"*/{_DESCRIPTION}") if path.is_file())


def _taking_part(given: Mapping[str, Bundle], endpoint: str) -> tuple[dict[str, Bundle], list[str]]:
    """Return the models that an endpoint is scored by, and of which others something is to be said."""
    own = {name: bundle for name, bundle in sorted(given.items()) if bundle.endpoint == endpoint}
    late = {name: bundle.landmark_days for name, bundle in own.items() if bundle.landmark_days}
    if not own.keys() - late.keys():
        raise InputError(
            f"there is no model of the endpoint {endpoint!r} that patients can be scored by from diagnosis on",
            column="--endpoint",
            expected=", ".join(sorted({bundle.endpoint for bundle in given.values()})) or "a folder with models",
            fix="name another endpoint, or the folder that holds such models (--models)",
        )
    notes = [f"{name} takes no part: it is of patients event-free on day {day:g}" for name, day in late.items()]
    return {name: bundle for name, bundle in own.items() if name not in late}, notes


@dataclass(frozen=True)
class _Contest:
    """Which model scores each patient.

    Parameters
    ----------
    found : dict of str to WhoCanBeScored
    chosen : Series
        Name of a model by patient; missing where none can score the patient.
    reasons : Series of str
        By patient: what spoke for the model, or against each.
    """

    found: Mapping[str, WhoCanBeScored]
    chosen: pd.Series
    reasons: pd.Series

    @classmethod
    def of(cls, models: Mapping[str, Bundle], cohort: Cohort) -> _Contest:
        found = {name: who_can_be_scored(bundle, cohort) for name, bundle in models.items()}
        names = np.array(list(models), dtype=object)
        high = (_risk_groups(cohort) == "high").to_numpy()
        figures = np.column_stack([_figures(bundle, high) for bundle in models.values()])
        able = np.column_stack([own.reasons == "" for own in found.values()])
        evidence = np.column_stack([np.where(own.reasons == "", own.evidence, -1.0) for own in found.values()])
        # Rounded as the evidence is: 0.9 is within 0.1 of 1.
        even = able & (np.round(evidence.max(axis=1, keepdims=True) - evidence, 12) <= _EVEN)
        judged = np.where(np.isnan(figures), -np.inf, figures)
        best = np.lexsort((-evidence, -judged, ~even), axis=1)[:, 0]
        scored: np.ndarray = np.asarray(able.any(axis=1))
        chosen = pd.Series(names[best], index=cohort.patient_ids, dtype="object").where(scored, None)
        spoke, others, against = (pd.Series("", index=cohort.patient_ids, dtype="object") for _ in range(3))
        for column, name in enumerate(models):
            told = _told(evidence[:, column], figures[:, column], high)
            is_best = scored & (best == column)
            beside = even[:, column] & ~is_best
            spoke[is_best] = told[is_best]
            others[beside] += f"; {name} " + told[beside]
            against += f"; {name}: " + found[name].reasons
        return cls(found, chosen, (spoke + others).where(scored, against.str.removeprefix("; ")))


def _figures(bundle: Bundle, high: np.ndarray) -> np.ndarray:
    """Return C of a model's card for each patient, shape (n,): of the population that the patient is of."""
    has_time = bundle.model.kind.has_time
    everybody = _leading_figure(bundle.card, has_time=has_time)
    within = _leading_figure(bundle.card, has_time=has_time, population="high_risk")
    unseen = _unseen(bundle)
    if within is None and unseen is not None and "not high" in unseen.groups:
        within = everybody  # of high-risk patients only
    values = [np.nan if figure is None else figure.value for figure in (everybody, within)]
    return np.where(high, values[1], values[0])


def _told(evidence: np.ndarray, figures: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Say of each patient what a model knows and how it did, as text of shape (n,)."""
    share = pd.Series(np.round(100 * evidence)).map("knows {:.0f}%".format)
    where = np.where(high, " in high-risk patients", " in all patients")
    figure = pd.Series(figures).map(lambda value: ", not validated" if np.isnan(value) else f", C {value:.3f}")
    return (share + figure + np.where(np.isnan(figures), "", where)).to_numpy(dtype=object)


def _columns(models: Mapping[str, Bundle]) -> list[str]:
    """Return the columns of all models' scores; mechanisms as the models have them, one after another."""
    every = [bundle.score_columns for bundle in models.values()]
    mechanisms = list(dict.fromkeys(name for own in every for name in own if name.startswith("mechanism__")))
    first = [name for name in every[0] if not name.startswith("mechanism__")]
    place = first.index("baseline") + 1
    return first[:place] + mechanisms + first[place:]


def told_in_a_line(found: WhoCanBeScored) -> str:
    """Say in a line how many patients of a cohort a model could score.

    Examples
    --------
    >>> nothing = pd.DataFrame(index=["a", "b"])
    >>> told_in_a_line(WhoCanBeScored(pd.Series([1.0, 0.1]), pd.Series(["", "too little is known"]), nothing))
    'could score 1 of 2 patients; not 1: too little is known'
    """
    parts = [f"could score {found.patients} of {counted(len(found.reasons), 'patient')}"]
    return "; ".join([*parts, *(f"not {number}: {reason}" for reason, number in found.left_out.items())])
