"""Figures that are paired with those of another day, seed and machine, and that tell nothing of a patient."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from nbrelapse.metrics import PairedReplicates, Predictions, evaluate, paired_difference
from nbrelapse.outcome import Outcome

Outcomes = Callable[..., tuple[np.ndarray, np.ndarray]]


def study(outcome: Outcomes, *, folds: int = 3) -> tuple[Outcome, dict[str, Predictions]]:
    """120 patients, predicted well and not so well in a cross-validation."""
    y, risk = outcome(120, seed=4)
    noise = np.random.default_rng(9).normal(size=120)
    fold = (np.arange(120) % folds)[None]
    models = {"good": risk, "fair": risk + 2 * noise}
    shape = np.full((1, 120, 1), 0.2), np.array([365.25])
    ids = pd.Index([f"patient-{number:03d}" for number in range(120)], name="patient_id")
    return (
        Outcome("relapse", ids, y),
        {name: Predictions(name, values[None].astype(float), fold, *shape) for name, values in models.items()},
    )


def turned(given: Outcome, predictions: dict[str, Predictions]) -> tuple[Outcome, dict[str, Predictions]]:
    rows = np.arange(len(given.y))[::-1]
    return given[rows], {name: one.take(rows) for name, one in predictions.items()}


def test_the_order_of_the_rows_changes_nothing(outcome: Outcomes) -> None:
    patients, predictions = study(outcome)
    there, back = PairedReplicates.of(predictions, patients), PairedReplicates.of(*turned(patients, predictions)[::-1])
    assert there.fingerprint == back.fingerprint
    assert (there.patients, there.events, there.stretch) == (back.patients, back.events, back.stretch)
    for name in predictions:
        np.testing.assert_allclose(there.models[name], back.models[name], atol=2e-6)


def test_a_model_has_the_same_resamples_whatever_it_is_judged_beside(outcome: Outcomes) -> None:
    patients, predictions = study(outcome)
    together = PairedReplicates.of(predictions, patients)
    alone = PairedReplicates.of({"good": predictions["good"]}, patients)
    assert alone.fingerprint == together.fingerprint
    assert alone.models["good"] == together.models["good"]


@pytest.mark.parametrize("changed", ["identifier", "outcome", "endpoint", "folds", "patient"])
def test_other_patients_outcomes_or_folds_are_not_the_same(outcome: Outcomes, changed: str) -> None:
    patients, predictions = study(outcome)
    before = PairedReplicates.of(predictions, patients)
    ids, y, endpoint = patients.patient_ids, patients.y.copy(), patients.endpoint
    if changed == "identifier":
        ids = ids.where(ids != "patient-007", "patient-800")
    elif changed == "outcome":
        y["time"][7] += 1
    elif changed == "endpoint":
        endpoint = "efs"
    elif changed == "folds":
        predictions = study(outcome, folds=4)[1]
    now = Outcome(endpoint, ids, y)
    if changed == "patient":
        now, predictions = now[np.arange(119)], {name: one.take(np.arange(119)) for name, one in predictions.items()}
    after = PairedReplicates.of(predictions, now)
    assert after.fingerprint != before.fingerprint
    assert after.models["good"][1:] != before.models["good"][1:]


def test_the_interval_is_that_of_an_evaluation_with_other_resamples(outcome: Outcomes) -> None:
    patients, predictions = study(outcome)
    paired = PairedReplicates.of(predictions, patients)
    found = paired_difference(paired.models["good"], paired.models["fair"], stretch=paired.stretch)
    everybody = {"all": np.ones(120, dtype=bool)}
    judged = evaluate(predictions, patients, populations=everybody, references=["fair"], n_bootstrap=1000, seed=1)
    row = judged.differences.set_index(["model", "metric"]).loc[("good", "harrell_c")]
    assert found[0] == pytest.approx(row["difference"], abs=1e-6)
    assert found[1:] == pytest.approx((row["low"], row["high"]), abs=0.02)
    same = paired_difference(paired.models["good"], paired.models["good"], stretch=paired.stretch)
    assert same == (0.0, 0.0, 0.0)


def test_what_is_kept_survives_json_and_holds_no_row_of_a_patient(outcome: Outcomes) -> None:
    patients, predictions = study(outcome)
    paired = PairedReplicates.of(predictions, patients)
    paired = PairedReplicates(
        paired.fingerprint, 120, paired.events, paired.stretch, {"good": [0.7, np.nan], "fair": [0.6, 0.5]}
    )
    text = json.dumps(paired.to_dict(), allow_nan=False)
    back = PairedReplicates.from_dict(json.loads(text))
    np.testing.assert_array_equal(back.models["good"], [0.7, np.nan])
    assert (back.fingerprint, back.models["fair"]) == (paired.fingerprint, [0.6, 0.5])
    assert "patient-" not in text
    assert set(paired.to_dict()) == {"fingerprint", "patients", "events", "stretch", "models"}


def test_the_seed_of_the_resamples_is_not_told(outcome: Outcomes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has only what is kept cannot draw the resamples again."""
    seeds = []
    from nbrelapse.metrics import paired as room

    drawn = room.bootstrap_weights
    monkeypatch.setattr(room, "bootstrap_weights", lambda n, size, seed: seeds.append(seed) or drawn(n, size, seed))
    patients, predictions = study(outcome)
    kept = json.dumps(PairedReplicates.of(predictions, patients).to_dict())
    (seed,) = seeds
    assert seed.bit_length() > 200
    assert f"{seed:x}" not in kept
    assert str(seed) not in kept
