"""A trained model with all that is needed to score patients and to know when not to."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from nbrelapse import __version__
from nbrelapse.errors import InputError
from nbrelapse.mechanisms.catalogue import Catalogue
from nbrelapse.metrics.horizons import YEAR, longest_horizon
from nbrelapse.models.base import RiskModel
from nbrelapse.models.design import read_columns
from nbrelapse.models.families import model_title
from nbrelapse.models.stacked import StackedModels
from nbrelapse.outcome import HORIZON_YEARS
from nbrelapse.report.wording import ENDPOINTS
from nbrelapse.scoring._profile import _Profile
from nbrelapse.scoring.training_summary import TrainingSummary
from nbrelapse.validation.patient_bands import PatientBands

_FORMAT_VERSION = 1
_LOADER_MODULE = "nbrelapse.scoring.pyfunc"
_DESCRIPTION = "MLmodel"
_CARD = "README.md"
_CARD_NUMBERS = "card.json"
_MANIFEST = "data/manifest.json"
_REFITS = "data/refits.zip"
_SURPRISING = 2.0
"""Standard deviations from which a value is unexpected. A choice."""
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


def _fingerprint(manifest: Mapping[str, Any]) -> str:
    """SHA-256 of what a saved model holds, in hex: the same wherever it is kept, whoever signed or exported it."""
    kept = {key: value for key, value in manifest.items() if key not in ("sha256", "signature", "nbrelapse_version")}
    told = _CARD, _CARD_NUMBERS
    # The other files beside data/ say which run of MLflow, which Python and which packages.
    files = {name: digest for name, digest in manifest["files"].items() if name.startswith("data/") or name in told}
    return hashlib.sha256(_to_json(kept | {"files": files}).encode()).hexdigest()


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
    known = ~np.isnan(read_columns(values, bundle.schema.index.to_numpy()))
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
        "unlike_training",
        *_TEXT_COLUMNS,
    ]


@dataclass(frozen=True)
class CardFigure:
    """The leading metric of a population, as a model card has it.

    Parameters
    ----------
    title : str
        Of the metric.
    value, low, high : float
    where : str
        Whom it was measured in.
    """

    title: str
    value: float
    low: float
    high: float
    where: str

    def __str__(self) -> str:
        return f"{self.title} {self.value:.3f} (95% interval {self.low:.3f} to {self.high:.3f}) in {self.where}"


def _leading_figure(card: str, *, has_time: bool, population: str = "all") -> CardFigure | None:
    """Return the leading metric of a population as a model card has it; None of one that has none."""
    metric, title = ("harrell_c", "Harrell C") if has_time else ("auc", "AUC")
    found = re.search(rf"^\| {population} \| {metric} \| ([\d.]+) \| ([\d.]+) to ([\d.]+) \|", card, re.MULTILINE)
    where = re.search(r"^## Performance, in (.+)$", card, re.MULTILINE)
    if found is None or where is None:
        return None
    value, low, high = map(float, found.groups())
    return CardFigure(title, value, low, high, where[1])


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
    card_numbers : mapping, optional
        Numbers of the model card as JSON data; not in models that no experiment trained, were updated, or were saved
        before 0.4.0.
    version : str
        Of nbrelapse that saved it, or this one.
    bands : PatientBands, optional
        How far the truth may lie from predictions. Without it there are no bands: versions before 0.4.0 did not learn
        it, and the spread of refits alone is too narrow.
    profile : _Profile, optional
        How the model's features were distributed among the training patients; not in models saved before 0.4.0.
    updates : tuple of mapping
        How the model was updated on other patients, the latest last; see :func:`nbrelapse.scoring.update_bundle`.
    fingerprint : str, optional
        Of what the folder held that it was loaded from, wherever that was kept; None of one that was not loaded.

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
    card_numbers: Mapping[str, Any] | None = None
    version: str = __version__
    bands: PatientBands | None = None
    profile: _Profile | None = None
    updates: tuple[Mapping[str, Any], ...] = ()
    fingerprint: str | None = None

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
        last = self.bands.days[-1] if self.bands.days else np.inf
        asked = times if len(times) and times[-1] == last else np.append(times, last)
        log_risk, incidence = self.model.predict_risk(X, asked)
        low, high, below, above = self.bands.limits(incidence, asked, self._stacked.probability(X, asked))
        found = (log_risk + below[:, -1], log_risk + above[:, -1], low[:, : len(times)], high[:, : len(times)])
        return dict(zip(_LIMITS, found, strict=True))

    def unlike_training(self, X: pd.DataFrame) -> np.ndarray:
        """Return how unlike the training patients each patient is, shape (n,), as a percentile among them.

        Per cent of the training patients whose features lie nearer to the training mean, by Mahalanobis's distance
        over what is known of the patient. New patients as those in training have percentiles spread evenly from 0 to
        100. NaN where none of the features is known, and of models saved before 0.4.0.
        """
        if self.profile is None:
            return np.full(len(X), np.nan)
        return self.profile.percentile(read_columns(X, self.schema.index.to_numpy()))

    def surprising_values(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return what makes one patient unlike the training patients, the most unexpected value first.

        Parameters
        ----------
        X : DataFrame
            A single row.

        Returns
        -------
        DataFrame
            Index: features whose value lies at least two standard deviations from what the patient's other values lead
            one to expect. ``deviation``, in those standard deviations, and ``mean`` of the training patients. Empty of
            models saved before 0.4.0.
        """
        found = pd.DataFrame({"deviation": np.nan, "mean": np.nan}, index=self.schema.index)
        if self.profile is not None:
            found["deviation"] = self.profile.surprises(read_columns(X, self.schema.index.to_numpy())[0])
            found["mean"] = self.profile.distributions.mean
        found = found[found["deviation"].abs() >= _SURPRISING]
        return found.sort_values("deviation", key=abs, ascending=False, kind="stable")

    @cached_property
    def _stacked(self) -> StackedModels:
        return StackedModels(self.refits)

    @cached_property
    def _mechanism_of(self) -> dict[str, str]:
        return {str(name): str(mechanism) for name, mechanism in self.schema["mechanism"].items()}

    @property
    def score_columns(self) -> list[str]:
        """Names of the columns of a score, ``patient_id`` aside."""
        return _score_columns(self.mechanisms, None if self.model.kind.has_time else self.endpoint)

    @cached_property
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
            **({"updated": self._updated()} if self.updates else {}),
            "landmark": f"day {self.landmark_days:g}" if self.landmark_days else "none",
            "needs": ", ".join(dict.fromkeys(self.schema["assay"])),
            "bands": f"bootstrap refits {len(self.refits)}" if self.refits else "none",
            "versions": f"nbrelapse {self.version}, catalogue {self.catalogue.version}",
        }

    def _updated(self) -> str:
        return ", ".join(f"on {update['cohort']} ({update['patients']} patients)" for update in self.updates)

    def _performance(self) -> str:
        found = _leading_figure(self.card, has_time=self.model.kind.has_time)
        return "not recorded" if found is None else str(found)

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
        profile=_Profile.of(values.to_numpy(dtype=float)),
    )


def _sets_read(catalogue: Catalogue, gene_sets: Mapping[str, list[str]]) -> dict[str, list[str]]:
    parameters = [definition.parameters for definition in catalogue.features.values()]
    read = {entry.get(key) for entry in parameters for key in ("gene_set", "gene_set_down")}
    return {name: list(genes) for name, genes in gene_sets.items() if name in read}
