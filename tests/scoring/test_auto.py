"""``score_auto``: each patient by the model that knows most, and nobody by a model of other patients."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nbrelapse.cohort import Cohort, take_where
from nbrelapse.errors import InputError
from nbrelapse.mechanisms import build_features, load_catalogue
from nbrelapse.models.families import create_model
from nbrelapse.outcome import make_outcome
from nbrelapse.scoring import (
    Bundle,
    TrainingSummary,
    find_models,
    make_bundle,
    score,
    score_auto,
    who_can_be_scored,
    write_bundle,
)
from nbrelapse.simulation import simulate_cohort

CLINICAL = ["clinical__log2_age", "clinical__stage_metastatic"]
EXPRESSION = [*CLINICAL, "cell_state__adrn_minus_mes", "mycn__activity", "mycn__growth"]


def card(everybody: float | None, high_risk: float | None = None) -> str:
    lines = ["## Performance, in a test"]
    for population, value in (("all", everybody), ("high_risk", high_risk)):
        if value is not None:
            lines.append(f"| {population} | harrell_c | {value:.3f} | 0.500 to 0.900 | 100 | 50 |  |  |")
    return "\n".join(lines)


def trained(cohort: Cohort, columns: list[str], told: str) -> Bundle:
    table, outcome = build_features(cohort), make_outcome(cohort, "efs")
    X = table.values.loc[outcome.patient_ids]
    model = create_model("cox", columns=columns, penalty=0.01, l1_ratio=0.05).fit(X, outcome.y)
    return make_bundle(
        "efs",
        model,
        X,
        refits=(),
        references={},
        catalogue=load_catalogue(),
        gene_sets={},
        training=TrainingSummary.of(cohort, outcome),
        card=told,
    )


@pytest.fixture(scope="module")
def models(cohort: Cohort) -> dict[str, Bundle]:
    """``clinical`` (C 0.700; 0.600 within high-risk), ``expression`` (0.750, 0.650), ``high`` of high-risk patients."""
    high = take_where(cohort, "high_risk")
    return {
        "clinical": trained(cohort, CLINICAL, card(0.7, 0.6)),
        "expression": trained(cohort, EXPRESSION, card(0.75, 0.65)),
        "high": trained(high, ["clinical__log2_age", "instability__loss_11q", "mycn__amplified"], card(0.7)),
    }


@pytest.fixture(scope="module")
def new() -> Cohort:
    return simulate_cohort(60, seed=6)


def with_figures(bundle: Bundle, *figures: float | None) -> Bundle:
    return replace(bundle, card=card(*figures))


def test_the_rule_patient_by_patient(models: dict[str, Bundle], new: Cohort) -> None:
    table = score_auto(models, new).table.set_index("patient_id")
    found = {name: who_can_be_scored(bundle, new) for name, bundle in models.items()}
    high = new.patients.set_index("patient_id")["high_risk"].astype(bool)
    assert 5 < high.sum() < 55
    figures = {"clinical": (0.7, 0.6), "expression": (0.75, 0.65), "high": (0.0, 0.7)}
    for patient, row in table.iterrows():
        shares = {name: own.evidence[patient] for name, own in found.items() if own.reasons[patient] == ""}
        assert ("high" in shares) <= bool(high[patient])
        even = [name for name, share in shares.items() if share >= max(shares.values()) - 0.1 - 1e-9]
        best = max(even, key=lambda name: figures[name][int(high[patient])]) if even else None
        assert row["model"] == best or (best is None and pd.isna(row["model"])), row["model_reason"]
    assert set(table["model"].dropna()) == set(models)


def test_the_numbers_are_those_of_the_model(models: dict[str, Bundle], new: Cohort) -> None:
    found = score_auto(models, new)
    table = found.table.set_index("patient_id")
    assert list(table.index) == list(new.patient_ids)
    for name, bundle in models.items():
        own = table[table["model"] == name]
        assert len(own) == found.models[name] > 0
        alone = score(bundle, new).set_index("patient_id").loc[own.index]
        pd.testing.assert_frame_equal(own[alone.columns], alone, check_dtype=False)
        foreign = [column for column in table if column.startswith("mechanism__") and column not in alone]
        assert own[foreign].isna().all(axis=None)


def test_a_share_more_than_a_tenth_larger_wins_over_a_better_figure(models: dict[str, Bundle], new: Cohort) -> None:
    without = replace(new, assays=new.assays[new.assays["assay"] != "expression"], expression=None)
    two = {name: models[name] for name in ("clinical", "expression")}
    share = who_can_be_scored(two["expression"], without).evidence.max()
    assert 0.25 < share < 0.9
    assert score_auto(two, without).models["expression"] == 0
    assert score_auto({"expression": two["expression"]}, without).models["expression"] > 0


def test_even_shares_are_decided_by_the_figure_of_the_population(models: dict[str, Bundle], new: Cohort) -> None:
    clinical = models["clinical"]
    pair = {"a": with_figures(clinical, 0.70, 0.55), "b": with_figures(clinical, 0.65, 0.60)}
    table = score_auto(pair, new).table.set_index("patient_id")
    high = new.patients.set_index("patient_id")["high_risk"].astype(bool)
    scored = table["model"].notna()
    assert set(table.loc[scored & high, "model"]) == {"b"}
    assert set(table.loc[scored & ~high, "model"]) == {"a"}
    said = table.loc[scored & high, "model_reason"].iloc[0]
    assert said == "knows 100%, C 0.600 in high-risk patients; a knows 100%, C 0.550 in high-risk patients"
    # One that was not validated loses to any figure.
    table = score_auto({"a": with_figures(clinical, None), "b": with_figures(clinical, 0.51)}, new).table
    assert set(table["model"].dropna()) == {"b"} or set(table.loc[~high.to_numpy(), "model"].dropna()) == {"b"}


def test_a_model_of_high_risk_patients_scores_no_other(models: dict[str, Bundle], new: Cohort) -> None:
    unknown = new.patients.assign(
        high_risk=pd.array([None] * len(new.patients), dtype="boolean"),
        risk_group=None,
        age_days=np.nan,
        inss_stage=None,
    )
    blind = replace(new, patients=unknown)
    only = {"high": models["high"]}
    high = new.patients["high_risk"].astype(bool).to_numpy()
    scored = score_auto(only, new)
    assert scored.models["high"] <= high.sum()
    assert scored.table.loc[~high, "model"].isna().all()
    assert scored.table.loc[~high, "log_risk"].isna().all()
    assert scored.table.loc[~high, "warnings"].eq("no score: no model can score this patient").all()
    found = score_auto(only, blind).table
    not_known = found["model_reason"].str.contains("this patient's risk group is not known")
    assert not_known.sum() > 30
    assert found.loc[not_known, "model"].isna().all()


def test_simulated_and_real_patients_are_never_mixed(models: dict[str, Bundle], new: Cohort) -> None:
    real = replace(
        new,
        name="mine",
        metadata={**new.metadata, "source": {}},
        patients=new.patients.assign(patient_id="P" + new.patients["patient_id"]),
        samples=new.samples.assign(patient_id="P" + new.samples["patient_id"]),
    )
    found = score_auto({"clinical": models["clinical"]}, real)
    assert found.left_out == {"clinical: its training patients were simulated, these are not": 60}
    own = replace(models["clinical"], training=replace(models["clinical"].training, simulated=False))
    assert score_auto({"clinical": own}, real).models["clinical"] > 50
    assert who_can_be_scored(own, new).left_out == {"its training patients were real, these are simulated": 60}


def test_too_little_known_is_a_reason(models: dict[str, Bundle], new: Cohort) -> None:
    nothing = replace(new, patients=new.patients.assign(age_days=np.nan, inss_stage=None))
    found = who_can_be_scored(models["clinical"], nothing)
    assert (found.patients, found.left_out) == (0, {"less than 25% of what it relies on is known": 60})


def test_endpoints_and_landmarks_that_take_no_part(models: dict[str, Bundle], new: Cohort) -> None:
    with pytest.raises(InputError, match="no model of the endpoint 'os'") as caught:
        score_auto(models, new, endpoint="os")
    assert caught.value.expected == "efs"
    late = replace(models["clinical"], training=replace(models["clinical"].training, landmark_days=90.0))
    found = score_auto({**models, "late": late}, new)
    assert "late" not in found.models
    assert "late takes no part: it is of patients event-free on day 90" in found.notes
    with pytest.raises(InputError, match="no model of the endpoint"):
        score_auto({"late": late}, new)


def test_a_folder_of_models(models: dict[str, Bundle], new: Cohort, tmp_path: Path) -> None:
    for name, bundle in models.items():
        write_bundle(bundle, tmp_path / name)
    shutil.copytree(tmp_path / "clinical", tmp_path / "broken")
    (tmp_path / "broken" / "data" / "model.json").write_text("{}")
    (tmp_path / "notes").mkdir()
    loaded, notes = find_models(tmp_path)
    assert sorted(loaded) == sorted(models)
    assert [note.partition(",")[0] for note in notes] == ["broken takes no part"]
    found = score_auto(tmp_path, new)
    pd.testing.assert_frame_equal(found.table, score_auto(models, new).table)
    assert found.notes[0].startswith("log risks, percentiles and contributions of different models")
    with pytest.raises(InputError, match="no such folder of models"):
        score_auto(tmp_path / "none", new)
