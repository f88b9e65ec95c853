"""Counters in memory that forked workers share, as Prometheus reads them."""

from __future__ import annotations

import mmap
from collections.abc import Mapping

import numpy as np

ENDPOINTS = ("/", "/report", "/score", "/explain", "/schema", "/health", "/metrics", "/openapi.json", "other")
_CLASSES = ("2xx", "4xx", "5xx")
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_SINGLE = ("patients", "unscored", "restarts")


class Metrics:
    """Requests, durations and patients; a row a worker, which alone writes it, so that nothing is locked.

    Parameters
    ----------
    workers : int
        Made before they are forked.

    Examples
    --------
    >>> metrics = Metrics(2)
    >>> metrics.answered("/score", 200, 0.02)
    >>> metrics.count("patients", 3)
    >>> [line for line in metrics.text({}).splitlines() if line.startswith("nbrelapse_patients_total")]
    ['nbrelapse_patients_total 3']
    """

    def __init__(self, workers: int) -> None:
        size = len(ENDPOINTS) * (len(_CLASSES) + len(_SECONDS) + 1) + len(_SINGLE)
        self._memory = mmap.mmap(-1, 8 * size * workers)  # shared with what is forked
        self._all = np.frombuffer(self._memory, dtype=np.float64).reshape(workers, size)
        self._own = self._all[0]

    def of_worker(self, number: int) -> None:
        """Count for one of the workers from now on."""
        self._own = self._all[number]

    def answered(self, path: str, status: int, seconds: float) -> None:
        """Count an answer; a path that is no endpoint is ``other``."""
        place = ENDPOINTS.index(path) if path in ENDPOINTS else len(ENDPOINTS) - 1
        start = place * (len(_CLASSES) + len(_SECONDS) + 1)
        self._own[start + {2: 0, 3: 0, 4: 1}.get(status // 100, 2)] += 1
        start += len(_CLASSES)
        self._own[start + int(np.searchsorted(_SECONDS, seconds))] += seconds <= _SECONDS[-1]
        self._own[start + len(_SECONDS)] += seconds

    def count(self, name: str, number: int = 1, worker: int | None = None) -> None:
        """Count patients, those without a score, or restarts of a worker."""
        row = self._own if worker is None else self._all[worker]
        row[_SINGLE.index(name) - len(_SINGLE)] += number

    def text(self, facts: Mapping[str, str]) -> str:
        """Return all counters in Prometheus' text format; ``facts`` are labels of ``nbrelapse_model_info``."""
        sums = self._all.sum(axis=0)
        by_endpoint = sums[: -len(_SINGLE)].reshape(len(ENDPOINTS), -1)
        labels = ",".join(f'{name}="{_escaped(value)}"' for name, value in facts.items())
        lines = [*_head("nbrelapse_model_info", "gauge", "The model served."), f"nbrelapse_model_info{{{labels}}} 1"]
        lines += _head("nbrelapse_requests_total", "counter", "Answers, by endpoint and status.")
        for endpoint, row in zip(ENDPOINTS, by_endpoint, strict=True):
            for status, number in zip(_CLASSES, row, strict=False):
                lines.append(f'nbrelapse_requests_total{{endpoint="{endpoint}",status="{status}"}} {number:.0f}')
        lines += _head("nbrelapse_request_seconds", "histogram", "Seconds from a request's headers to its answer.")
        for endpoint, row in zip(ENDPOINTS, by_endpoint, strict=True):
            label, total = f'endpoint="{endpoint}"', row[: len(_CLASSES)].sum()
            reached = row[len(_CLASSES) : -1].cumsum()
            for bound, number in zip(_SECONDS, reached, strict=True):
                lines.append(f'nbrelapse_request_seconds_bucket{{{label},le="{bound:g}"}} {number:.0f}')
            lines.append(f'nbrelapse_request_seconds_bucket{{{label},le="+Inf"}} {total:.0f}')
            lines.append(f"nbrelapse_request_seconds_sum{{{label}}} {row[-1]:.6f}")
            lines.append(f"nbrelapse_request_seconds_count{{{label}}} {total:.0f}")
        told = (
            "Patients scored or explained.",
            "Of them, those of whom too little is known.",
            "Workers started again.",
        )
        for name, number, text in zip(_SINGLE, sums[-len(_SINGLE) :], told, strict=True):
            name = "worker_restarts" if name == "restarts" else name
            lines += [*_head(f"nbrelapse_{name}_total", "counter", text), f"nbrelapse_{name}_total {number:.0f}"]
        return "\n".join(lines) + "\n"


def _head(name: str, kind: str, text: str) -> list[str]:
    return [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
