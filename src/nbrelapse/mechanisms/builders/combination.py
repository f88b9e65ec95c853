"""Features that combine others, with answers that may be yes, no or unknown."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from graphlib import CycleError, TopologicalSorter
from typing import Any

import numpy as np
import pandas as pd

from nbrelapse.cohort.cohort import Cohort
from nbrelapse.errors import InputError
from nbrelapse.mechanisms.builder_rules import _illegal_entry, check_parameters
from nbrelapse.mechanisms.catalogue import FeatureDefinition
from nbrelapse.mechanisms.catalogue_rules import _FEATURE_NAME, _is_number
from nbrelapse.mechanisms.risk_rules import _group_level, _mean_reachable, _yes_no_inputs


def build(cohort: Cohort, values: pd.DataFrame, definitions: Sequence[FeatureDefinition]) -> pd.DataFrame:
    """Combine features that the other builders have computed, in three-valued logic.

    Parameters
    ----------
    cohort : Cohort
    values : DataFrame of float64
        The features at hand, a row a patient of ``cohort.patient_ids``; NaN = unknown. A feature that an entry refers
        to and that is not here, because its gene set is not at hand say, is unknown for everybody.
    definitions : sequence of FeatureDefinition
        Each has one operator among its parameters. An operand is the name of a feature, ``{feature = name, at_least =
        number}`` (1 where the feature reaches the number), or a table with an operator of its own.

        - ``any_of``: 1 if an operand is 1, 0 only if all are known to be 0; ``all_of``: 0 if an operand is 0, 1 only
          if all are known to be 1; ``none_of``: the opposite of ``any_of``. Operands are 0, 1 or unknown.
        - ``first_known``: the value of the first operand that is known.
        - ``count_known``: how many operands are known, never NaN.
        - ``classes``: a list of ``{value = number, when = operand}``. The value of the first class whose condition
          holds; where that is not known, the mean of the values that remain possible, NaN where all do. The last
          class may leave out ``when``: it is what no other class is.
        - ``rule``: mean level of the groups that a classification can still reach, see
          :func:`nbrelapse.mechanisms.risk_rules.group_level`. ``inputs = {input = feature}`` hands it features
          for its yes-or-no inputs; the others it reads from the patients' table.

    Returns
    -------
    DataFrame of float64
        Indexed by ``cohort.patient_ids``, a column a definition.

    Raises
    ------
    InputError
        An entry has no operator or an illegal operand, refers to itself by a detour, or reads as true or false what
        is neither.

    Examples
    --------
    >>> patients = pd.DataFrame({"patient_id": ["p1", "p2", "p3"]})
    >>> cohort = Cohort("three", patients, pd.DataFrame(), pd.DataFrame())
    >>> values = pd.DataFrame({"p53__tp53_mutation": [1.0, 0.0, 0.0], "p53__mdm2_amplification": [None, None, 0.0]})
    >>> operands = {"any_of": list(values.columns)}
    >>> any_hit = FeatureDefinition("p53__hit", "p53", "Hit", "", "mutations", "binary", "combination", operands)
    >>> build(cohort, values.astype("float64").set_index(cohort.patient_ids), [any_hit])["p53__hit"].tolist()
    [1.0, nan, 0.0]
    """
    for definition in definitions:
        _check_combination(definition)
    names = {name for definition in definitions for name in definition.inputs}
    features = {name: values[name].to_numpy(dtype=np.float64) for name in names if name in values}
    for definition in _in_order(definitions):
        features[definition.name] = _Entry(definition, cohort, features).value(definition.parameters)
    columns = {definition.name: features[definition.name] for definition in definitions}
    return pd.DataFrame(columns, index=cohort.patient_ids, dtype=np.float64)


def _in_order(definitions: Sequence[FeatureDefinition]) -> list[FeatureDefinition]:
    """Return the definitions, each behind those that it refers to."""
    by_name = {definition.name: definition for definition in definitions}
    graph = {name: by_name.keys() & set(definition.inputs) for name, definition in by_name.items()}
    try:
        return [by_name[name] for name in TopologicalSorter(graph).static_order()]
    except CycleError as error:
        circle = " -> ".join(reversed(error.args[1]))
        raise InputError("combinations refer to each other in a circle", file="catalogue", column=circle) from None


@dataclass(frozen=True)
class _Entry:
    """A catalogue entry with what it may read."""

    definition: FeatureDefinition
    cohort: Cohort
    features: Mapping[str, np.ndarray]

    def value(self, operand: Any) -> np.ndarray:
        """Value of an operand for every patient, shape (n_patients,); NaN = unknown."""
        if isinstance(operand, str):
            return self.features.get(operand, np.full(len(self.cohort.patients), np.nan))
        if "feature" in operand:
            feature = self.value(operand["feature"])
            return np.where(np.isnan(feature), np.nan, feature >= operand["at_least"])
        name = next(name for name in _OPERATORS if name in operand)
        if name == "rule":
            return self._level(operand["rule"], operand.get("inputs", {}))
        if name == "classes":
            return self._mean_class(operand["classes"])
        if name in ("first_known", "count_known"):
            operands = np.stack([self.value(item) for item in operand[name]])
            known = ~np.isnan(operands)
            first = operands[known.argmax(axis=0), np.arange(known.shape[1])]
            return first if name == "first_known" else known.sum(axis=0).astype(np.float64)
        answers = [self._truth(item) for item in operand[name]]
        answer = reduce(operator.and_ if name == "all_of" else operator.or_, answers)
        return _numbers(~answer if name == "none_of" else answer)

    def _truth(self, operand: Any) -> _ThreeValued:
        truth = self.value(operand)
        if not (np.isnan(truth) | (truth == 0) | (truth == 1)).all():
            raise _illegal_entry(
                self.definition,
                f"{operand if isinstance(operand, str) else 'an operand'} has other values than 0 and 1",
                fix="compare it with a number: { feature = name, at_least = number }",
            )
        return _ThreeValued(truth == 1, truth != 0)

    def _mean_class(self, classes: Sequence[Mapping[str, Any]]) -> np.ndarray:
        left = np.ones(len(self.cohort.patients), dtype=bool)
        reachable = np.empty((len(left), len(classes)), dtype=bool)
        for number, item in enumerate(classes):
            holds = self._truth(item["when"]) if "when" in item else _ThreeValued.known(np.ones_like(left))
            reachable[:, number] = left & holds.possible
            left = left & ~holds.certain
        return _mean_reachable(reachable, np.array([item["value"] for item in classes]))

    def _level(self, rule: str, inputs: Mapping[str, str]) -> np.ndarray:
        given = {name: _numbers(self._truth(feature)) for name, feature in inputs.items()}
        return _group_level(self.cohort.patients.assign(**given), rule).to_numpy()


def _numbers(answer: _ThreeValued) -> np.ndarray:
    return np.where(answer.certain, 1.0, np.where(answer.possible, np.nan, 0.0))


@dataclass(frozen=True)
class _ThreeValued:
    """Kleene's logic on arrays: an unknown answer stays unknown unless the other side decides.

    Parameters
    ----------
    certain, possible : ndarray of bool
        Yes; yes or unknown.

    Examples
    --------
    >>> yes_no_unknown = _ThreeValued(np.array([True, False, False]), np.array([True, False, True]))
    >>> answer = ~yes_no_unknown & _ThreeValued.known(np.array([True, True, False]))
    >>> answer.certain.tolist(), answer.possible.tolist()
    ([False, True, False], [False, True, False])
    """

    certain: np.ndarray
    possible: np.ndarray

    @classmethod
    def known(cls, answer: np.ndarray, where: np.ndarray | None = None) -> _ThreeValued:
        """Return yes and no as given; unknown except where `where` is true."""
        return cls(answer, answer) if where is None else cls(answer & where, answer | ~where)

    def __and__(self, other: _ThreeValued) -> _ThreeValued:
        return _ThreeValued(self.certain & other.certain, self.possible & other.possible)

    def __or__(self, other: _ThreeValued) -> _ThreeValued:
        return _ThreeValued(self.certain | other.certain, self.possible | other.possible)

    def __invert__(self) -> _ThreeValued:
        return _ThreeValued(~self.possible, ~self.certain)


_LOGIC = ("any_of", "all_of", "none_of")
_LISTS = (*_LOGIC, "first_known", "count_known")
_OPERATORS = (*_LISTS, "classes", "rule")


def _check_combination(definition: FeatureDefinition) -> None:
    """Refuse an entry without exactly one operator, or with an operand that cannot be read.

    Parameters
    ----------
    definition : FeatureDefinition
        Of the builder ``combination``, see :func:`nbrelapse.mechanisms.builders.combination.build`.

    Raises
    ------
    InputError
        Naming the entry and what was expected.

    Examples
    --------
    >>> entry = FeatureDefinition("a__b", "a", "B", "", "fish", "binary", "combination", {"any_of": ["a__c", 3]})
    >>> _check_combination(entry)
    Traceback (most recent call last):
    nbrelapse.errors.InputError: ...
    """
    parameters = definition.parameters
    check_parameters(definition, (*_OPERATORS, "inputs"))
    if sum(name in parameters for name in _OPERATORS) != 1:
        raise _illegal_entry(definition, "a combination needs one operator", "one of " + ", ".join(_OPERATORS))
    if "rule" in parameters:
        _check_rule(definition, parameters["rule"], parameters.get("inputs", {}))
    elif "inputs" in parameters:
        raise _illegal_entry(definition, "inputs without a rule", "rule")
    elif "classes" in parameters:
        _check_classes(definition, parameters["classes"])
    else:
        _check_operand(definition, parameters)


def _check_rule(definition: FeatureDefinition, rule: Any, inputs: Any) -> None:
    if not isinstance(rule, str) or not isinstance(inputs, Mapping):
        raise _illegal_entry(definition, "illegal rule or inputs", 'rule = "name", inputs = { input = "feature" }')
    legal = _yes_no_inputs(rule)
    foreign = [name for name, feature in inputs.items() if name not in legal or not _is_name(feature)]
    if foreign:
        problem = f"illegal inputs of the rule {rule}: {', '.join(foreign)}"
        raise _illegal_entry(definition, problem, "a feature's name for any of " + ", ".join(legal))


def _check_classes(definition: FeatureDefinition, classes: Any) -> None:
    listed = isinstance(classes, list) and len(classes) > 1
    if not listed or not all(isinstance(item, Mapping) and _is_class(item) for item in classes):
        raise _illegal_entry(definition, "illegal classes", "[{ value = number, when = operand }, ...], two or more")
    for item in classes[:-1]:
        if "when" not in item:
            raise _illegal_entry(definition, "only the last class may be without a condition", "when")
    for item in classes:
        if "when" in item:
            _check_operand(definition, item["when"])


def _is_class(item: Mapping[str, Any]) -> bool:
    return item.keys() - {"when"} == {"value"} and _is_number(item["value"])


def _check_operand(definition: FeatureDefinition, operand: Any) -> None:
    """Refuse what is neither a name, nor a comparison, nor one operator with a list of operands."""
    if _is_name(operand) or _is_comparison(operand):
        return
    if not isinstance(operand, Mapping) or len(operand) != 1 or not _is_list(operand):
        raise _illegal_entry(
            definition,
            "an operand that cannot be read",
            "a feature's name (mechanism__feature), { feature = name, at_least = number }, or one of "
            + ", ".join(f"{{ {name} = [...] }}" for name in _LISTS),
        )
    for item in next(iter(operand.values())):
        _check_operand(definition, item)


def _is_name(operand: Any) -> bool:
    return isinstance(operand, str) and _FEATURE_NAME.fullmatch(operand) is not None


def _is_comparison(operand: Any) -> bool:
    return (
        isinstance(operand, Mapping)
        and operand.keys() == {"feature", "at_least"}
        and _is_name(operand["feature"])
        and _is_number(operand["at_least"])
    )


def _is_list(operand: Mapping[str, Any]) -> bool:
    operator, items = next(iter(operand.items()))
    return operator in _LISTS and isinstance(items, list) and bool(items)
