"""Who takes an alias from whom, by which figures, and what is kept of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from nbrelapse.errors import InputError
from nbrelapse.metrics import PairedReplicates
from nbrelapse.tracking import (
    BUNDLE_TAG,
    ENDPOINT_TAG,
    PAIRED_FILE,
    WITHHELD_TAG,
    DatasetRecord,
    EvaluationRecord,
    ExperimentRecord,
    ModelRecord,
    RegistrationRecord,
    log_experiment,
    model_address,
    open_store,
    promote,
    record_evaluation,
    register,
    registered_version,
)

Record = Callable[..., ExperimentRecord]
Study = Callable[..., None]


def figures(fingerprint: str, c: float, *, model: str = "cox", events: int = 50) -> str:
    """Replicates about a figure, whose spread within the same patients is that of the patients."""
    spread = np.random.default_rng(len(fingerprint)).normal(0, 0.03, 200)
    own = np.random.default_rng(int(c * 1000)).normal(0, 0.005, 200)
    values = [c, *(c + spread + own).tolist()]
    return json.dumps([PairedReplicates(fingerprint, 160, events, 1.0, {model: values}).to_dict()])


@pytest.fixture
def trained(store: Path, record: Record, tmp_path: Path) -> Study:
    """Train a model that says its name, and register it as a version of ``nb``; keywords say how it did."""
    number = 0

    def train(c: float | None, *, folds: str = "folds-1", endpoint: str = "relapse") -> None:
        nonlocal number
        number += 1
        content = f"model {number}"

        def save(path: str, _: object) -> None:
            Path(path).mkdir()
            Path(path, "MLmodel").write_text(content)

        model = ModelRecord("cox", {}, {}, save)
        documents = {} if c is None else {PAIRED_FILE: figures(folds, c)}
        changes = {"models": (model,), "documents": documents, "tables": {}, "pictures": {}}
        logged = log_experiment(record(name=f"experiment-{number}", **changes))
        told = RegistrationRecord("nb", "saved models", content, {ENDPOINT_TAG: endpoint}, "A model.")
        assert register(told, tmp_path, model_address(logged.model_uris["cox"])).version == number

    return train


def evaluated(version: int, c: float, cohort: str, *, events: int = 50, withheld: str = "") -> str:
    tags = {BUNDLE_TAG: f"model {version}", **({WITHHELD_TAG: withheld} if withheld else {})}
    done = record_evaluation(
        EvaluationRecord(
            experiment="evaluations",
            name=cohort,
            description="",
            dataset=DatasetRecord(cohort, "e" * 64, 160, events, ()),
            parameters={"family": "cox", "cohort.name": cohort},
            tags=tags,
            metrics={"c": c},
            documents={PAIRED_FILE: figures(f"patients of {cohort}", c, events=events)},
        )
    )
    return done.run_id


def champion() -> int:
    return int(open_store().get_model_version_by_alias("nb", "champion").version)


def kept(version: int) -> dict[str, str]:
    """What is kept of how a version came to be champion."""
    tags = registered_version("nb", version).tags
    start = "nbrelapse.champion."
    return {name.removeprefix(start): value for name, value in tags.items() if name.startswith(start)}


def test_where_there_is_no_champion_there_is_nothing_to_beat(trained: Study) -> None:
    trained(None)
    done = promote("nb", 1)
    assert (done.champion, done.comparisons, done.forced) == (None, (), "")
    assert champion() == 1
    assert set(kept(1)) == {"who", "when"}
    again = promote("nb", 1, force="for nothing")
    assert again.champion is not None and again.champion.version == 1
    assert "forced" not in kept(1)


def test_who_is_better_on_the_same_folds_takes_the_alias(trained: Study) -> None:
    trained(0.70)
    trained(0.76)
    promote("nb", 1)
    done = promote("nb", 2)
    (comparison,) = done.comparisons
    assert (comparison.challenger, comparison.champion, comparison.external) == (0.76, 0.70, False)
    assert comparison.difference == pytest.approx(0.06)
    # The spread that both share is no uncertainty of the difference.
    assert 0.04 < comparison.low < comparison.difference < comparison.high < 0.08
    assert comparison.where == "the cross-validation of experiment-2"
    assert champion() == 2
    assert kept(2)["over"] == "version 1"
    assert kept(2)["difference"].startswith("Harrell C 0.760 against 0.700 in the cross-validation of experiment-2")
    assert "forced" not in kept(2)


@pytest.mark.parametrize("c", [0.68, 0.705])
def test_who_is_not_shown_to_be_better_is_refused_with_the_figures(trained: Study, c: float) -> None:
    trained(0.70)
    trained(c)
    promote("nb", 1)
    with pytest.raises(
        InputError, match="version 2 of 'nb' is not shown to be better than version 1, the champion"
    ) as no:
        promote("nb", 2)
    assert f"Harrell C {c:.3f} against 0.700" in str(no.value)
    assert f"difference {c - 0.7:+.3f} (95% interval " in str(no.value)
    assert "--force REASON" in str(no.value)
    assert champion() == 1
    assert kept(2) == {}
    done = promote("nb", 2, force=" needs no expression ")
    assert champion() == 2
    assert done.forced == kept(2)["forced"] == "needs no expression"
    assert kept(2)["difference"] == str(done.comparisons[0])
    with pytest.raises(InputError, match="the reason is empty"):
        promote("nb", 1, force=" ")


def test_a_cohort_decides_before_folds_and_the_one_with_more_events_first(trained: Study) -> None:
    trained(0.70)
    trained(0.76)
    promote("nb", 1)
    for version, c in ((1, 0.75), (2, 0.70)):
        evaluated(version, c, "Cologne", events=80)
        evaluated(version, 1.45 - c, "Kiel", events=20)
    with pytest.raises(InputError, match=r"Harrell C 0\.700 against 0\.750 in the cohort Cologne") as caught:
        promote("nb", 2)
    told = str(caught.value)
    assert told.index("the cohort Cologne") < told.index("the cohort Kiel") < told.index("the cross-validation")
    # An evaluation of today is what counts.
    evaluated(2, 0.80, "Cologne", events=80)
    assert promote("nb", 2).comparisons[0].challenger == 0.80


def test_evaluations_that_failed_or_give_no_verdict_decide_nothing(trained: Study) -> None:
    trained(0.70)
    trained(0.76)
    promote("nb", 1)
    evaluated(1, 0.75, "Cologne")
    evaluated(2, 0.60, "Cologne", withheld="training patients are among them")
    open_store().set_terminated(evaluated(2, 0.60, "Cologne"), status="FAILED")
    assert [one.external for one in promote("nb", 2).comparisons] == [False]


def test_without_common_figures_it_says_what_to_run(trained: Study) -> None:
    trained(0.70, folds="folds-1")
    trained(0.76, folds="folds-22")
    promote("nb", 1)
    evaluated(1, 0.75, "Cologne")
    with pytest.raises(InputError, match="there are no figures of the same patients") as caught:
        promote("nb", 2)
    told = str(caught.value)
    assert "version 1 was judged in the cohort Cologne, the cross-validation of experiment-1" in told
    assert "version 2 was judged in the cross-validation of experiment-2" in told
    assert "nbrelapse evaluate models:/nb/2 COHORT and nbrelapse evaluate models:/nb/1 COHORT" in told
    assert champion() == 1
    promote("nb", 2, force="the old one reads what nobody measures")
    assert kept(2)["difference"] == "no figures of the same patients"


def test_models_of_before_have_no_figures(trained: Study) -> None:
    trained(None)
    trained(None)
    promote("nb", 1)
    with pytest.raises(InputError, match="there are no figures of the same patients of version 2 of 'nb'"):
        promote("nb", 2)


def test_another_endpoint_cannot_take_its_place_even_by_force(trained: Study) -> None:
    trained(0.70)
    trained(0.76, endpoint="os")
    promote("nb", 1)
    for force in (None, "because"):
        with pytest.raises(InputError, match=r"version 2 of 'nb' is of the endpoint 'os', version 1, .*, of 'relapse'"):
            promote("nb", 2, force=force)
    assert (champion(), kept(2)) == (1, {})


def test_a_version_of_which_nothing_is_known(trained: Study) -> None:
    trained(0.70)
    client = open_store()
    client.create_model_version("nb", "file:///elsewhere", run_id=registered_version("nb", 1).run_id)
    with pytest.raises(InputError, match="nothing is known of version 2 of 'nb'") as caught:
        promote("nb", 2)
    assert "nbrelapse register models:/nb/2 --name nb" in str(caught.value)


def test_other_aliases_stand_by_themselves(trained: Study) -> None:
    trained(0.76)
    trained(0.70)
    promote("nb", 1)
    assert promote("nb", 2, alias="candidate").champion is None
    assert registered_version("nb", 2).aliases == ("candidate",)
    assert champion() == 1


def test_a_promotion_that_fails_leaves_no_trace(trained: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    trained(0.70)
    trained(0.76)
    promote("nb", 1)
    before = registered_version("nb", 2).tags

    def refuse(*_: object, **__: object) -> None:
        raise MlflowException("attempt to write a readonly database")

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "set_registered_model_alias", refuse)
        with pytest.raises(InputError, match="the version cannot be promoted: attempt to write"):
            promote("nb", 2)
    assert (champion(), registered_version("nb", 2).tags) == (1, before)


def test_damaged_figures_are_named(trained: Study) -> None:
    trained(0.70)
    trained(0.76)
    promote("nb", 1)
    client = open_store()
    run = client.get_run(str(registered_version("nb", 2).run_id)).data.tags["mlflow.parentRunId"]
    client.log_text(run, "[{}]", PAIRED_FILE)
    with pytest.raises(InputError, match=f"{PAIRED_FILE} of the run {run} is damaged"):
        promote("nb", 2)
