"""A therapy in words."""

from __future__ import annotations

from nbrelapse.mechanisms import Therapy
from nbrelapse.mechanisms.therapy import Requirement
from nbrelapse.report.therapy_facts import agents_in_words, therapy_facts


def test_all_that_is_known_is_said_in_a_fixed_order() -> None:
    requires = Requirement("TP53 wild type", none_of=("p53__tp53_mutation",))
    therapy = Therapy("agent", "MDM2", "single_arm", "Children.", "1 of 9 responded.", "10.1000/example", requires)
    facts = therapy_facts(therapy)
    assert list(facts) == ["acts on", "evidence", "population", "finding", "requires", "source"]
    assert facts["evidence"].startswith("single arm: phase 2 trial")
    assert facts["requires"] == "TP53 wild type"


def test_agents_of_one_level_keep_their_order() -> None:
    therapies = {
        name: Therapy(name, level=level) for name, level in (("a", "early"), ("b", "approved"), ("c", "early"))
    }
    assert agents_in_words(["c", "a", "b"], therapies) == "b (approved), c (early), a (early)"
    assert agents_in_words([], therapies) == ""
