"""Where the model is asked: what is quick at once and together, what is slow in a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from nbrelapse.scoring import PatientRecords, RecordScorer

_Found = TypeVar("_Found")

_Asked = tuple[PatientRecords, asyncio.Future[list[dict[str, Any]]]]

_QUICK = 64
"""Patients that are scored without a thread, in some milliseconds: to wake a thread may take as long. A choice."""


class Computer:
    """Ask the model for one request at a time, the slow ones in a thread, so that the server goes on answering.

    Parameters
    ----------
    scorer : RecordScorer
    """

    def __init__(self, scorer: RecordScorer) -> None:
        self._scorer = scorer
        self._thread: ThreadPoolExecutor | None = None
        self._last: Future[Any] | None = None
        self._waiting: list[_Asked] = []
        self._running: asyncio.Task[None] | None = None

    async def run(self, job: Callable[[], _Found]) -> _Found:
        """Return what a function returns that is called in the thread."""
        if self._thread is None:  # not before workers are forked
            self._thread = ThreadPoolExecutor(1, "compute")
        self._last = started = self._thread.submit(job)
        return await asyncio.wrap_future(started)

    async def score(self, patients: PatientRecords) -> list[dict[str, Any]]:
        """Score patients; those given by feature together with others that wait, which changes no digit."""
        if patients.X is None:
            return await self.run(lambda: self._scorer.score(patients))
        answer: asyncio.Future[list[dict[str, Any]]] = asyncio.get_running_loop().create_future()
        self._waiting.append((patients, answer))
        if self._running is None:
            self._running = asyncio.create_task(self._empty())
        return await answer

    async def _empty(self) -> None:
        try:
            while self._waiting:
                taken: list[_Asked] = []
                count = 0
                while self._waiting and (not taken or count + len(self._waiting[0][0]) <= _QUICK):
                    taken.append(self._waiting.pop(0))
                    count += len(taken[-1][0])
                await self._answer([one for one in taken if not one[1].done()])
        finally:
            self._running = None

    async def _answer(self, taken: list[_Asked]) -> None:
        if not taken:
            return
        joined = self._scorer.join([patients for patients, _ in taken])
        try:
            if len(joined) <= _QUICK and (self._last is None or self._last.done()):
                rows = self._scorer.score(joined)
            else:
                rows = await self.run(lambda: self._scorer.score(joined))
        except Exception as error:
            for _, answer in taken:
                if not answer.done():
                    answer.set_exception(error)
            return
        start = 0
        for patients, answer in taken:
            if not answer.done():
                answer.set_result(rows[start : start + len(patients)])
            start += len(patients)
