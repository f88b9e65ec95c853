"""A trained model with all that is needed to score patients and to know when not to."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from html import escape
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from nbrelapse import __version__
from nbrelapse.cohort.cohort import Cohort
from nbrelapse.errors import InputError
from nbrelapse.mechanisms.catalogue import Catalogue
from nbrelapse.metrics.horizons import YEAR, longest_horizon
from nbrelapse.models.base import RiskModel
from nbrelapse.models.families import model_title
from nbrelapse.outcome import HORIZON_YEARS, Outcome, outcome_fingerprint, summarize_outcome
from nbrelapse.report.wording import ENDPOINTS
from nbrelapse.scoring._training import _SIMULATED, _is_simulated, _marks_of, _risk_groups
from nbrelapse.validation.patient_bands import PatientBands

_FORMAT_VERSION = 1
_LOADER_MODULE = "nbrelapse.scoring.pyfunc"
_DESCRIPTION = "MLmodel"
_CARD = "README.md"
_MANIFEST = "data/manifest.json"
_REFITS = "data/refits.zip"
_MLFLOW_FILES = frozenset({"registered_model_meta"})
"""Files that MLflow adds when it downloads a model; they are not read."""


def _sha256(file: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _to_json(document: Any) -> str:
    """Write plain data as JSON: the same text for the same data, floats to the last bit.

    Raises
    ------
    ValueError
        A number is NaN or infinite.
    """
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _content(manifest: Mapping[str, Any]) -> str:
    """Text of a manifest without its checksum and its signature: what is signed."""
    return _to_json({key: value for key, value in manifest.items() if key not in ("sha256", "signature")})


def _sealed(manifest: Mapping[str, Any]) -> str:
    """Text of a manifest, with the checksum of its own content in front.

    Examples
    --------
    >>> text = _sealed({"endpoint": "efs"})
    >>> _sealed(json.loads(text)) == text
    True
    """
    content = {key: value for key, value in manifest.items() if key != "sha256"}
    digest = hashlib.sha256(_to_json(content).encode()).hexdigest()
    return _to_json({"sha256": digest, **content})


def _evidence_of(bundle: Bundle, values: pd.DataFrame) -> np.ndarray:
    """Share of the importance of the model's features (mean absolute training contributions) that is known.

    Parameters
    ----------
    bundle : Bundle
    values : DataFrame of shape (n_patients, n_features)
        The model's features; NaN = not assayed.

    Returns
    -------
    ndarray of shape (n_patients,)
        0 to 1. Where no feature has any importance they all count alike.
    """
    importance = bundle.schema["importance"].to_numpy(dtype=float)
    if not importance.sum() > 0:
        importance = np.ones(len(importance))
    known = values[list(bundle.schema.index)].notna().to_numpy()
    # Rounded, so that everything known is 1 and no threshold falls on the order of a sum.
    return np.asarray(np.round(known @ (importance / importance.sum()), 12))


def _explained_horizon(bundle: Bundle, years: float | None) -> float | None:
    """Return the days of the explained probability.

    Parameters
    ----------
    bundle : Bundle
    years : float or None
        None: the longest of 1, 2, 3 and 5 years that the follow-up in training reaches, its end where it reaches none.

    Returns
    -------
    float or None
        None for a binary endpoint. Of a model with a landmark it counts from that day.

    Raises
    ------
    InputError
        The years are not positive, beyond the follow-up, or given for a binary endpoint.
    """
    followed = bundle.followed_days
    if years is None:
        return longest_horizon(followed)
    if followed is None:
        raise InputError("a binary endpoint knows no time", column="--horizon", fix="leave it out")
    if not 0 < years * YEAR <= followed:
        most = f"above 0, at most {followed / YEAR:.2f} years, as far as the training patients carry"
        raise InputError(f"illegal horizon {years:g}", column="--horizon", expected=most)
    return years * YEAR


_TEXT_COLUMNS = ("missing_assays", "out_of_range_features", "warnings")


def _score_columns(mechanisms: Sequence[str], binary: str | None = None) -> list[str]:
    """Names of the columns that a model's scores have, in order, ``patient_id`` aside.

    Parameters
    ----------
    mechanisms : sequence of str
        Those that the model reads.
    binary : str, optional
        The endpoint, where it is binary: its probability takes the place of incidence and survival by years.

    Examples
    --------
    >>> _score_columns(["mycn"])[:5]
    ['risk_percentile', 'log_risk', 'log_risk_low', 'log_risk_high', 'incidence_1y']
    >>> _score_columns(["mycn"], "refractory")[4:7]
    ['probability_refractory', 'probability_refractory_low', 'probability_refractory_high']
    """
    names = [f"incidence_{years}y" for years in HORIZON_YEARS] if binary is None else [f"probability_{binary}"]
    probabilities = []
    for name in names:
        probabilities += [name, f"{name}_low", f"{name}_high"]
        if binary is None:
            probabilities.append(name.replace("incidence", "survival"))
    return [
        "risk_percentile",
        "log_risk",
        "log_risk_low",
        "log_risk_high",
        *probabilities,
        "baseline",
        *(f"mechanism__{name}" for name in mechanisms),
        "evidence",
        *_TEXT_COLUMNS,
    ]


@dataclass(frozen=True)
class ClinicalGroup:
    """Observed course of a clinical group of training patients.

    Parameters
    ----------
    grouping : str
        ``high_risk`` or a clinical baseline.
    level : int
        Of the group in its grouping; higher is worse.
    patients, events : int
    course : mapping of str to sequence of float
        ``days``, ``incidence``, ``low`` and ``high``.
    """

    grouping: str
    level: int
    patients: int
    events: int
    course: Mapping[str, Sequence[float]]


@dataclass(frozen=True)
class NearPatients:
    """Outcome of the training patients whose cross-validated predictions are the nearest to a probability.

    Parameters
    ----------
    probability : float
        Of the event.
    low, high : float
        Range of their predictions.
    patients, events : int
    observed : sequence of mapping
        ``years`` (None for a binary endpoint), ``incidence``, ``low`` and ``high``, one a horizon.
    """

    probability: float
    low: float
    high: float
    patients: int
    events: int
    observed: Sequence[Mapping[str, float | None]]


@dataclass(frozen=True)
class SimilarOutcomes:
    """Outcomes of training patients by predicted probability.

    Parameters
    ----------
    horizon_days : float or None
        Of the predictions; None for a binary endpoint.
    points : tuple of NearPatients
        By rising probability; empty where there were too few patients.
    """

    horizon_days: float | None
    points: tuple[NearPatients, ...]


@dataclass(frozen=True)
class ObservedOutcomes:
    """What became of the training patients: counts and curves of groups.

    Parameters
    ----------
    clinical_groups : tuple of ClinicalGroup
        Empty for a binary endpoint.
    similar : SimilarOutcomes
    """

    clinical_groups: tuple[ClinicalGroup, ...]
    similar: SimilarOutcomes

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> ObservedOutcomes:
        """Read what :func:`dataclasses.asdict` writes."""
        similar = document["similar"]
        return cls(
            tuple(ClinicalGroup(**group) for group in document["clinical_groups"]),
            SimilarOutcomes(similar["horizon_days"], tuple(NearPatients(**point) for point in similar["points"])),
        )


@dataclass(frozen=True)
class TrainingSummary:
    """Summary of a model's training patients. None: not recorded, which older versions did of less.

    Parameters
    ----------
    experiment, cohort : str, optional
        Their names.
    patients, high_risk : int, optional
        Numbers of patients.
    outcome : mapping, optional
        See :func:`nbrelapse.outcome`.
    unspecified, progressive : str, optional
        Rules of the endpoint, see :func:`nbrelapse.outcome`; its defaults where nothing was recorded.
    landmark_days : float, optional
        Days from diagnosis that horizons count from.
    outcome_fingerprint : str, optional
        See :func:`nbrelapse.outcome.outcome_fingerprint`.
    expression_genes : int, optional
        Genes whose expression was measured.
    observed : ObservedOutcomes, optional
    validated : bool, optional
        False: the model was saved without any validation. None: the model card says how it did.
    where : str, optional
        How they were chosen from the patients of the study, see :attr:`nbrelapse.cohort.Cohort.where`.
    study : str, optional
        The study that the cohort was read from, which stays where the cohort is renamed.
    simulated : bool, optional
        Whether the patients were simulated.
    groups : mapping of str to int, optional
        Patients by risk group (``low``, ``intermediate``, ``high``, ``not high``), where it is known: as recorded, else
        by COG v2, else by INRG.
    marks : mapping, optional
        What training patients are recognised by in an evaluated cohort, as long as they are many.

    Examples
    --------
    >>> summary = TrainingSummary.from_dict({"patients": 2, "outcome": {"events": {"event": 1, "censored": 1}}})
    >>> summary.patients, summary.events
    (2, 1)
    >>> TrainingSummary(cohort="simulated", patients=2, expression_genes=600).to_dict()
    {'cohort': 'simulated', 'patients': 2, 'expression_genes': 600}
    """

    experiment: str | None = None
    cohort: str | None = None
    patients: int | None = None
    high_risk: int | None = None
    outcome: Mapping[str, Any] | None = None
    unspecified: str | None = None
    landmark_days: float | None = None
    progressive: str | None = None
    outcome_fingerprint: str | None = None
    expression_genes: int | None = None
    observed: ObservedOutcomes | None = None
    validated: bool | None = None
    where: str | None = None
    study: str | None = None
    simulated: bool | None = None
    groups: Mapping[str, int] | None = None
    marks: Mapping[str, Any] | None = None

    @property
    def events(self) -> int | None:
        """Training patients with the event; None where the outcome was not recorded."""
        counts: Mapping[str, int] = {} if self.outcome is None else self.outcome["events"]
        return counts.get("event", counts.get("refractory"))

    @property
    def of_simulated(self) -> bool:
        """Whether the patients were simulated; models of earlier versions are known by their cohort's name."""
        return self.cohort == _SIMULATED if self.simulated is None else self.simulated

    @classmethod
    def of(cls, cohort: Cohort | None, outcome: Outcome, **more: Any) -> TrainingSummary:
        """Summarise training patients.

        Parameters
        ----------
        cohort : Cohort or None
            None where only features and an outcome are known: then nothing is recorded that a cohort tells.
        outcome : Outcome
            Of the training patients.
        **more
            Further fields.

        Examples
        --------
        >>> from nbrelapse.outcome import make_outcome
        >>> from nbrelapse.simulation import simulate_cohort
        >>> cohort = simulate_cohort(60, seed=1)
        >>> summary = TrainingSummary.of(cohort, make_outcome(cohort, "efs"), experiment="mine")
        >>> summary.patients, summary.simulated, sum(summary.groups.values())
        (60, True, 60)
        """
        told: dict[str, Any] = {
            "patients": len(outcome.y),
            "outcome": summarize_outcome(outcome),
            "outcome_fingerprint": outcome_fingerprint(outcome),
        }
        if cohort is not None:
            groups = _risk_groups(cohort).loc[outcome.patient_ids].value_counts()
            told |= {
                "cohort": cohort.name,
                "where": cohort.where,
                "study": cohort.metadata.get("source", {}).get("study"),
                "simulated": _is_simulated(cohort),
                "groups": {str(name): int(number) for name, number in groups.sort_index().items()},
                "marks": _marks_of(cohort, outcome.patient_ids),
                "expression_genes": None if cohort.expression is None else len(cohort.expression),
            }
        return cls(**told, **more)

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> TrainingSummary:
        """Read the summary of a bundle of this or an earlier version; what is not known is left out.

        Raises
        ------
        KeyError, TypeError
            A part of it is not what was written.
        """
        known = {field.name: document[field.name] for field in fields(cls) if field.name in document}
        if known.get("observed") is not None:
            known["observed"] = ObservedOutcomes.from_dict(known["observed"])
        return cls(**known)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON data. What was not recorded is left out."""
        # An experiment without expression has recorded that none was measured.
        told = () if self.experiment is None else ("expression_genes",)
        return {name: value for name, value in asdict(self).items() if value is not None or name in told}


_QUANTILES = np.linspace(0.0, 1.0, 1001)
_LIMITS = ("log_risk_low", "log_risk_high", "incidence_low", "incidence_high")


@dataclass(frozen=True, repr=False)
class Bundle:
    """A trained model, ready to be saved, loaded and scored with.

    Parameters
    ----------
    endpoint : {"relapse", "efs", "os", "refractory"}
    model : RiskModel
        Fitted.
    refits : sequence of RiskModel
        Bootstrap refits, for intervals.
    references : dict of str to RiskModel
        The fitted clinical baselines, for external validation.
    catalogue : Catalogue
        The entries that the model and the references read, as they were when the training features were built: a
        later catalogue cannot change what the model reads.
    gene_sets : dict of str to list of str
        The user's gene sets that features are built from.
    schema : DataFrame
        Index: the model's features. ``mechanism``, ``title``, ``assay``; ``low`` and ``high``, the training range;
        ``observed``, the share of training patients with a value; ``importance``, the mean absolute contribution
        to the log risk in training.
    log_risk_quantiles : ndarray of shape (1001,)
        Of the training patients, at 0, 0.1, …, 100 %.
    training : TrainingSummary
        Of the training patients: counts, events, follow-up. No identifiers.
    card : str
        The model card, Markdown.
    version : str
        Of nbrelapse that saved it, or this one.
    bands : PatientBands, optional
        How far the truth may lie from predictions. Without it there are no bands: versions before 0.4.0 did not learn
        it, and the spread of refits alone is too narrow.

    Attributes
    ----------
    least_evidence : float
        Below this share of what the model relies on, no score is given. A choice of caution, not an estimate.
    """

    least_evidence: ClassVar[float] = 0.25

    endpoint: str
    model: RiskModel
    refits: tuple[RiskModel, ...]
    references: Mapping[str, RiskModel]
    catalogue: Catalogue
    gene_sets: Mapping[str, list[str]]
    schema: pd.DataFrame
    log_risk_quantiles: np.ndarray
    training: TrainingSummary = field(default_factory=TrainingSummary)
    card: str = ""
    version: str = __version__
    bands: PatientBands | None = None

    @property
    def landmark_days(self) -> float:
        """Days from diagnosis that horizons count from: the model is of patients event-free then. 0: of all."""
        return float(self.training.landmark_days or 0.0)

    @property
    def followed_days(self) -> float | None:
        """Days up to which training carries predictions; None for a binary endpoint, which knows no time."""
        return self.model.followed_days

    def example(self) -> pd.DataFrame:
        """Return features of a made-up patient, a row, to try the model with.

        Values are in the middle of the training range; yes or no and counts are rounded down. No patient's row is
        read, and a feature that nobody had a value of is missing.
        """
        schema = self.schema
        middle = (schema["low"] + schema["high"]) / 2
        whole = [self.catalogue.features[str(name)].kind in ("binary", "count", "ordinal") for name in schema.index]
        row = np.where(whole, np.floor(middle), middle)
        return pd.DataFrame([row], columns=[str(name) for name in schema.index])

    def band(self, X: pd.DataFrame, times: np.ndarray) -> dict[str, np.ndarray]:
        """Return 95 % limits of the log risk and of the true probability of the event at some days.

        ``log_risk_low``, ``log_risk_high`` of shape (n,), of the longest horizon that bands were learned at, and
        ``incidence_low``, ``incidence_high`` of shape (n, n_times): see
        :meth:`nbrelapse.validation.PatientBands.limits`. NaN without :attr:`bands` or refits.
        """
        if self.bands is None or not self.refits:
            risk, nothing = np.full(len(X), np.nan), np.full((len(X), len(times)), np.nan)
            return dict(zip(_LIMITS, (risk, risk, nothing, nothing), strict=True))
        asked = np.append(times, self.bands.days[-1:] or np.inf)
        log_risk, incidence = self.model.predict_risk(X, asked)
        refitted = np.stack([refit.predict_risk(X, asked)[1] for refit in self.refits])
        low, high, below, above = self.bands.limits(incidence, asked, refitted)
        found = (log_risk + below[:, -1], log_risk + above[:, -1], low[:, :-1], high[:, :-1])
        return dict(zip(_LIMITS, found, strict=True))

    @property
    def score_columns(self) -> list[str]:
        """Names of the columns of a score, ``patient_id`` aside."""
        return _score_columns(self.mechanisms, None if self.model.kind.has_time else self.endpoint)

    @property
    def mechanisms(self) -> list[str]:
        """Mechanisms that the model reads, in the catalogue's order."""
        read = set(self.schema["mechanism"])
        return [name for name in self.catalogue.mechanisms if name in read]

    def __repr__(self) -> str:
        facts = self._facts()
        width = max(map(len, facts))
        lines = [f"{label:<{width}}  {fact}" for label, fact in facts.items()]
        return "\n".join([self._headline(), *lines, self._needs().to_string()])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th>{escape(label)}</th><td>{escape(fact)}</td></tr>" for label, fact in self._facts().items()
        )
        return f"<p>{escape(self._headline())}</p><table>{rows}</table>{self._needs().to_html()}"

    def _headline(self) -> str:
        title, endpoint = model_title(self.model.family), ENDPOINTS.get(self.endpoint, self.endpoint)
        return f"{title} ({self.model.family}), endpoint {self.endpoint}: {endpoint}"

    def _facts(self) -> dict[str, str]:
        training = self.training
        events = "" if training.events is None else f", {training.events} with the event"
        cohort = "" if training.cohort is None else f" of {training.cohort}"
        cohort += "" if training.where is None else f" where {training.where}"
        cohort += " (simulated)" if training.of_simulated else ""
        followed = "" if self.followed_days is None else f", followed for up to {self.followed_days / YEAR:.1f} years"
        patients = "not recorded" if training.patients is None else f"patients {training.patients}{cohort}{events}"
        return {
            "performance": "not validated" if training.validated is False else self._performance(),
            "training": f"{patients}{followed}",
            "landmark": f"day {self.landmark_days:g}" if self.landmark_days else "none",
            "needs": ", ".join(dict.fromkeys(self.schema["assay"])),
            "bands": f"bootstrap refits {len(self.refits)}" if self.refits else "none",
            "versions": f"nbrelapse {self.version}, catalogue {self.catalogue.version}",
        }

    def _performance(self) -> str:
        """Return the leading metric of all patients, as the model card has it."""
        metric, title = ("auc", "AUC") if self.followed_days is None else ("harrell_c", "Harrell C")
        found = re.search(rf"^\| all \| {metric} \| (\S+) \| (\S+ to \S+) \|", self.card, re.MULTILINE)
        where = re.search(r"^## Performance, in (.+)$", self.card, re.MULTILINE)
        if found is None or where is None:
            return "not recorded"
        return f"{title} {found[1]} (95% interval {found[2]}) in {where[1]}"

    def _needs(self) -> pd.DataFrame:
        counts = self.schema["mechanism"].value_counts()
        return pd.DataFrame({"features": counts[self.mechanisms]}).rename_axis("mechanism")


def make_bundle(
    endpoint: str,
    model: RiskModel,
    X: pd.DataFrame,
    *,
    refits: tuple[RiskModel, ...],
    references: Mapping[str, RiskModel],
    catalogue: Catalogue,
    gene_sets: Mapping[str, list[str]],
    training: TrainingSummary,
    card: str = "",
    bands: PatientBands | None = None,
) -> Bundle:
    """Describe a fitted model's training patients and bundle it.

    Parameters
    ----------
    endpoint : str
    model : RiskModel
        Fitted on ``X``.
    X : DataFrame of shape (n_patients, n_features)
        The training features.
    refits, references, catalogue, gene_sets, training, card, bands
        As in :class:`Bundle`; of the catalogue and the gene sets only what is read is kept.

    Returns
    -------
    Bundle
    """
    names = [str(name) for name in model.feature_names_in_]
    definitions = [catalogue.features[name] for name in names]
    values = X[names]
    schema = pd.DataFrame(
        {
            "mechanism": [definition.mechanism for definition in definitions],
            "title": [definition.title for definition in definitions],
            "assay": [definition.assay for definition in definitions],
            "low": values.min().to_numpy(),
            "high": values.max().to_numpy(),
            "observed": values.notna().mean().to_numpy(),
            "importance": model.attribute(X).values.abs().mean().to_numpy(),
        },
        index=pd.Index(names, name="feature"),
    )
    read = [*names, *(str(name) for reference in references.values() for name in reference.feature_names_in_)]
    kept = catalogue.subset(read)
    return Bundle(
        endpoint=endpoint,
        model=model,
        refits=refits,
        references=references,
        catalogue=kept,
        gene_sets=_sets_read(kept, gene_sets),
        schema=schema,
        log_risk_quantiles=np.quantile(model.predict_log_risk(X), _QUANTILES),
        training=training,
        card=card,
        bands=bands,
    )


def _sets_read(catalogue: Catalogue, gene_sets: Mapping[str, list[str]]) -> dict[str, list[str]]:
    parameters = [definition.parameters for definition in catalogue.features.values()]
    read = {entry.get(key) for entry in parameters for key in ("gene_set", "gene_set_down")}
    return {name: list(genes) for name, genes in gene_sets.items() if name in read}
