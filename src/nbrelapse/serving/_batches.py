"""One thread that computes, and requests that are computed together where they wait for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from nbrelapse.scoring import PatientRecords, RecordScorer

_Found = TypeVar("_Found")

_Asked = tuple[PatientRecords, asyncio.Future[list[dict[str, Any]]]]

_TOGETHER = 500
"""Patients scored in one go at most. A choice: a tenth of a second."""


class Computer:
    """Compute in one thread, so that the server goes on answering: models are asked by one request at a time.

    Parameters
    ----------
    scorer : RecordScorer
    """

    def __init__(self, scorer: RecordScorer) -> None:
        self._scorer = scorer
        self._thread: ThreadPoolExecutor | None = None
        self._waiting: list[_Asked] = []
        self._running: asyncio.Task[None] | None = None

    async def run(self, job: Callable[[], _Found]) -> _Found:
        """Return what a function returns."""
        if self._thread is None:  # not before workers are forked
            self._thread = ThreadPoolExecutor(1, "compute")
        return await asyncio.get_running_loop().run_in_executor(self._thread, job)

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
                while self._waiting and (not taken or count + len(self._waiting[0][0]) <= _TOGETHER):
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
