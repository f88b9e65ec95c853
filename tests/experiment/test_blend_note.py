from __future__ import annotations

from nbrelapse.experiment.blend_note import blend_note
from nbrelapse.models.cox import CoxElasticNet


def test_models_that_are_no_blend_are_passed_over():
    assert blend_note({"cox": CoxElasticNet()}) == []
