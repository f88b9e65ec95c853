"""An experiment file: what is trained, on whom, and how it is judged."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from nbrelapse.cohort.content import parse_toml, read_bytes
from nbrelapse.cohort.select import condition_columns
from nbrelapse.errors import InputError, illegal_key, join_errors
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
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
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


_Assay = Literal["fish", "mutations", "copy_number", "rearrangements", "expression"]


class _FeatureChoice(_Section):
    """Which features the models may read, as shell patterns over ``mechanism__feature``."""

    assays: tuple[_Assay, ...] | None = None
    """Read these assays alone, as if the others had not been done; clinical variables always, layers by their key."""
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


def _printable(name: str) -> str:
    if not name.isprintable() or not name.strip(" ."):
        raise ValueError("a name that can be seen, without line ends and control characters")
    return name


class _ExperimentFile(NamedTuple):
    """The file that an experiment was read from: its name without the folder, the SHA-256 in hex, and keys changed."""

    name: str
    sha256: str
    changed: tuple[str, ...] = ()


class ExperimentConfig(_Section):
    """One experiment; each key says below itself what it means."""

    name: Annotated[str, Field(pattern=r"^[^/\\]+$", max_length=100), AfterValidator(_printable)]
    """Of the experiment in MLflow and of the report; no slash."""
    endpoint: Literal["relapse", "efs", "os", "refractory"] = "relapse"
    """What is predicted; ``refractory`` is yes or no at the end of induction, the others are times to an event."""
    description: str = ""
    """A sentence for the report."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
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


def read_config(file: str | Path, changes: Sequence[str] = ()) -> ExperimentConfig:
    """Read an experiment file.

    Parameters
    ----------
    file : path
        TOML; the keys are those of :class:`ExperimentConfig`, and ``extends``: another experiment file, whose keys
        count where this one says nothing. Tables are joined key by key, lists are replaced. Relative paths in a file
        start at its folder.
    changes : sequence of str
        Further keys as ``validation.repeats=5``, which count before those of the files; a value that is no TOML is
        text. Relative paths among them start at the working folder.

    Returns
    -------
    ExperimentConfig
        Its ``file`` has the name of the file; the SHA-256 is of its bytes, and of those of the files that it extends
        and of the changes, where there are any.

    Raises
    ------
    InputError
        A file is missing, a Git LFS pointer or no TOML, extends itself, or a key is unknown, missing or has an illegal
        value; all such keys are named.
    """
    path = Path(file)
    document, content = _joined_documents(path, ())
    for change in changes:
        document = _merged(document, _change(change))
    config = parse_config(document, path)
    told = content + "".join(f"\n{change}" for change in changes).encode()
    changed = tuple(change.partition("=")[0].strip() for change in changes)
    config._file = _ExperimentFile(path.name, hashlib.sha256(told).hexdigest(), changed)
    return config


def _joined_documents(path: Path, through: tuple[Path, ...]) -> tuple[dict[str, Any], bytes]:
    """Read a file and what it extends; return the keys, paths from the working folder, and all bytes read."""
    if path.resolve() in through:
        raise InputError(
            "the experiment file extends itself",
            file=path,
            column="extends",
            fix="name another file, or remove the key",
        )
    content = read_bytes(path)
    document = parse_toml(content, path, "the experiment file")
    base = document.pop("extends", None)
    document = _located(document, path.parent)
    if base is None:
        return document, content
    if not isinstance(base, str):
        raise InputError(
            "illegal value",
            file=path,
            column="extends",
            expected="the path of an experiment file",
            fix="name one, in quotes",
        )
    below, more = _joined_documents(path.parent / base, (*through, path.resolve()))
    return _merged(below, document), content + more


def _located(document: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Let the paths of a file start at its folder; what is no path is left for the check."""
    found = dict(document)
    for name in ("catalogue", "prior_model"):
        if isinstance(found.get(name), str):
            found[name] = folder / found[name]
    if isinstance(found.get("cohort"), dict):
        cohort = found["cohort"] = dict(found["cohort"])
        for name in ("path", "gene_sets"):
            if isinstance(cohort.get(name), str):
                cohort[name] = folder / cohort[name]
        if isinstance(cohort.get("paths"), list):
            cohort["paths"] = [folder / value if isinstance(value, str) else value for value in cohort["paths"]]
    return found


_SOURCES = ("path", "paths", "simulate")
"""Keys of which a cohort has one: naming another takes the place of the one below."""


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Join two documents, the second over the first.

    Examples
    --------
    >>> _merged({"seed": 1, "cohort": {"path": "a", "where": "b"}}, {"cohort": {"simulate": {}}})
    {'seed': 1, 'cohort': {'where': 'b', 'simulate': {}}}
    """
    found = dict(below)
    for name, value in above.items():
        lower = found.get(name)
        if isinstance(value, dict) and isinstance(lower, dict):
            if name == "cohort" and set(value) & set(_SOURCES):
                lower = {key: kept for key, kept in lower.items() if key not in _SOURCES}
            value = _merged(lower, value)
        found[name] = value
    return found


def _change(text: str) -> dict[str, Any]:
    """Read a change such as ``validation.repeats=5``.

    Examples
    --------
    >>> _change("validation.repeats=5"), _change("cohort.path=cohorts/mine"), _change('models=["cox"]')
    ({'validation': {'repeats': 5}}, {'cohort': {'path': 'cohorts/mine'}}, {'models': ['cox']})
    """
    name, sign, value = text.partition("=")
    keys = [key.strip() for key in name.split(".")]
    if not sign or not all(keys):
        raise InputError(
            f"no change of a key: {text!r}", column="--set", expected="KEY=VALUE, validation.repeats=5 say"
        )
    try:
        read: Any = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        read = value.strip()
    for key in reversed(keys):
        read = {key: read}
    found: dict[str, Any] = read
    return found


def parse_config(document: dict[str, object], file: str | Path | None = None) -> ExperimentConfig:
    """Validate an experiment given as plain data; raises InputError that names all illegal keys.

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
      fix: did you mean endpoint?
    """
    try:
        return ExperimentConfig.model_validate(document)
    except ValidationError as error:
        wrong = [one for one in error.errors() if one["type"] != "default_factory_not_called"]
        within = {one["loc"][:depth] for one in wrong for depth in range(len(one["loc"]))}
        found = [
            illegal_key(one, file=file, column=".".join(map(str, one["loc"])), legal=_fields_beside(one["loc"]))
            for one in wrong
            if one["loc"] not in within  # what is said of a whole follows from a part
        ]
    raise found[0] if len(found) == 1 else join_errors(found, "keys of the experiment file", file=file) from None


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
