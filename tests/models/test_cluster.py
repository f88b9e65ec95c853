from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from joblib import delayed

from nbrelapse.errors import InputError
from nbrelapse.models import executing_on, in_processes
from nbrelapse.models.cluster import _arguments, _read

if TYPE_CHECKING:
    from nbrelapse.experiment import ExperimentConfig, ExperimentResult

distributed = pytest.importorskip("distributed", reason="the extra dask is not installed")
pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # Dask's own, of sockets and loops that end with a worker
]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two workers, each a process, of a scheduler in this one."""
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, memory_limit=0, dashboard_address="127.0.0.1:0", silence_logs=50
    ) as started:
        yield started


@pytest.fixture
def few_bytes_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables of a small study are sent as those of a large one are."""
    monkeypatch.setattr("nbrelapse.models._dask._SHARED", 2_000)


@pytest.fixture
def foreign(tmp_path: Path) -> Iterator[Callable[[str], subprocess.Popen[bytes]]]:
    """Start a worker that takes itself for another Python."""
    (tmp_path / "sitecustomize.py").write_text(
        "import platform\nplatform.python_version_tuple = lambda: ('3', '99', '0')\n"
    )
    path = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    started = []

    def start(address: str) -> subprocess.Popen[bytes]:
        program = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-nanny"]
        environment = os.environ | {"PYTHONPATH": path, "TMPDIR": str(tmp_path)}
        started.append(subprocess.Popen([*program, "--no-dashboard"], env=environment, stderr=subprocess.PIPE))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def total(number: int, table: pd.DataFrame) -> tuple[int, int, str]:
    return number, os.getpid(), repr(float(table.to_numpy().sum()))


def fail(table: pd.DataFrame) -> None:
    raise InputError("unknown stage of patient-007", column="stage", rows=[7])


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def frame(columns: int = 40) -> pd.DataFrame:
    return pd.DataFrame(np.random.default_rng(1).normal(size=(1000, columns)))


def test_an_experiment_is_the_same_to_the_last_bit_though_a_worker_is_killed(
    cluster: Any,
    few_bytes_are_many: None,
    settings: Callable[..., ExperimentConfig],
    result: ExperimentResult,
) -> None:
    from nbrelapse.experiment import run_experiment

    killed = []

    def kill_one(stage: str, done: int, total: int) -> None:
        if stage == "nested cross-validation" and done == 4:
            killed.append(next(iter(cluster.workers.values())).pid)
            os.kill(killed[0], signal.SIGKILL)

    with executing_on(f"dask:{cluster.scheduler_address}", 1) as jobs:
        found = run_experiment(settings(), n_jobs=jobs, progress=kill_one)
    assert jobs == 2
    assert len(killed) == 1
    for name in ("metrics", "differences", "spread"):
        for own, other in ((found.cross_validation, result.cross_validation), (found.holdout, result.holdout)):
            pd.testing.assert_frame_equal(getattr(own, name), getattr(other, name), check_exact=True)
    for name, other in result.predictions.items():
        assert found.predictions[name].log_risk.tobytes() == other.log_risk.tobytes()
        assert found.predictions[name].incidence.tobytes() == other.incidence.tobytes()
    for name, stable in result.stability.items():
        pd.testing.assert_frame_equal(found.stability[name].mechanisms, stable.mechanisms, check_exact=True)
        pd.testing.assert_frame_equal(found.stability[name].features, stable.features, check_exact=True)
        pd.testing.assert_frame_equal(found.guards.optimism[name], result.guards.optimism[name], check_exact=True)
    assert found.chosen == result.chosen
    assert found.trials == result.trials


@pytest.mark.parametrize("ordered", [True, False])
def test_a_table_is_sent_once_and_adds_up_alike_in_every_worker(cluster: Any, ordered: bool) -> None:
    table = frame()
    expected = total(0, table)[2]
    with executing_on(f"dask:{cluster.scheduler_address}", 2):
        tasks = [delayed(total)(number, table if number % 2 else table.copy()) for number in range(30)]
        found = list(in_processes(tasks, 2, ordered=ordered))
        found += in_processes([delayed(total)(30, table=table)], 1)
        tables = [key for key in cluster.scheduler.tasks if str(key).startswith("table-")]
    assert (
        [number for number, *_ in found] == list(range(31)) if ordered else len({number for number, *_ in found}) == 31
    )
    assert {text for *_, text in found} == {expected}
    assert len({process for _, process, _ in found} - {os.getpid()}) == 2
    assert len(tables) == 1


def test_what_a_task_raises_comes_back_and_no_log_shows_a_patient(cluster: Any) -> None:
    table = frame(2).rename(index=lambda number: f"patient-{number:03}")
    with executing_on(f"dask:{cluster.scheduler_address}", 2):
        with pytest.raises(InputError, match="unknown stage") as raised:
            list(in_processes([delayed(fail)(table)], 2))
        with distributed.Client(cluster, set_as_default=False) as client:
            logs = [*client.get_worker_logs().values(), client.get_scheduler_logs()]
    assert raised.value.column == "stage"
    assert logs and "patient-" not in str(logs)


def test_a_task_that_ends_its_workers_is_given_up(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster.scheduler, "allowed_failures", 0)
    with executing_on(f"dask:{cluster.scheduler_address}", 2):
        with pytest.raises(InputError, match=r"^a task ended 1 worker\n(.|\n)*memory"):
            list(in_processes([delayed(die)()], 2))
        assert list(in_processes([delayed(abs)(-1)], 2)) == [1]


def test_a_worker_with_another_python_is_refused(
    cluster: Any, foreign: Callable[[str], subprocess.Popen[bytes]]
) -> None:
    address = cluster.scheduler_address
    with executing_on(f"dask:{address}", 2):
        late = foreign(address)
        _, log = late.communicate(timeout=60)  # it ends by itself
        assert "nbrelapse refuses this worker: Python 3.99 there" in log.decode()
        assert set(in_processes([delayed(os.getpid)() for _ in range(9)], 2)) <= {
            w.pid for w in cluster.workers.values()
        }
    foreign(address)
    deadline = time.monotonic() + 60
    while len(cluster.scheduler.workers) < 3 and time.monotonic() < deadline:
        time.sleep(0.1)
    stranger = next(
        place
        for place in cluster.scheduler.workers
        if place not in [w.worker_address for w in cluster.workers.values()]
    )
    with pytest.raises(InputError, match="1 of 4 members") as raised, executing_on(f"dask:{address}", 2):
        pass
    assert raised.value.rows is not None and raised.value.rows[0].startswith(f"{stranger}: Python 3.99 there, 3.")
    assert "requirements.lock" in str(raised.value.fix)


def test_a_scheduler_that_is_away_or_has_no_workers(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nbrelapse.models._dask._ANSWER", 0.5)
    for address in ("tcp://127.0.0.1:1", "127.0.0.1:1", "elsewhere://host:1"):
        with pytest.raises(InputError, match="no scheduler answers"), executing_on(f"dask:{address}", 2):
            pass
    monkeypatch.setattr("nbrelapse.models.cluster._WAIT", 0.5)
    empty = distributed.LocalCluster(n_workers=0, processes=False, dashboard_address="127.0.0.1:0", protocol="tcp")
    with (
        empty,
        pytest.raises(InputError, match="no worker") as raised,
        executing_on(f"dask:{empty.scheduler_address}", 2),
    ):
        pass
    assert "dask worker tcp://" in str(raised.value.fix)


def test_a_file_describes_a_cluster(tmp_path: Path) -> None:
    file = tmp_path / "cluster.toml"
    file.write_text('[cluster]\nclass = "distributed.LocalCluster"\njobs = 1\n[cluster.options]\nprocesses = false\n')
    with executing_on(str(file), 5) as jobs:
        assert jobs == 1
        assert list(in_processes([delayed(abs)(-2)], 1)) == [2]
    assert list(in_processes([delayed(os.getpid)()], 1)) == [os.getpid()]


def test_the_file_of_the_documentation_makes_jobs_of_single_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobqueue = pytest.importorskip("dask_jobqueue")
    page = Path(__file__).parents[2].joinpath("docs", "deploy.md").read_text(encoding="utf-8")
    file = tmp_path / "slurm.toml"
    file.write_text(page.split("```toml\n")[1].split("```")[0])
    section = _read(file)
    with jobqueue.SLURMCluster(**_arguments(jobqueue.SLURMCluster, section.options)) as queue:
        script = queue.job_script()
    assert (section.jobs, section.wait) == (100, 7200)
    assert "--nthreads 1 " in script
    assert "--nworkers 4 " in script
    assert "SPILL=False" in script
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="there is no sbatch"), executing_on(str(file), 2):
        pass


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("[cluster", "not valid TOML"),
        ("", "a required key is missing\n.*\n  column: cluster\n  fix: add it$"),
        (
            '[cluster]\nclass = "a.B"\njobs = 1\nqueue = "long"',
            "unknown key\n.*\n  column: cluster.queue\n  expected: class, jobs",
        ),
        ('[cluster]\nclass = "distributed.LocalCluster"\njobs = 0', "illegal value 0"),
        ('[cluster]\nclass = "os.system; x"\njobs = 1', "illegal value"),
        ('[cluster]\nclass = "distributed.Client"\njobs = 1', "is no cluster of Dask"),
        ('[cluster]\nclass = "distributed.NoCluster"\njobs = 1', "there is no distributed.NoCluster here"),
        ('[cluster]\nclass = "dask_kubernetes.KubeCluster"\njobs = 1', "fix: pip install dask-kubernetes"),
        (
            '[cluster]\nclass = "distributed.LocalCluster"\njobs = 1\n[cluster.options]\nsecurity = 3',
            "cannot be made with these options",
        ),
    ],
)
def test_a_file_of_a_cluster_is_checked(tmp_path: Path, content: str, told: str) -> None:
    file = tmp_path / "cluster.toml"
    file.write_text(content)
    with pytest.raises(InputError, match=told), executing_on(str(file), 2):
        pass


def test_an_executor_that_is_none_and_dask_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    for executor in ("Dask", "dask:", "slurm"):
        with pytest.raises(InputError, match="executor") as raised, executing_on(executor, 2):
            pass
        assert "dask:tcp://host:8786" in str(raised.value.expected)
    monkeypatch.setattr("nbrelapse.models.cluster.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r'pip install "nbrelapse\[dask\]"'), executing_on("dask", 2):
        pass


def test_local_work_imports_nothing_of_dask() -> None:
    code = (
        "import sys; from joblib import delayed; from nbrelapse.models import executing_on, in_processes\n"
        "with executing_on('local', 2) as jobs: print(jobs, *in_processes([delayed(abs)(-3)], 1))\n"
        "assert not {'dask', 'distributed'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("2 3\n", 0), done.stderr
