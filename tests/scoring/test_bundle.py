from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nbrelapse.errors import InputError
from nbrelapse.mechanisms import load_catalogue
from nbrelapse.models.families import create_model
from nbrelapse.scoring import Bundle, TrainingSummary, make_bundle
from nbrelapse.scoring.bundle import _evidence_of, _explained_horizon
from nbrelapse.scoring.training_summary import ClinicalGroup, NearPatients, ObservedOutcomes, SimilarOutcomes


@pytest.mark.parametrize("family", ["cox", "boosted"])
def test_the_schema_describes_the_training_values(
    bundles: dict[str, Bundle], training: tuple[pd.DataFrame, np.ndarray], family: str
) -> None:
    X, _ = training
    schema = bundles[family].schema
    assert list(schema.index) == list(X.columns)
    assert schema.loc["mycn__amplified", ["mechanism", "assay", "low", "high"]].tolist() == ["mycn", "fish", 0.0, 1.0]
    assert schema.loc["clinical__log2_age", "low"] == X["clinical__log2_age"].min()
    assert schema.loc["clinical__log2_age", "observed"] == X["clinical__log2_age"].notna().mean()


def test_only_what_is_read_is_kept(bundles: dict[str, Bundle]) -> None:
    bundle = bundles["cox"]
    # adrn_minus_mes is a difference of two other entries, without which it cannot be computed.
    assert set(bundle.catalogue.features) == {
        "mycn__amplified",
        "instability__loss_11q",
        "cell_state__adrn_minus_mes",
        "cell_state__adrenergic",
        "cell_state__mesenchymal",
        "clinical__log2_age",
    }
    assert set(bundle.catalogue.mechanisms) == {"mycn", "instability", "cell_state", "clinical"}
    assert bundle.gene_sets == {}
    assert bundle.mechanisms == ["mycn", "instability", "cell_state", "clinical"]


def test_the_gene_sets_that_are_read_are_kept(training: tuple[pd.DataFrame, np.ndarray]) -> None:
    X, y = training
    catalogue = load_catalogue()
    name = next(name for name, definition in catalogue.features.items() if "gene_set_down" in definition.parameters)
    up, down = (catalogue.features[name].parameters[key] for key in ("gene_set", "gene_set_down"))
    X = X.assign(**{name: np.linspace(-1, 1, len(X))})
    bundle = make_bundle(
        "efs",
        create_model("cox", columns=[name]).fit(X, y),
        X,
        refits=(),
        references={},
        catalogue=catalogue,
        gene_sets={up: ["A"], down: ["B"], "ANOTHER": ["C"]},
        training=TrainingSummary(),
    )
    assert bundle.gene_sets == {up: ["A"], down: ["B"]}


def test_its_text_says_what_it_is_needs_and_was_trained_on(bundles: dict[str, Bundle]) -> None:
    card = (
        "## Performance, in the hold-out\n\n| population | metric | value | 95% interval | patients | events |\n"
        "|---|---|---|---|---|---|\n| all | harrell_c | 0.712 | 0.640 to 0.781 | 50 | 20 |\n"
    )
    training = replace(bundles["cox"].training, landmark_days=90.0, outcome={"events": {"event": 71}})
    text = repr(replace(bundles["cox"], card=card, training=training))
    assert text.startswith("Elastic-net Cox (cox), endpoint relapse: relapse or progression\n")
    assert "performance  Harrell C 0.712 (95% interval 0.640 to 0.781) in the hold-out\n" in text
    assert "training     patients 160, 71 with the event, followed for up to 4.1 years\n" in text
    assert "landmark     day 90\n" in text
    assert "needs        fish, copy_number, expression, clinical\n" in text
    assert "bands        bootstrap refits 8\n" in text
    assert text.splitlines()[-1].split() == ["clinical", "1"]


def test_its_text_is_honest_where_nothing_is_known(bundles: dict[str, Bundle]) -> None:
    bare = replace(bundles["cox"], refits=(), training=TrainingSummary(), card="")
    assert "performance  not recorded\n" in repr(bare)
    assert "training     not recorded, followed" in repr(bare)
    assert "bands        none\n" in repr(bare)
    assert "performance  not validated\n" in repr(replace(bare, training=TrainingSummary(validated=False)))
    assert "<th>performance</th><td>not recorded</td>" in bare._repr_html_()


@pytest.mark.parametrize(
    ("importance", "expected"),
    [([0.5, 0.25, 0.25, 0.0], [1.0, 0.5, 0.0]), ([0.0, 0.0, 0.0, 0.0], [1.0, 0.75, 0.25])],
)
def test_evidence_is_the_importance_of_what_is_known(
    bundles: dict[str, Bundle], importance: list[float], expected: list[float]
) -> None:
    bundle = bundles["cox"]
    names = list(bundle.schema.index[:4])
    schema = bundle.schema.loc[names].assign(importance=importance)
    nan = np.nan
    values = pd.DataFrame([[1, 0, 2, 3], [nan, 0, 2, 3], [nan, nan, nan, 3]], columns=names, dtype=float)
    # Columns in another order, and one that the model does not read.
    values = values[names[::-1]].assign(another=nan)
    assert _evidence_of(replace(bundle, schema=schema), values).tolist() == expected


@dataclass
class Followed:
    followed_days: float | None


def horizon(followed_days: float | None, years: float | None) -> float | None:
    bundle: Any = Followed(followed_days)
    return _explained_horizon(bundle, years)


@pytest.mark.parametrize(
    ("followed_days", "expected"),
    [(300.0, 300.0), (365.25, 365.25), (1500.0, 3 * 365.25), (9000.0, 5 * 365.25), (None, None)],
)
def test_the_longest_horizon_within_the_follow_up(followed_days: float | None, expected: float | None) -> None:
    assert horizon(followed_days, None) == expected


def test_a_horizon_of_ones_own() -> None:
    assert horizon(730.5, 2.0) == 730.5


@pytest.mark.parametrize("years", [0.0, -1.0, 2.1, float("nan"), float("inf")])
def test_a_horizon_beyond_the_follow_up_is_refused(years: float) -> None:
    with pytest.raises(InputError, match=r"at most 2\.00 years"):
        horizon(730.5, years)


def test_a_binary_endpoint_has_no_horizon() -> None:
    with pytest.raises(InputError, match="knows no time"):
        horizon(None, 1.0)


OLD = Path(__file__).parent / "bundles" / "catalogue_1" / "data" / "manifest.json"
OBSERVED = {
    "clinical_groups": [
        {
            "grouping": "clinical_inrg",
            "level": 3,
            "patients": 40,
            "events": 20,
            "course": {"days": [90.0], "incidence": [0.1], "low": [0.05], "high": [0.2]},
        }
    ],
    "similar": {
        "horizon_days": None,
        "points": [
            {
                "probability": 0.3,
                "low": 0.2,
                "high": 0.4,
                "patients": 50,
                "events": 15,
                "observed": [{"years": None, "incidence": 0.3, "low": 0.2, "high": 0.4}],
            }
        ],
    },
}


def test_a_summary_of_the_first_version_is_written_as_it_was_read() -> None:
    document = json.loads(OLD.read_text(encoding="utf-8"))["training"]
    summary = TrainingSummary.from_dict(document)
    assert summary.landmark_days is None
    assert (summary.patients, summary.events) == (500, 143)
    assert json.dumps(summary.to_dict()) == json.dumps(document)


def test_what_became_of_the_training_patients_is_typed_and_written_as_it_was_read() -> None:
    document = {"experiment": "e", "patients": 2, "landmark_days": 0.0, "expression_genes": None, "observed": OBSERVED}
    summary = TrainingSummary.from_dict(document)
    group = ClinicalGroup("clinical_inrg", 3, 40, 20, OBSERVED["clinical_groups"][0]["course"])  # type: ignore[index]
    near = NearPatients(0.3, 0.2, 0.4, 50, 15, [{"years": None, "incidence": 0.3, "low": 0.2, "high": 0.4}])
    assert summary.observed == ObservedOutcomes((group,), SimilarOutcomes(None, (near,)))
    assert json.dumps(summary.to_dict()) == json.dumps(document)


def test_what_is_not_known_is_left_out() -> None:
    assert TrainingSummary.from_dict({"patients": 3, "a_later_key": 1}) == TrainingSummary(patients=3)
    assert TrainingSummary().to_dict() == {}
    assert TrainingSummary().events is None
    assert TrainingSummary(outcome={"events": {"refractory": 4, "responding": 9}}).events == 4


def test_it_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        TrainingSummary().patients = 3  # type: ignore[misc]
