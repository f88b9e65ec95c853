"""What a difference is worth after a choice, and how far a figure moves with the folds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nbrelapse.errors import InputError
from nbrelapse.metrics.choice import (
    FigureSpread,
    _spread_of,
    choose_family,
    chosen_rows,
    default_family,
    difference_after_choice,
    leading_stretch,
)
from nbrelapse.metrics.discrimination import harrell_c
from nbrelapse.metrics.evaluation import (
    MEAN,
    Evaluation,
    chosen_difference,
    evaluate,
    evaluate_groups,
    figure_spread,
)
from nbrelapse.metrics.predictions import Predictions
from nbrelapse.metrics.resampling import bootstrap_weights
from nbrelapse.outcome import SURVIVAL_DTYPE
from nbrelapse.report.sentences import choice_sentence, verdict
from nbrelapse.validation.guards import corrected_choice

YEAR = 365.25
TIMES = np.array([YEAR, 2 * YEAR])


def predicted(name: str, log_risk: np.ndarray, fold: np.ndarray | None = None) -> Predictions:
    risk = np.atleast_2d(log_risk)
    fold = np.zeros(risk.shape, int) if fold is None else fold
    return Predictions(name, risk, fold, np.full((*risk.shape, 2), 0.2), TIMES)


def cohort(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    risk = rng.normal(size=n)
    event, censored = rng.exponential(1 / (0.12 * np.exp(0.8 * risk))), rng.uniform(1, 8, n)
    y = np.empty(n, SURVIVAL_DTYPE)
    y["event"], y["time"] = event <= censored, np.minimum(event, censored) * YEAR
    return y, risk


def judged(seed: int, n: int, families: int, references: int, **options: bool) -> tuple[Evaluation, str]:
    """Models of equal quality; return their evaluation and the family with the highest figure."""
    rng = np.random.default_rng(seed)
    y, risk = cohort(rng, n)
    names = [f"cox{number}" for number in range(families)] + [f"clinical_{number}" for number in range(references)]
    models = {name: predicted(name, risk + rng.normal(size=n)) for name in names}
    found = evaluate(
        models,
        y,
        populations={"all": np.ones(n, bool)},
        references=names[families:],
        n_bootstrap=200,
        seed=seed,
        **options,
    )
    values = found.metrics[found.metrics["metric"] == "harrell_c"].set_index("model")["value"]
    return found, str(values[names[:families]].idxmax())


@pytest.mark.parametrize(("n", "families", "references"), [(60, 1, 1), (60, 5, 1), (60, 1, 4), (100, 3, 2)])
def test_after_a_choice_among_equals_few_are_called_better_or_worse(n: int, families: int, references: int) -> None:
    better = worse = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        y, risk = cohort(rng, n)
        weights = bootstrap_weights(n, 200, seed)
        values = np.stack(
            [harrell_c(y, risk + rng.normal(size=n), weights=weights) for _ in range(families + references)]
        )
        best, strongest = values[:families, 0].argmax(), values[families:, 0].argmax()
        _, low, high = difference_after_choice(
            values[:families],
            values[families:],
            model=int(best),
            reference=int(strongest),
            events=int(y["event"].sum()),
        )
        better, worse = better + (low > 0), worse + (high < 0)
    assert better <= 9  # 3 % of 200 and what chance adds; the interval of a model named beforehand: 11 % of five
    assert worse <= 9


def test_the_interval_is_wider_and_the_difference_smaller_after_a_choice() -> None:
    evaluation, best = judged(1, 80, 5, 1)
    row = evaluation.differences.query("model == @best and metric == 'harrell_c'").iloc[0]
    found = chosen_difference(evaluation, best)
    assert found is not None
    assert (found.observed, found.families) == (row["difference"], 5)
    assert found.low < row["low"] - 0.005
    assert found.high >= row["high"]
    assert found.difference < found.observed - 0.005
    others = [name for name in (f"cox{number}" for number in range(5)) if name != best]
    assert all(not chosen_difference(evaluation, name).corrected for name in others)  # type: ignore[union-attr]
    said = verdict(evaluation, best)
    assert (said.difference, said.low, said.high, said.families) == (found.difference, found.low, found.high, 5)
    assert "corrected for the choice" in said.sentence
    assert "chosen among 5 families, the interval carries the choice)" in said.sentence
    assert "one of 5 families, the interval carries the choice)" in verdict(evaluation, others[0]).sentence


def test_a_model_named_beforehand_keeps_its_difference() -> None:
    evaluation, best = judged(1, 80, 5, 1, named_beforehand=True)
    free, _ = judged(1, 80, 5, 1)
    named, chosen = chosen_difference(evaluation, best), chosen_difference(free, best)
    assert named is not None and chosen is not None
    assert (named.families, named.corrected) == (1, False)
    assert chosen.low < named.low
    assert "families" not in verdict(evaluation, best).sentence


def test_of_a_metric_of_which_less_is_better_the_upper_limit_carries_the_choice() -> None:
    rng = np.random.default_rng(3)
    y, risk = cohort(rng, 150)
    models = {}
    for name in ("cox0", "cox1", "cox2", "clinical_0"):
        chance = 1 / (1 + np.exp(1 - risk - rng.normal(size=150)))
        incidence = np.stack([chance / 2, chance], axis=1)[np.newaxis]
        models[name] = Predictions(name, np.log(chance)[np.newaxis], np.zeros((1, 150), int), incidence, TIMES)
    everyone = {"all": np.ones(150, bool)}
    found = evaluate(models, y, populations=everyone, references=["clinical_0"], n_bootstrap=300)
    row = found.differences.query("metric == 'brier_1y' and model == 'cox1'").iloc[0]
    assert row["chosen_low"] < row["difference"] < row["chosen_high"]
    assert row["chosen_high"] > row["high"]
    again = chosen_difference(found, "cox1", metric="brier_1y")
    assert again is not None
    assert again.high == max(row["high"], row["chosen_high"])


def test_a_large_difference_is_found_after_the_choice() -> None:
    rng = np.random.default_rng(5)
    y, risk = cohort(rng, 300)
    models = {f"cox{number}": predicted("m", risk + 0.3 * rng.normal(size=300)) for number in range(3)}
    models["clinical_0"] = predicted("m", risk + 3 * rng.normal(size=300))
    found = evaluate(models, y, populations={"all": np.ones(300, bool)}, references=["clinical_0"], n_bootstrap=200)
    assert {verdict(found, f"cox{number}").answer for number in range(3)} == {"better"}


def test_an_evaluation_of_an_earlier_version_has_the_interval_of_a_model_named_beforehand() -> None:
    evaluation, best = judged(1, 80, 3, 2)
    columns = [name for name in evaluation.differences if not name.startswith("chosen_") and name != "families"]
    earlier = replace(evaluation, differences=evaluation.differences[columns], spread=evaluation.spread.iloc[:0])
    found = chosen_difference(earlier, best)
    assert found is not None
    rows = earlier.differences.query("model == @best and metric == 'harrell_c'").set_index("reference")
    row = rows.loc[found.reference]
    assert (found.difference, found.low, found.high, found.families) == (*row[["difference", "low", "high"]], 1)
    assert figure_spread(earlier, best) is None


def test_a_family_without_a_figure_is_none_to_choose_from() -> None:
    rng = np.random.default_rng(0)
    values = 0.7 + rng.normal(0, 0.02, (3, 301))
    values[1] = np.nan
    two = difference_after_choice(values[:2], values[2:], model=0, reference=0, events=50)
    one = difference_after_choice(values[:1], values[2:], model=0, reference=0, events=50)
    assert two == one
    assert np.isnan(difference_after_choice(values[:2], values[2:], model=1, reference=0, events=50)).all()


def test_models_that_predict_the_same_differ_by_nothing() -> None:
    values = 0.7 + np.random.default_rng(0).normal(0, 0.02, (1, 301))
    same = np.vstack([values, values])
    assert difference_after_choice(same, values, model=0, reference=0, events=50)[1:] == (0.0, 0.0)


def test_the_spread_is_that_of_the_repeats_and_counts_the_folds_without_a_feature() -> None:
    rng = np.random.default_rng(2)
    y, risk = cohort(rng, 60)
    log_risk = np.stack([risk, risk + rng.normal(size=60), -risk])
    fold = np.tile(np.repeat([0, 1, 2], 20), (3, 1))
    log_risk[1, :20] = 0.25
    found = _spread_of(predicted("m", log_risk, fold), y, np.arange(60))
    one = _spread_of(predicted("m", log_risk[2:], fold[2:]), y, np.arange(60))
    assert (found.repeats, found.empty, found.folds) == (3, 1, 9)
    assert found.lowest == one.lowest == one.highest < 0.5 < found.highest
    assert found.holds(0.5) and not one.holds(one.lowest)
    small = _spread_of(predicted("m", np.zeros((1, 60)), np.arange(60)[np.newaxis] // 6), y, np.arange(60))
    assert (small.empty, small.folds) == (0, 0)


@pytest.mark.parametrize(
    ("spread", "said"),
    [
        (FigureSpread(0.56, 0.6, 1, 1, 5), "1 of 5 models that were tuned on parts of the patients uses no feature"),
        (FigureSpread(0.48, 0.6, 4, 0, 20), "from 0.480 to 0.600, which holds the 0.5 of a model without any feature"),
        (FigureSpread(0.6, 0.99, 4, 0, 20), "of the clinical baseline alone"),
        (FigureSpread(0.4, 0.99, 1, 0, 5), ""),
        (FigureSpread(0.985, 0.99, 4, 0, 20), ""),
    ],
)
def test_the_verdict_says_unstable_where_no_feature_would_do_as_well(spread: FigureSpread, said: str) -> None:
    evaluation, best = judged(4, 80, 2, 1)
    table = evaluation.spread.assign(**{name: getattr(spread, name) for name in FigureSpread.__dataclass_fields__})
    sentence = verdict(replace(evaluation, spread=table), best).sentence
    assert ("Unstable: " in sentence) == bool(said)
    assert said in sentence
    assert "Unstable" not in verdict(replace(evaluation, spread=table), best, metric="uno_c").sentence


def test_a_group_judged_by_a_model_without_features_makes_the_verdict_unstable() -> None:
    rng = np.random.default_rng(6)
    y, risk = cohort(rng, 120)
    groups = np.repeat(["A", "B"], 60)
    own, clinic = risk.copy(), risk + rng.normal(size=120)
    own[:60] = 0.0  # as on COG by the elastic net of GPOH
    fold = (groups == "B").astype(int)[np.newaxis]
    models = {"cox": predicted("cox", own, fold), "clinical_cox": predicted("clinical_cox", clinic, fold)}
    found = evaluate_groups(models, y, groups, references=["clinical_cox"], n_bootstrap=100)
    for population in ("A", MEAN):
        assert "Unstable: 1 of " in verdict(found, "cox", population).sentence
    assert "Unstable" not in verdict(found, "cox", "B").sentence


def test_a_tie_goes_to_the_family_that_was_fixed_in_advance() -> None:
    rng = np.random.default_rng(4)
    y, risk = cohort(rng, 200)
    others = {name: risk + rng.normal(size=200) for name in ("cox", "boosted")}
    leader = max(others, key=lambda name: float(harrell_c(y, others[name])))
    worse = {"ensemble": others[leader] + 0.1 * rng.normal(size=200)} | others
    assert harrell_c(y, worse["ensemble"]) < harrell_c(y, others[leader])
    found = choose_family({name: predicted(name, values) for name, values in worse.items()}, y)
    assert (found.family, found.leader, found.other, found.default) == ("ensemble", leader, "ensemble", "ensemble")
    assert found.tie
    assert 0 < found.difference <= found.error
    said = choice_sentence(found, "harrell_c", list(worse))
    assert "a tie, which goes to the family that was fixed in advance" in said
    # Without it the leader is chosen, and a tie is said all the same.
    alone = choose_family({name: predicted(name, others[name]) for name in others}, y)
    assert (alone.family, alone.default) == (leader, "")
    assert ("decided by chance" in choice_sentence(alone, "harrell_c", list(others))) == alone.tie


def test_a_lead_beyond_its_error_is_chosen() -> None:
    rng = np.random.default_rng(5)
    y, risk = cohort(rng, 200)
    families = {"ensemble": rng.normal(size=200), "cox": risk}
    found = choose_family({name: predicted(name, values) for name, values in families.items()}, y)
    assert (found.family, found.leader, found.other, found.tie) == ("cox", "cox", "ensemble", False)
    assert "a tie" not in choice_sentence(found, "harrell_c", list(families))
    lone = choose_family({"cox": predicted("cox", risk)}, y)
    assert (lone.family, lone.other, lone.tie) == ("cox", "", False)


def test_the_standard_error_is_as_wide_as_the_intervals_are() -> None:
    """A lead of 1.1 standard errors over resamples is a tie where models of folds stand for the final one."""
    rng = np.random.default_rng(3)
    y, risk = cohort(rng, 120)
    named = {name: predicted(name, risk + rng.normal(size=120)) for name in ("ensemble", "cox")}
    folds = {name: replace(own, fold=np.arange(120)[np.newaxis] % 5) for name, own in named.items()}
    weights = bootstrap_weights(120, 200, 0)
    for predictions in (named, folds):
        figures = np.stack([harrell_c(y, own.log_risk, fold=own.fold, weights=weights) for own in predictions.values()])
        stretch = leading_stretch(predictions["cox"].fold, y)
        assert choose_family(predictions, y).error == pytest.approx(stretch * np.std((figures[0] - figures[1])[1:]))
    assert leading_stretch(folds["cox"].fold, y) > 1.2 > leading_stretch(named["cox"].fold, y) > 1
    spread = np.array([0.70, 0.69, 0.71, 0.70])
    figures = np.stack([np.full(4, 0.7), spread + 1.1 * spread[1:].std()])
    assert chosen_rows(figures, 0)[0] == 1 and chosen_rows(figures, 0, stretch=1.3)[0] == 0


def test_a_choice_without_any_figure_is_refused() -> None:
    y = np.zeros(30, dtype=SURVIVAL_DTYPE)
    y["time"] = 100.0
    with pytest.raises(InputError, match="no model could be judged"):
        choose_family({"cox": predicted("cox", np.arange(30.0))}, y)


def test_the_correction_for_the_choice_repeats_the_rule() -> None:
    """Where a tie always goes to the ensemble nothing is chosen by the figures, and nothing is to be corrected."""
    rng = np.random.default_rng(6)
    y, risk = cohort(rng, 150)
    base = risk + rng.normal(size=150)
    noisy = {f"family {number}": base + 0.05 * rng.normal(size=150) for number in range(6)}
    named = {"ensemble": predicted("ensemble", base)} | {name: predicted(name, own) for name, own in noisy.items()}
    unnamed = {"other": named["ensemble"]} | {name: named[name] for name in noisy}
    fixed, free = corrected_choice(named, y), corrected_choice(unnamed, y)
    weights = bootstrap_weights(150, 200, 0)[:, 1:]
    figures = np.stack([harrell_c(y, own.log_risk, weights=weights) for own in named.values()])
    rows = chosen_rows(figures, default_family(list(named)))
    assert (rows == 0).mean() > (figures.argmax(axis=0) == 0).mean() + 0.3
    assert fixed != free
