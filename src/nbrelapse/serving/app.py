"""The endpoints: scores, explanations, what the model reads, and a page for one patient."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from fastapi import FastAPI, Request
from fastapi.openapi.utils import get_openapi
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from nbrelapse import __version__
from nbrelapse.errors import InputError, NbRelapseError
from nbrelapse.models import model_title
from nbrelapse.report import ENDPOINTS, page_style
from nbrelapse.scoring import Bundle, PatientRecords, RecordScorer, describe_features
from nbrelapse.serving._batches import Computer
from nbrelapse.serving._guard import Guard
from nbrelapse.serving._metrics import Metrics
from nbrelapse.serving._page import form_fields, read_form
from nbrelapse.serving._payload import (
    ExplainRequest,
    ScoreRequest,
    error_document,
    model_facts,
    parse,
    parse_form,
    schemas,
)
from nbrelapse.serving.limits import Limits

_DESCRIPTION = (
    "Risk of relapse in neuroblastoma by a saved model of nbrelapse. For research, not for treatment decisions. "
    "Patients are given by feature or by the tables of a cohort; null means not assayed. Scores equal those of "
    "`nbrelapse score` to the last bit."
)


class _TooManyError(Exception):
    """More patients than a request may have."""


def make_app(
    bundle: Bundle,
    *,
    limits: Limits | None = None,
    token: str | None = None,
    hosts: Collection[str] | None = ("127.0.0.1", "localhost", "::1"),
    metrics: Metrics | None = None,
) -> FastAPI:
    """Return the web application of a saved model; :func:`serve` runs it.

    Parameters
    ----------
    bundle : Bundle
    limits : Limits, optional
    token : str, optional
        Every request but those for ``/`` and ``/health`` needs it (``Authorization: Bearer``). Without it everybody who
        reaches the port may ask.
    hosts : collection of str or None
        Names of this machine that requests may be for; None: any.
    metrics : Metrics, optional
        Counters that several workers share.

    Returns
    -------
    FastAPI

    Examples
    --------
    >>> uvicorn.run(make_app(load_model("models/quickstart")))  # doctest: +SKIP
    """
    limits, metrics = limits or Limits(), metrics or Metrics(1)
    # Its pages of documentation load scripts from elsewhere, so there are none.
    app = FastAPI(title="nbrelapse", version=__version__, docs_url=None, redoc_url=None, openapi_url=None)
    service = _Service(bundle, limits, metrics, asks_token=token is not None)
    app.add_middleware(Guard, limits=limits, metrics=metrics, token=token, hosts=hosts)
    app.add_exception_handler(HTTPException, _not_found)
    app.add_exception_handler(NbRelapseError, _unprocessable)
    app.add_exception_handler(_TooManyError, _too_many)
    for path, answer in (("/score", service.score), ("/explain", service.explain)):
        kind = path.strip("/").title()
        own = {"Score": "Scores", "Explain": "Explanations"}[kind]
        body = {"required": True, "content": _json(f"{kind}Request")}
        codes = {200: own, **dict.fromkeys((400, 401, 403, 413, 421, 422, 429, 500, 503), "Error")}
        responses: dict[int | str, dict[str, Any]] = {
            code: {"description": _CODES[code], "content": _json(name)} for code, name in codes.items()
        }
        app.add_api_route(
            path,
            answer,
            methods=["POST"],
            openapi_extra={"requestBody": body},
            responses=responses,
            response_class=Response,
            summary=f"{kind} patients",
        )
    for path, get in (
        ("/schema", service.schema),
        ("/health", service.health),
        ("/metrics", service.metrics_text),
        ("/openapi.json", service.openapi),
        ("/", service.page),
    ):
        app.add_api_route(path, get, methods=["GET"], include_in_schema=path in ("/schema", "/health"))
    app.add_api_route("/report", service.report, methods=["POST"], include_in_schema=False)
    service.document = _openapi(app, bundle)
    return app


_CODES = {
    200: "A row a patient",
    400: "The body could not be read to its end",
    401: "No valid token",
    403: "Asked by a page of another site",
    413: "The body is too large, or has too many patients",
    421: "The server is not known by this name",
    422: "A patient cannot be read: the error says what, where, and the nearest right name",
    429: "Too many requests",
    500: "Internal error",
    503: "It took too long",
}


def _json(name: str) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}


def _openapi(app: FastAPI, bundle: Bundle) -> dict[str, Any]:
    document = get_openapi(title=app.title, version=app.version, routes=app.routes, description=_DESCRIPTION)
    document.setdefault("components", {})["schemas"] = schemas(bundle)
    document["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    return document


async def _not_found(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    expected = "POST /score or /explain, GET /schema, /health, /metrics, /openapi.json or /"
    return _answer(error_document(error.detail.lower(), expected=expected), error.status_code, error.headers)


async def _unprocessable(_: Request, error: Exception) -> Response:
    assert isinstance(error, NbRelapseError)
    return _answer(error_document(error), 422)


async def _too_many(_: Request, error: Exception) -> Response:
    return _answer(error_document("too many patients", expected=str(error)), 413)


def _answer(document: Any, status: int = 200, headers: Any = None) -> Response:
    # NaN would be no JSON.
    content = json.dumps(document, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    return Response(content, status, headers, media_type="application/json")


class _Service:
    """The endpoints of one model."""

    def __init__(self, bundle: Bundle, limits: Limits, metrics: Metrics, *, asks_token: bool) -> None:
        self._bundle, self._limits, self._metrics = bundle, limits, metrics
        self._scorer = RecordScorer(bundle)
        self._computer = Computer(self._scorer)
        self._facts = model_facts(bundle)
        self._form = _form(bundle, asks_token)
        self._schema = self._described()
        self.document: dict[str, Any] = {}

    async def score(self, request: Request) -> Response:
        """Risk percentile, log risk and probabilities with their bands, mechanisms, evidence and warnings."""
        asked = parse(await request.body(), ScoreRequest)
        patients = await self._read(asked, self._limits.patients)
        rows = await self._computer.score(patients)
        notes = self._scorer.notes(patients)
        self._count(rows)
        return _answer({"model": self._facts, "patients": rows, "notes": notes})

    async def explain(self, request: Request) -> Response:
        """Contributions of features and mechanisms to the log risk and to the probability."""
        asked = parse(await request.body(), ExplainRequest)
        assert isinstance(asked, ExplainRequest)
        patients = await self._read(asked, self._limits.explained)
        rows = await self._computer.run(lambda: self._scorer.explain(patients, asked.horizon_years))
        self._count([row["scores"] for row in rows])
        return _answer({"model": self._facts, "patients": rows, "notes": self._scorer.notes(patients)})

    async def _read(self, asked: ScoreRequest, most: int) -> PatientRecords:
        if asked.count > most:
            raise _TooManyError(f"at most {most} in a request")
        if asked.tables is None:
            return asked.read(self._scorer)
        return await self._computer.run(lambda: asked.read(self._scorer))

    def _count(self, rows: list[dict[str, Any]]) -> None:
        self._metrics.count("patients", len(rows))
        self._metrics.count("unscored", sum(row["log_risk"] is None for row in rows))

    async def schema(self) -> Response:
        """Return what the model reads, and the columns of a score."""
        return _answer(self._schema)

    def _described(self) -> dict[str, Any]:
        bundle, training = self._bundle, self._bundle.training
        return {
            "model": self._facts,
            "landmark_days": bundle.landmark_days,
            "followed_days": bundle.followed_days,
            "training": {"patients": training.patients, "events": training.events, "simulated": training.of_simulated},
            "mechanisms": {name: bundle.catalogue.mechanisms[name].title for name in bundle.mechanisms},
            "features": describe_features(bundle),
            "scores": ["patient_id", *bundle.score_columns],
        }

    async def health(self) -> Response:
        """Say that the server answers."""
        return _answer({"status": "ok"})

    async def metrics_text(self) -> Response:
        """Return counters in Prometheus' text format."""
        text = self._metrics.text(self._facts)
        return PlainTextResponse(text, media_type="text/plain; version=0.0.4")

    async def openapi(self) -> Response:
        """Return the description of all this as OpenAPI."""
        return _answer(self.document)

    async def page(self) -> Response:
        """Return a form for one patient."""
        return HTMLResponse(self._form)

    async def report(self, request: Request) -> Response:
        """Return the page of the patient who was typed or pasted into the form."""
        try:
            asked = read_form(parse_form(await request.body()), self._bundle)
            patients = await self._read(asked, 1)
            text = await self._computer.run(lambda: self._scorer.page(patients))
        except InputError as error:
            return HTMLResponse(_refusal(error), 422)
        except _TooManyError:
            return HTMLResponse(_refusal(InputError("the page is of one patient", fix="paste one")), 413)
        self._metrics.count("patients")
        return HTMLResponse(text)


def _environment() -> Environment:
    loader = PackageLoader("nbrelapse.serving")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


def _form(bundle: Bundle, asks_token: bool) -> str:
    facts = model_facts(bundle)
    return (
        _environment()
        .get_template("form.html")
        .render(
            style=Markup(page_style()),
            title=f"{model_title(bundle.model.family)}, {ENDPOINTS.get(bundle.endpoint, bundle.endpoint)}",
            facts=facts,
            groups=form_fields(bundle),
            asks_token=asks_token,
            simulated=bundle.training.of_simulated,
            version=__version__,
        )
    )


def _refusal(error: InputError) -> str:
    document = error_document(error)["error"]
    return _environment().get_template("refused.html").render(style=Markup(page_style()), error=document)
