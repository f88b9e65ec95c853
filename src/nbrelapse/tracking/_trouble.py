"""Say in a user's words why a store, or the server that keeps it, does not do what was asked."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from nbrelapse.errors import InputError

if TYPE_CHECKING:
    from mlflow.exceptions import MlflowException

_ADDRESS = "check MLFLOW_TRACKING_URI"
_LATER = "try again later, or ask who runs it"


class _Reason(NamedTuple):
    problem: str
    fix: str


def _shown(text: str) -> str:
    """Hide the passwords of the addresses in a text, and a name without one before a web server: it may be a token.

    Examples
    --------
    >>> _shown("postgresql://anna:secret@db.example.org/mlflow")
    'postgresql://anna:***@db.example.org/mlflow'
    >>> _shown("postgresql://anna:se/cr@t@db.example.org/mlflow?password=secret&sslmode=require")
    'postgresql://anna:***@db.example.org/mlflow?password=***&sslmode=require'
    """
    text = re.sub(r"(https?://)[^:/@\s]*@", r"\1***@", text)
    text = re.sub(r"(://[^:/@\s]*:)[^\s'\"]*@", r"\1***@", text)
    return re.sub(r"([?&](?:ssl)?password=)[^&\s'\"]*", r"\1***", text)


@contextmanager
def _told(uri: str, doing: str = "MLflow's store does not do what was asked") -> Iterator[None]:
    """Turn whatever MLflow, its database, its server or its files refuse into one InputError.

    Parameters
    ----------
    uri : str
        Of the store.
    doing : str
        What did not work, as a sentence without a final stop.
    """
    try:
        yield
    except Exception as error:
        reason = _reason(error)
        if reason is None and isinstance(error, OSError):
            fix = "make room, or ask for the right to write there"
            raise InputError(f"{doing}: {error.strerror or error}", file=error.filename, fix=fix) from None
        if reason is None:
            raise
        raise InputError(f"{doing}: {_shown(reason.problem)}", file=_shown(uri), fix=reason.fix) from None


def _reason(error: Exception) -> _Reason | None:
    """Return what is wrong, and what the user can do; None of what neither MLflow nor a driver has raised."""
    if isinstance(error, InputError):
        return None
    from mlflow.exceptions import MlflowException

    for one in _causes(error) if isinstance(error, MlflowException) else (error,):
        reason = _of_driver(one) or _of_database(one) or _of_transport(one)
        if reason is not None:
            return reason
    return _of_server(error) if isinstance(error, MlflowException) else None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and those that it was raised from."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), "") or type(error).__name__


_POSTGRES, _S3 = (f'pip install "nbrelapse[{extra}]"' for extra in ("postgres", "s3"))
_DRIVERS = {"psycopg": _POSTGRES, "psycopg2": _POSTGRES, "boto3": _S3, "botocore": _S3}
_DRIVERS |= dict.fromkeys(("MySQLdb", "pymysql", "pyodbc"), f"install it, or {_ADDRESS}")
"""What opens databases and object stores, and how to get it."""


def _of_driver(error: BaseException) -> _Reason | None:
    missing = (error.name or "").split(".")[0] if isinstance(error, ImportError) else ""
    return _Reason(f"the driver {missing} is not installed", _DRIVERS[missing]) if missing in _DRIVERS else None


_DATABASE = (
    (
        r"readonly database|read-only transaction|permission denied",
        "it can be read but not written to",
        "ask for the right to write to it and its folder, or name another store in MLFLOW_TRACKING_URI",
    ),
    (r"unable to open database file", "its file cannot be opened", "ask for the right to read it, or " + _ADDRESS),
    (r"file is not a database|malformed", "the file is no SQLite database", _ADDRESS),
    (r"disk is full|disk full|No space left", "the disk is full", "make room on the disk of the store"),
    (
        r"database is locked",
        "another program has been writing to it for long",
        "try again; several people at once want a server, see docs/deploy.md",
    ),
    (
        r"password authentication failed|no password supplied|role .* does not exist",
        "the database does not take this user and password",
        _ADDRESS,
    ),
    (r"database .* does not exist", "the server of the database has none of this name", _ADDRESS),
    (
        r"onnection refused|onnection failed|timeout expired|could not (connect|translate)|resolve host|No such file",
        "the database does not answer",
        _ADDRESS + ", and that its server is running",
    ),
)
"""What SQLite and PostgreSQL say, what it means, and what to do."""


def _of_database(error: BaseException) -> _Reason | None:
    from sqlalchemy.exc import SQLAlchemyError

    if not isinstance(error, SQLAlchemyError):
        return None
    text = str(error)
    for pattern, problem, fix in _DATABASE:
        if re.search(pattern, text):
            return _Reason(problem, fix)
    return _Reason(_first_line(error), _ADDRESS)


def _of_transport(error: BaseException) -> _Reason | None:
    """Return what is wrong between here and a server, or with one of object storage."""
    from requests import exceptions

    if type(error).__module__.split(".")[0] in ("boto3", "botocore"):
        return _Reason(f"S3 refuses: {_first_line(error)}", "check the credentials and MLFLOW_S3_ENDPOINT_URL")
    if isinstance(error, exceptions.SSLError):
        return _Reason("its certificate is not trusted", "name that of its issuer in MLFLOW_TRACKING_SERVER_CERT_PATH")
    if isinstance(error, exceptions.ConnectionError | exceptions.Timeout):
        return _Reason("the server does not answer", f"{_ADDRESS}, and that the server is running")
    if isinstance(error, exceptions.HTTPError) and error.response is not None:
        return _of_status(error.response.status_code, _first_line(error))
    if isinstance(error, exceptions.RequestException):
        return _Reason(f"the server is in trouble: {_first_line(error)[:200]}", _LATER)
    return None


def _of_server(error: MlflowException) -> _Reason:
    text = _first_line(error)
    if error.error_code in ("ENDPOINT_NOT_FOUND", "NOT_FOUND") or "not in a valid JSON format" in text:
        return _Reason("there is a server, but it is not MLflow's", _ADDRESS)
    return _of_status(error.get_http_status_code(), text)


def _of_status(status: int, text: str) -> _Reason:
    """Return what a server's answer means, by its HTTP status."""
    user = os.environ.get("MLFLOW_TRACKING_USERNAME")
    if status == 401:
        problem = f"the server does not know {user!r} with this password" if user else "the server asks who you are"
        return _Reason(problem, "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD")
    if status == 403:
        return _Reason(
            f"{f'the user {user!r}' if user else 'you'} may not do this on the server",
            "ask who runs it for the right: READ to compare and score, EDIT or MANAGE to train",
        )
    return _Reason(text[:300], _ADDRESS)


def _is_refused(error: Exception) -> bool:
    """Whether an error says nothing of what was asked for: the server is away, or does not let the user in."""
    from mlflow.exceptions import MlflowException

    status = error.get_http_status_code() if isinstance(error, MlflowException) else None
    return status in (401, 403) or any(_of_transport(one) is not None for one in _causes(error))
