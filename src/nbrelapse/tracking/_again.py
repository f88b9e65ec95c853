"""Repeat what a store refused only because somebody else wrote to it at the same moment, or lost on the way."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from mlflow import MlflowClient

_Arguments = ParamSpec("_Arguments")
_Value = TypeVar("_Value")

_UNDONE = re.compile(
    r"database (table )?is locked|deadlock detected|could not serialize|UNIQUE constraint failed|duplicate key value"
)
"""What databases say of a transaction of which nothing is left: whatever was asked can be asked again."""

_LOST = re.compile(
    r"terminating connection|server closed the connection|connection (was |is |has been )?(closed|lost|reset)"
    r"|SSL SYSCALL|consuming input failed|the database system is (starting up|shutting down)"
)
"""What is said of a connection that broke: whether the transaction stands nobody knows, so that only what may be done
twice is asked again."""

_PAUSES = (0.5, 3.0)
"""Seconds before a call is repeated, half of it to all of it by chance, so that those who met do not meet again. A
choice; SQLite itself has waited 20 seconds for its lock by then, which MLflow sets."""

_MAKING = ("create_run", "create_logged_model", "create_model_version", "create_registered_model")
"""Calls that would make a second thing if they were repeated after the first was made."""

_REPEATABLE = (
    *("get_run", "search_runs", "search_experiments", "get_experiment_by_name"),
    *("log_batch", "log_inputs", "log_outputs", "set_tag", "set_experiment_tag", "set_logged_model_tags"),
    *("set_terminated", "finalize_logged_model", "set_model_version_tag", "set_registered_model_alias"),
)
"""Calls that leave the same when they are made twice; a metric of the same step and time is one."""


def _persistent(client: MlflowClient) -> MlflowClient:
    """Return a client whose reads and writes are repeated, at most twice, where others were in the way."""
    for name in (*_MAKING, *_REPEATABLE):
        setattr(client, name, _repeated(getattr(client, name), twice=name in _REPEATABLE))
    return client


def _repeated(call: Callable[_Arguments, _Value], *, twice: bool) -> Callable[_Arguments, _Value]:
    """Decorate a call to a store.

    Parameters
    ----------
    call : callable
    twice : bool
        Whether it may be done twice, so that it is repeated after a broken connection too.
    """

    @wraps(call)
    def patient(*arguments: _Arguments.args, **named: _Arguments.kwargs) -> _Value:
        from mlflow.exceptions import MlflowException

        for pause in _PAUSES:
            try:
                return call(*arguments, **named)
            except MlflowException as error:
                said = str(error)
                if not (_UNDONE.search(said) or (twice and _LOST.search(said))):
                    raise
            time.sleep(random.uniform(pause / 2, pause))
        return call(*arguments, **named)

    return patient
