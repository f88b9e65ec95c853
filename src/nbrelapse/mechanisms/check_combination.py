"""What a catalogue entry that combines other features may say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nbrelapse.mechanisms.catalogue import FeatureDefinition
from nbrelapse.mechanisms.catalogue_rules import FEATURE_NAME, is_number
from nbrelapse.mechanisms.check_parameters import check_parameters
from nbrelapse.mechanisms.illegal_entry import illegal_entry
from nbrelapse.mechanisms.risk_rules import yes_no_inputs

LOGIC = ("any_of", "all_of", "none_of")
LISTS = (*LOGIC, "first_known", "count_known")
OPERATORS = (*LISTS, "classes", "rule")


def check_combination(definition: FeatureDefinition) -> None:
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
    >>> check_combination(entry)
    Traceback (most recent call last):
    nbrelapse.errors.InputError: ...
    """
    parameters = definition.parameters
    check_parameters(definition, (*OPERATORS, "inputs"))
    if sum(name in parameters for name in OPERATORS) != 1:
        raise illegal_entry(definition, "a combination needs one operator", "one of " + ", ".join(OPERATORS))
    if "rule" in parameters:
        _check_rule(definition, parameters["rule"], parameters.get("inputs", {}))
    elif "inputs" in parameters:
        raise illegal_entry(definition, "inputs without a rule", "rule")
    elif "classes" in parameters:
        _check_classes(definition, parameters["classes"])
    else:
        _check_operand(definition, parameters)


def _check_rule(definition: FeatureDefinition, rule: Any, inputs: Any) -> None:
    if not isinstance(rule, str) or not isinstance(inputs, Mapping):
        raise illegal_entry(definition, "illegal rule or inputs", 'rule = "name", inputs = { input = "feature" }')
    legal = yes_no_inputs(rule)
    foreign = [name for name, feature in inputs.items() if name not in legal or not _is_name(feature)]
    if foreign:
        problem = f"illegal inputs of the rule {rule}: {', '.join(foreign)}"
        raise illegal_entry(definition, problem, "a feature's name for any of " + ", ".join(legal))


def _check_classes(definition: FeatureDefinition, classes: Any) -> None:
    listed = isinstance(classes, list) and len(classes) > 1
    if not listed or not all(isinstance(item, Mapping) and _is_class(item) for item in classes):
        raise illegal_entry(definition, "illegal classes", "[{ value = number, when = operand }, ...], two or more")
    for item in classes[:-1]:
        if "when" not in item:
            raise illegal_entry(definition, "only the last class may be without a condition", "when")
    for item in classes:
        if "when" in item:
            _check_operand(definition, item["when"])


def _is_class(item: Mapping[str, Any]) -> bool:
    return item.keys() - {"when"} == {"value"} and is_number(item["value"])


def _check_operand(definition: FeatureDefinition, operand: Any) -> None:
    """Refuse what is neither a name, nor a comparison, nor one operator with a list of operands."""
    if _is_name(operand) or _is_comparison(operand):
        return
    if not isinstance(operand, Mapping) or len(operand) != 1 or not _is_list(operand):
        raise illegal_entry(
            definition,
            "an operand that cannot be read",
            "a feature's name (mechanism__feature), { feature = name, at_least = number }, or one of "
            + ", ".join(f"{{ {name} = [...] }}" for name in LISTS),
        )
    for item in next(iter(operand.values())):
        _check_operand(definition, item)


def _is_name(operand: Any) -> bool:
    return isinstance(operand, str) and FEATURE_NAME.fullmatch(operand) is not None


def _is_comparison(operand: Any) -> bool:
    return (
        isinstance(operand, Mapping)
        and operand.keys() == {"feature", "at_least"}
        and _is_name(operand["feature"])
        and is_number(operand["at_least"])
    )


def _is_list(operand: Mapping[str, Any]) -> bool:
    operator, items = next(iter(operand.items()))
    return operator in LISTS and isinstance(items, list) and bool(items)
