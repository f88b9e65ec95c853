"""A client of the application in this process, and patients as JSON."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import httpx
import pandas as pd
import pytest

from nbrelapse.cohort import MATRICES, TABLES, Cohort
from nbrelapse.scoring import Bundle
from nbrelapse.serving import make_app


class Connection:
    """A client of an application that keeps one event loop, without a port."""

    def __init__(self, app: Any) -> None:
        self._runner = asyncio.Runner()
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        self._client = httpx.AsyncClient(transport=transport, base_url="http://localhost")

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        return self._runner.run(self._client.request(method, path, **more))

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.request("GET", path, **more)

    def post(self, path: str, **more: Any) -> httpx.Response:
        return self.request("POST", path, **more)

    def close(self) -> None:
        self._runner.run(self._client.aclose())
        self._runner.close()


@pytest.fixture
def client(bundles: dict[str, Bundle]) -> Iterator[Callable[..., Connection]]:
    """A client of an application: ``client("boosted", token="…")``; of the linear model by default."""
    with ExitStack() as opened:

        def connect(family: str = "cox", **settings: Any) -> Connection:
            return opened.enter_context(closing(Connection(make_app(bundles[family], **settings))))

        yield connect


def as_features(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Patients by feature, null where a value is missing."""
    rows = table.astype(object).where(table.notna(), None)
    return [
        {"patient_id": str(number), "features": row}
        for number, row in zip(table.index, rows.to_dict("records"), strict=True)
    ]


def as_tables(cohort: Cohort) -> dict[str, Any]:
    """The tables of a cohort as JSON data, to the last digit."""
    found: dict[str, Any] = {}
    for name in (*TABLES, *MATRICES):
        table = getattr(cohort, name)
        if table is not None:
            table = table.rename_axis("Hugo_Symbol").reset_index() if name in MATRICES else table
            found[name] = table.astype(object).where(table.notna(), None).to_dict("records")
    return dict(json.loads(json.dumps(found, default=lambda value: value.item())))


@pytest.fixture(scope="session")
def by_feature() -> Callable[[pd.DataFrame], list[dict[str, Any]]]:
    return as_features


@pytest.fixture(scope="session")
def by_table() -> Callable[[Cohort], dict[str, Any]]:
    return as_tables


@pytest.fixture
def patient(training: Any) -> dict[str, Any]:
    """A patient of whom everything is known."""
    return as_features(training[0].dropna().iloc[:1])[0]
