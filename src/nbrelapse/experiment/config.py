"""An experiment file: what is trained, on whom, and how it is judged."""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from nbrelapse.cohort.select import condition_columns
from nbrelapse.cohort.text import decode, read_bytes
from nbrelapse.errors import InputError, illegal_key
from nbrelapse.metrics.resampling import IntervalKind
from nbrelapse.models.design import LEAST_OBSERVED
from nbrelapse.models.families import BINARY_FAMILIES, SURVIVAL_FAMILIES
from nbrelapse.outcome import BINARY, SURVIVAL, kind_of_endpoint


class _Section(BaseModel):
    # What stands below a key is its description, which docs/experiment.md is made of.
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class _Simulation(_Section):
    """A simulated cohort instead of one on disk."""

    patients: Annotated[int, Field(ge=50)] = 500
    """How many."""
    seed: Annotated[int, Field(ge=0)] = 0
    """The same seed gives the same patients."""


class _CohortSource(_Section):
    """Where the patients come from: a cohort folder, several as one, or a simulation."""

    path: Path | None = None
    """A cohort folder, as ``nbrelapse cohort import`` writes it; this, ``paths`` or ``simulate`` is needed."""
    paths: Annotated[tuple[Path, ...], Field(min_length=2)] | None = None
    """Several cohort folders that are merged, see :func:`nbrelapse.cohort.merge_cohorts`."""
    uncertain: Literal["stop", "join", "keep"] = "stop"
    """Where it is not sure who is in two of them: ``stop``, ``join`` (one patient each) or ``keep`` (two)."""
    simulate: _Simulation | None = None
    """A simulated cohort instead of one on disk: ``simulate = { patients = 500, seed = 20 }``."""
    gene_sets: Path | None = None
    """Complete gene sets (GMT or TSV) that features are built from."""
    where: str | None = None
    """Only the patients of whom this is true, see :func:`nbrelapse.cohort.select_patients`."""

    @field_validator("where")
    @classmethod
    def _condition(cls, where: str | None) -> str | None:
        if where is not None:
            try:
                condition_columns(where)
            except InputError as error:
                raise ValueError("; ".join(filter(None, (error.problem, error.fix or error.expected)))) from None
        return where

    @model_validator(mode="after")
    def _one_source(self) -> _CohortSource:
        if sum(source is not None for source in (self.path, self.paths, self.simulate)) != 1:
            raise ValueError("give one of `path`, `paths` and `simulate`")
        return self

    @property
    def folders(self) -> tuple[Path, ...]:
        """The cohort folders; none of a simulation."""
        return self.paths or (() if self.path is None else (self.path,))


class _FeatureChoice(_Section):
    """Which features the models may read, as shell patterns over ``mechanism__feature``."""

    include: tuple[str, ...] = ("*",)
    """Shell patterns over ``mechanism__feature``, such as ``mycn__*`` or ``*__loss_11q``."""
    exclude: tuple[str, ...] = ()
    """The same; wins over ``include``."""
    min_observed: Annotated[float, Field(ge=0, le=1)] = LEAST_OBSERVED
    """Smallest share of training patients with a value; features below it are left out, and listed."""
    genes: bool | Literal["all"] = False
    """Whether each gene of the gene sets is a feature too, for families that can weigh them.

    These are ``ensemble`` and ``cox_prior``. ``all``: each measured gene, by the mechanism of the shortest list of
    genes that names it, else ``other``.
    """
    layers: bool | tuple[str, ...] = False
    """The cohort's layers whose rows are features too, for the same families; ``true``: all that it has."""
    not_assayed: Literal["mean", "indicator"] = "mean"
    """What linear models make of a missing value: the ``mean``, or an ``indicator`` beside it."""


class _Split(_Section):
    """Who trains and who is held out: patients by the value of a column of ``patients``; others are left out."""

    column: str = "split"
    """A column of ``patients``."""
    train: tuple[str, ...]
    """Its values that are trained on."""
    validation: tuple[str, ...] = ()
    """Its values that are held out, and opened once all else is settled; MLflow counts the openings.

    Without them nobody is held out, and patients of other values than ``train`` stay unopened.
    """


class _LeaveOneOut(_Section):
    """Leave each value of a column of ``patients`` out in turn: train on the others, judge on it."""

    column: str = "study"
    """Each of its values among the training patients is left out in turn."""


class _Validation(_Section):
    """Repeated nested cross-validation of the training patients, and the intervals."""

    folds: Annotated[int, Field(ge=2)] = 5
    """Of the outer cross-validation."""
    repeats: Annotated[int, Field(ge=1)] = 5
    """How often it is repeated, each time with other folds.

    With 1 the verdict cannot say how far a figure moves with them.
    """
    inner_folds: Annotated[int, Field(ge=2)] = 5
    """Of the cross-validation that tunes, within the training part of each outer fold."""
    trials: Annotated[int, Field(ge=1)] = 40
    """Settings tried in each tuning."""
    bootstrap: Annotated[int, Field(ge=100)] = 1000
    """Resamples behind the intervals."""
    interval: IntervalKind = "percentile"
    """Kind of the 95% intervals; those of cross-validation are widened (decision 045)."""
    learning_curve: bool = False
    """Whether the chosen family is trained on parts of the patients too: would more of them help?"""


class _Card(_Section):
    """What the model cards say that no figure tells; Markdown, a paragraph each."""

    participants: str = ""
    """Who the patients were: where, when, how treated, from which publication."""
    predictors: str = ""
    """How the predictors were measured and selected."""
    performance: str = ""
    """What a reader of the figures must know, such as how often a hold-out was opened before."""
    not_for: tuple[str, ...] = ()
    """What the models must not be used for, beside what is said of every model."""
    terms: str = ""
    """Licence and terms of the data."""


_Family = Literal[
    "ensemble",
    "cox",
    "cox_prior",
    "boosted",
    "boosted_prior",
    "forest",
    "blend",
    "ensemble_classifier",
    "logistic",
    "boosted_classifier",
]


_FAMILIES = {SURVIVAL: SURVIVAL_FAMILIES, BINARY: BINARY_FAMILIES}
_DEFAULTS = {
    SURVIVAL: ("ensemble", "cox", "boosted"),
    BINARY: ("ensemble_classifier", "logistic", "boosted_classifier"),
}


def _default_models(earlier: dict[str, Any]) -> tuple[str, ...]:
    return _DEFAULTS[kind_of_endpoint(earlier.get("endpoint", "relapse"))]


class _ExperimentFile(NamedTuple):
    """The file that an experiment was read from: its name without the folder, and the SHA-256 of its bytes in hex."""

    name: str
    sha256: str


class ExperimentConfig(_Section):
    """One experiment; each key says below itself what it means."""

    name: Annotated[str, Field(pattern=r"^[^/\\]+$")]
    """Of the experiment in MLflow and of the report; no slash."""
    endpoint: Literal["relapse", "efs", "os", "refractory"] = "relapse"
    """What is predicted; ``refractory`` is yes or no at the end of induction, the others are times to an event."""
    description: str = ""
    """A sentence for the report."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Everything random derives from it."""
    cohort: _CohortSource
    """Where the patients come from."""
    catalogue: Annotated[Path | None, Field(exclude=True)] = None  # what it holds is recorded, not where it lies
    """A TOML file that extends the packaged catalogue (extending.md)."""
    prior_model: Annotated[Path | None, Field(exclude=True)] = None
    """A saved model of the same endpoint, trained on other patients.

    ``cox_prior``, ``boosted_prior`` and ``ensemble`` start from its effects; otherwise from those of the literature,
    the ensemble from nothing.
    """
    unspecified: Literal["event", "censor", "exclude"] = "event"
    """What a first event of unknown kind is for ``relapse``; ``exclude`` leaves the patient out."""
    landmark_days: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """Predict from this day after diagnosis.

    Only patients event-free then take part, times and horizons count from it, and features known by then may be read.
    """
    progressive: Literal["refractory", "exclude"] = "refractory"
    """What progressive disease during induction is for ``refractory``; ``exclude`` leaves the patient out."""
    features: _FeatureChoice = _FeatureChoice()
    """Which features the models may read."""
    split: _Split | None = None
    """Who trains and who is held out; without it the models are judged by nested cross-validation alone."""
    leave_one_out: _LeaveOneOut | None = None
    """Judge the models on each value of a column by training on the others.

    With a split it concerns the training patients; the hold-out stays closed. In a cohort of several studies each is
    left out where nothing else is said.
    """
    validation: _Validation = _Validation()
    """Cross-validation, tuning, intervals."""
    models: Annotated[tuple[_Family, ...], Field(min_length=1, default_factory=_default_models)]
    """Families to compare: those of the endpoint's kind.

    By default ``ensemble``, ``cox`` and ``boosted``; of ``refractory`` ``ensemble_classifier``, ``logistic`` and
    ``boosted_classifier``. A tie goes to the ensemble, which is fixed in advance (decision 056). The clinical baselines
    always run beside them.
    """
    recalibrate: Literal["none", "group"] = "none"
    """``group``: log risks are recalibrated within the recorded risk group, high-risk or not (decision 047).

    By shrunken lines that are learned inside each training fold. The report shows the calibration slopes with and
    without it. A fit costs five more.
    """
    strata: Annotated[str, Field(min_length=1)] = "auto"
    """A column of ``patients`` each of whose values has a baseline hazard of its own in training.

    Of a binary endpoint an intercept. ``auto``: ``study`` in a cohort of several, none in others; ``none``.
    """
    refits: Annotated[int, Field(ge=20)] = 100
    """Bootstrap refits of each family: the stability of explanations and the least width of bands come from them."""
    log_patient_ids: bool = False
    """Whether the tables in MLflow may name patients."""
    log_paths: bool = False
    """Whether runs in MLflow name the folder of the cohort; by default its hash, as a path may hold a name."""
    allow_overlap: bool = False
    """Train although more patients look the same than chance makes."""
    card: Annotated[_Card, Field(exclude=True)] = _Card()  # it stands in the cards
    """What the model cards say beside the figures."""
    _file: _ExperimentFile | None = PrivateAttr(default=None)

    @property
    def file(self) -> _ExperimentFile | None:
        """Name and SHA-256 of the file it was read from; None where it was made in Python."""
        return self._file

    @field_validator("models")
    @classmethod
    def _models_of_the_endpoint(cls, models: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        endpoint = info.data.get("endpoint", "relapse")
        legal = _FAMILIES[kind_of_endpoint(endpoint)]
        if any(name not in legal for name in models):
            raise ValueError(f"models of endpoint {endpoint!r}: {', '.join(legal)}")
        return models

    @model_validator(mode="after")
    def _each_model_once(self) -> ExperimentConfig:
        if len(set(self.models)) < len(self.models):
            raise ValueError("each model once")
        return self


def read_config(file: str | Path) -> ExperimentConfig:
    """Read an experiment file.

    Parameters
    ----------
    file : path
        TOML; the keys are those of :class:`ExperimentConfig`. Relative paths in it start at its folder.

    Returns
    -------
    ExperimentConfig

    Raises
    ------
    InputError
        The file is missing, a Git LFS pointer or no TOML, or a key is unknown, missing or has an illegal value.
    """
    path = Path(file)
    content = read_bytes(path)
    try:
        document = tomllib.loads(decode(content, path))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"the experiment file is not valid TOML: {error}", file=path) from None
    config = parse_config(document, path)
    config._file = _ExperimentFile(path.name, hashlib.sha256(content).hexdigest())
    source = config.cohort
    found: dict[str, Any] = {
        name: path.parent / value
        for name in ("path", "gene_sets")
        if (value := getattr(source, name)) is not None and not value.is_absolute()
    }
    if source.paths is not None:
        found["paths"] = tuple(path.parent / value for value in source.paths)
    beside = {
        name: path.parent / value
        for name in ("catalogue", "prior_model")
        if (value := getattr(config, name)) is not None
    }
    return config.model_copy(update={"cohort": source.model_copy(update=found)} | beside)


def parse_config(document: dict[str, object], file: str | Path | None = None) -> ExperimentConfig:
    """Validate an experiment given as plain data; raises InputError for the first illegal key.

    Examples
    --------
    >>> config = parse_config({"name": "demo", "cohort": {"simulate": {"patients": 100}}})
    >>> config.endpoint, config.validation.folds
    ('relapse', 5)
    >>> parse_config({"name": "demo", "cohort": {"simulate": {}}, "endpiont": "os"})
    Traceback (most recent call last):
    ...
    nbrelapse.errors.InputError: unknown key
      column: endpiont
      expected: name, endpoint, description, ...
      fix: correct or remove the key
    """
    try:
        return ExperimentConfig.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise illegal_key(first, file=file, column=where, legal=_fields_beside(first["loc"])) from None


def _fields_beside(location: tuple[int | str, ...]) -> list[str]:
    section: type[BaseModel] = ExperimentConfig
    sections: dict[str, type[BaseModel]] = {
        "cohort": _CohortSource,
        "simulate": _Simulation,
        "features": _FeatureChoice,
        "split": _Split,
        "leave_one_out": _LeaveOneOut,
        "validation": _Validation,
        "card": _Card,
    }
    for part in location[:-1]:
        section = sections.get(str(part), section)
    return list(section.model_fields)
