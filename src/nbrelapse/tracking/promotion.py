"""Give an alias of a registered model to another version, where that has been shown to be better."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from nbrelapse.errors import InputError
from nbrelapse.metrics.paired import PairedReplicates, paired_difference
from nbrelapse.metrics.table import metric_title
from nbrelapse.outcome import kind_of_endpoint
from nbrelapse.tracking._trouble import _told
from nbrelapse.tracking.log import _source
from nbrelapse.tracking.names import _EVALUATION, _KIND_TAG, _MODEL_TAG, BUNDLE_TAG, PAIRED_FILE, WITHHELD_TAG
from nbrelapse.tracking.registry import RegisteredVersion, _pages, _versions, check_alias, registered_version
from nbrelapse.tracking.store import _undoing, open_store

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run


@dataclass(frozen=True)
class Comparison:
    """Two models, judged by the same patients.

    Parameters
    ----------
    where : str
        Whom they were judged by.
    external : bool
        Whether these patients trained neither; of the folds of an experiment: False.
    metric : str
        Its title.
    patients, events : int
    challenger, champion : float
        The metric of each.
    difference, low, high : float
        Of the challenger from the champion, with its 95 % interval.
    """

    where: str
    external: bool
    metric: str
    patients: int
    events: int
    challenger: float
    champion: float
    difference: float
    low: float
    high: float

    @property
    def shown(self) -> bool:
        """Whether the challenger is shown to be better: the interval lies above 0."""
        return self.low > 0

    def __str__(self) -> str:
        return (
            f"{self.metric} {self.challenger:.3f} against {self.champion:.3f} in {self.where} ({self.patients:,} "
            f"patients, {self.events:,} events): difference {self.difference:+.3f} (95% interval {self.low:+.3f} to "
            f"{self.high:+.3f})"
        )


@dataclass(frozen=True)
class Promotion:
    """An alias that a version was given.

    Parameters
    ----------
    version : RegisteredVersion
        That has it now.
    alias : str
    champion : RegisteredVersion or None
        That had it; the version itself where nothing had to be done.
    comparisons : tuple of Comparison
        All that there are; the first decides.
    forced : str
        The reason why the rule was set aside; empty where it was kept.
    """

    version: RegisteredVersion
    alias: str
    champion: RegisteredVersion | None = None
    comparisons: tuple[Comparison, ...] = ()
    forced: str = ""


def promote(name: str, version: int, *, alias: str = "champion", force: str | None = None) -> Promotion:
    """Give an alias to a version of a registered model, which has to beat the version that has it.

    It beats it where the 95 % interval of the difference of the leading metric (Harrell's C, or AUC) lies above 0 in
    the same resamples of the same patients: of a cohort that both were evaluated on, the one with the most events, or
    where there is none, of the folds of the experiments that both were trained in. Where no version has the alias
    there is nothing to beat.

    Parameters
    ----------
    name : str
    version : int
    alias : str
    force : str, optional
        Why the alias is to be given all the same. The reason is kept with the version.

    Returns
    -------
    Promotion

    Raises
    ------
    InputError
        There is no such version, it is not shown to be better, there are no figures of both, it is of another
        endpoint than the version that has the alias, or the store does not take it; nothing has changed then.
    """
    check_alias(alias)
    if force is not None and not force.strip():
        raise InputError("the reason is empty", column="--force", expected="why it is to be promoted all the same")
    challenger = registered_version(name, version)
    if challenger.endpoint is None or challenger.fingerprint is None:
        raise InputError(
            f"nothing is known of version {version} of {name!r}, nbrelapse did not register it",
            fix=f"nbrelapse register {challenger.uri} --name {name}, and promote that version",
        )
    client = open_store()
    with _told(client.tracking_uri, "the version cannot be promoted"):
        champion = next((found for found in _versions(client, name) if alias in found.aliases), None)
        if champion is not None and champion.version == version:
            return Promotion(challenger, alias, champion)
        comparisons = () if champion is None else _compare(client, challenger, champion)
        if champion is not None and force is None:
            _refuse_unproven(client, challenger, champion, alias, comparisons)
        done = Promotion(challenger, alias, champion, comparisons, (force or "").strip() if champion else "")
        _give(client, done)
        return done


def _compare(
    client: MlflowClient, challenger: RegisteredVersion, champion: RegisteredVersion
) -> tuple[Comparison, ...]:
    """Compare two versions by all patients that both were judged by; the comparison that decides comes first."""
    if champion.endpoint is not None and champion.endpoint != challenger.endpoint:
        raise InputError(
            f"version {challenger.version} of {challenger.name!r} is of the endpoint {challenger.endpoint!r}, version "
            f"{champion.version}, which has the alias, of {champion.endpoint!r}: neither can take the other's place",
            fix=f"register it under another name: nbrelapse register {challenger.uri} --name NAME",
        )
    found: dict[str, Comparison] = {}
    theirs = list(_figures(client, champion))
    for own in _figures(client, challenger):
        for other in theirs:
            common = next((name for name in own.replicates if name in other.replicates), None)
            if common is not None and common not in found:
                found[common] = _comparison(own, other, common, str(challenger.endpoint))
    return tuple(sorted(found.values(), key=lambda one: (not one.external, -one.events)))


@dataclass(frozen=True)
class _Figures:
    """Figures of a model in some patients; ``replicates`` by the patients' fingerprint, those preferred first."""

    where: str
    external: bool
    model: str
    replicates: dict[str, PairedReplicates]


def _comparison(challenger: _Figures, champion: _Figures, common: str, endpoint: str) -> Comparison:
    judged = challenger.replicates[common]
    own, other = judged.models[challenger.model], champion.replicates[common].models[champion.model]
    difference, low, high = paired_difference(own, other, stretch=judged.stretch)
    metric = metric_title(kind_of_endpoint(endpoint).leading_metric)
    return Comparison(
        challenger.where,
        challenger.external,
        metric,
        judged.patients,
        judged.events,
        own[0],
        other[0],
        difference,
        low,
        high,
    )


def _figures(client: MlflowClient, version: RegisteredVersion) -> Iterator[_Figures]:
    """Yield what is on record of a version: evaluations, the latest first, then cross-validation."""
    experiments = [found.experiment_id for found in _pages(client.search_experiments)]
    condition = f"tags.`{_KIND_TAG}` = '{_EVALUATION}' and tags.`{BUNDLE_TAG}` = '{version.fingerprint}'"
    runs = client.search_runs(
        experiments, f"{condition} and attributes.status = 'FINISHED'", order_by=["attributes.start_time DESC"]
    )
    for run in runs:
        if WITHHELD_TAG not in run.data.tags:
            chosen = run.data.params.get("cohort.where")
            where = f"the cohort {run.data.params['cohort.name']}" + (f" where {chosen}" if chosen else "")
            yield from _figures_of_run(client, run, where, run.data.tags[_MODEL_TAG], external=True)
    trained = None if version.run_id is None else client.get_run(version.run_id)
    if trained is not None and (parent := trained.data.tags.get("mlflow.parentRunId")):
        run = client.get_run(parent)
        where = f"the cross-validation of {run.info.run_name}"
        yield from _figures_of_run(client, run, where, trained.data.tags[_MODEL_TAG], external=False)


def _figures_of_run(client: MlflowClient, run: Run, where: str, model: str, *, external: bool) -> Iterator[_Figures]:
    if PAIRED_FILE not in {item.path for item in client.list_artifacts(run.info.run_id)}:
        return  # of a version before 0.4
    with tempfile.TemporaryDirectory() as folder:
        text = Path(client.download_artifacts(run.info.run_id, PAIRED_FILE, folder)).read_text(encoding="utf-8")
    try:
        found = [PairedReplicates.from_dict(one) for one in json.loads(text)]
    except (ValueError, TypeError, KeyError):
        raise InputError(f"{PAIRED_FILE} of the run {run.info.run_id} is damaged") from None
    own = {one.fingerprint: one for one in found if model in one.models}
    if own:
        yield _Figures(where, external, model, own)


def _refuse_unproven(
    client: MlflowClient,
    challenger: RegisteredVersion,
    champion: RegisteredVersion,
    alias: str,
    comparisons: tuple[Comparison, ...],
) -> None:
    names = f"version {challenger.version} of {challenger.name!r}", f"version {champion.version}, the {alias}"
    force = "or say why it is to have the alias all the same: --force REASON"
    if not comparisons:
        judged = "; ".join(
            f"version {version.version} was judged in {', '.join(dict.fromkeys(one.where for one in there))}"
            for version in (challenger, champion)
            if (there := list(_figures(client, version)))
        )
        raise InputError(
            f"there are no figures of the same patients of {names[0]} and {names[1]}" + (judged and f": {judged}"),
            expected="both evaluated on the same cohort, or trained on the same patients with the same folds",
            fix=f"nbrelapse evaluate {challenger.uri} COHORT and nbrelapse evaluate {champion.uri} COHORT, {force}",
        )
    if not comparisons[0].shown:
        raise InputError(
            f"{names[0]} is not shown to be better than {names[1]}: {'; '.join(map(str, comparisons))}",
            expected=f"an interval above 0 in {comparisons[0].where}",
            fix=f"evaluate both on another cohort with more events, {force}",
        )


def _give(client: MlflowClient, done: Promotion) -> None:
    """Keep with the version how it came to the alias, and give it."""
    own = done.version
    when = datetime.now(UTC).isoformat(timespec="seconds")
    tags = {"when": when, "who": os.environ.get("MLFLOW_TRACKING_USERNAME") or _source({}).get("mlflow.user", "")}
    if done.champion is not None:
        tags |= {"over": f"version {done.champion.version}"}
        tags |= {"difference": str(done.comparisons[0]) if done.comparisons else "no figures of the same patients"}
    if done.forced:
        tags |= {"forced": done.forced}
    named = {f"nbrelapse.{done.alias}.{name}": value for name, value in tags.items()}
    number = str(own.version)
    with _undoing() as undo:
        for name in own.tags.keys() - named.keys():
            if name.startswith(f"nbrelapse.{done.alias}."):  # of an earlier promotion
                undo(client.set_model_version_tag, own.name, number, name, own.tags[name])
                client.delete_model_version_tag(own.name, number, name)
        for name, value in named.items():
            if name in own.tags:
                undo(client.set_model_version_tag, own.name, number, name, own.tags[name])
            else:
                undo(client.delete_model_version_tag, own.name, number, name)
            client.set_model_version_tag(own.name, number, name, value)
        client.set_registered_model_alias(own.name, done.alias, number)
