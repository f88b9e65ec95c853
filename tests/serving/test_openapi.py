"""The service keeps to its own description, whatever it is asked."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from nbrelapse.scoring import Bundle
from nbrelapse.serving import Limits, make_app

EXAMPLES = 25
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.mark.parametrize("path", ["/score", "/explain", "/schema", "/health"])
def test_answers_conform(bundles: dict[str, Bundle], path: str) -> None:
    app = make_app(bundles["boosted"], limits=Limits(rate=0, patients=50), hosts=None)
    schema = schemathesis.openapi.from_asgi("/openapi.json", app)
    operation = schema[path]["POST" if path in ("/score", "/explain") else "GET"]
    codes = set()

    @settings(
        max_examples=EXAMPLES if path == "/score" else 15,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def ask(case: Any) -> None:
        answer = case.call_and_validate(checks=CHECKS)
        codes.add(answer.status_code)

    ask()
    assert 200 in codes
    assert codes <= {200, 422, 413}
