"""MLflow's page without its assistant; ``mlflow server --app-name nbrelapse`` serves it.

The assistant sends what is on the page to a language model and runs commands on this machine; MLflow has no setting
that switches it off. Here its addresses do not exist, and what it would show is hidden.
"""

from __future__ import annotations

import os
from pathlib import Path

from mlflow.server import app as _pages
from mlflow.server.fastapi_app import app as app
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from nbrelapse.tracking._process import _SERVED_FOR, _end_with

_HIDDEN = "<style>[data-assistant-ui] { display: none !important; }</style>"


def _index(_: Request) -> Response:
    page = Path(str(_pages.static_folder), "index.html").read_text(encoding="utf-8")
    return HTMLResponse(page.replace("</head>", f"{_HIDDEN}</head>"), headers={"Cache-Control": "no-cache"})


def _absent(_: Request) -> Response:
    return Response(status_code=404)


_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
# First, so that they come before MLflow's own.
app.router.routes[:0] = [
    Route("/", _index),
    Route("/ajax-api/3.0/mlflow/assistant/{rest:path}", _absent, methods=_METHODS),
]

if _SERVED_FOR in os.environ:
    _end_with(os.environ[_SERVED_FOR])
