"""A training that is killed again and again, at random moments, against one that nobody disturbs.

Each start of ``nbrelapse train`` (simulated patients, two jobs, trials recorded) is killed with SIGKILL after a random
share of the time that it would take, while it computes, fits or writes to MLflow, and the next one goes on. One that
ends before its kill begins the next round, with an empty cache. After each kill all that was there is looked for again.
At the end stand, and must be 0: stores that SQLite finds damaged, entries of the cache that are lost or cannot be
read, runs left RUNNING, processes that outlived their parent, trainings that ended otherwise than by the kill, and
finished trainings whose tables are not those of the undisturbed one (all of MLflow's tables but names and times).

    python benchmarks/kills.py [KILLS] [SEED]
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

EXPERIMENT = """
name = "killed"
seed = 3
refits = 20
models = ["cox", "boosted"]
[cohort]
path = "cohort"
[validation]
folds = 3
repeats = 1
inner_folds = 2
trials = 6
bootstrap = 100
"""
PATIENTS = 90
CODE = "from nbrelapse.cli import main; main()"
COMMAND = [sys.executable, "-c", CODE, "train", "killed.toml", "--jobs", "2", "--log-trials"]
GRACE = 3.0
"""Seconds in which the workers of a killed process must have ended."""

COUNTS = (
    "corrupt stores",
    "entries of the cache lost",
    "runs left RUNNING",
    "processes left",
    "failed starts",
    "tables that differ",
)


def start(folder: Path) -> subprocess.Popen[bytes]:
    """Start a training in a session of its own."""
    log = (folder / "log.txt").open("ab")
    with log:
        return subprocess.Popen(COMMAND, cwd=folder, stdout=log, stderr=log, start_new_session=True)


def left_of(session: int) -> list[int]:
    """Return the processes of a session that run."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, own = stat.read_text().rpartition(")")[2].split()[:4]
        except (OSError, ValueError):
            continue
        if int(own) == session and state != "Z":
            found.append(int(stat.parent.name))
    return found


def outlived(session: int) -> int:
    """How many processes of a killed training are there after a grace; they are killed."""
    deadline = time.monotonic() + GRACE
    while left_of(session) and time.monotonic() < deadline:
        time.sleep(0.1)
    left = left_of(session)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    return len(left)


def store_of(folder: Path) -> Path:
    """Return the database of a folder."""
    return folder / "mlruns" / "mlflow.db"


def is_corrupt(folder: Path) -> bool:
    """Whether SQLite finds the store damaged; one that is not there yet is not."""
    if not store_of(folder).exists():
        return False
    with sqlite3.connect(store_of(folder)) as database:
        return database.execute("pragma integrity_check").fetchall() != [("ok",)]


def query(folder: Path, text: str) -> list[tuple[str, ...]]:
    """Ask the store; nothing where it has no tables yet."""
    try:
        with sqlite3.connect(store_of(folder)) as database:
            return database.execute(text).fetchall()
    except sqlite3.OperationalError:
        return []


def entries(folder: Path) -> set[str]:
    """Entries of the cache that can be read; a trial by its fold, which holds it when it is over."""
    cache = folder / ".nbrelapse-cache"
    found = {file.stem for file in cache.glob("*/*.npz") if can_be_read(file)}
    return found | {f"{file.parent.stem}/{file.stem}" for file in cache.glob("*/*.trials/*.json") if can_be_read(file)}


def can_be_read(file: Path) -> bool:
    """Whether an entry is whole."""
    try:
        if file.suffix == ".npz":
            with zipfile.ZipFile(file) as archive:
                return archive.testzip() is None
        seal, text, rest = file.read_text().split("\n")
        return bool(json.loads(text)) and len(seal) == 64 and not rest
    except (OSError, ValueError, zipfile.BadZipFile):
        return False


def lost(before: set[str], after: set[str]) -> int:
    """Count entries that are gone; trials whose fold is there are not."""
    return sum(entry not in after and entry.split("/")[0] not in after for entry in before)


def tables(folder: Path) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the tables of the last finished training by model and name; salted names of patients are left out."""
    parents = query(
        folder,
        "select r.run_uuid from runs r join tags t on t.run_uuid = r.run_uuid where t.key = 'nbrelapse.kind' and "
        "t.value = 'experiment' and r.status = 'FINISHED' order by r.end_time desc limit 1",
    )
    runs = query(
        folder,
        "select r.name, r.artifact_uri from runs r left join tags t on t.run_uuid = r.run_uuid and "
        f"t.key = 'mlflow.parentRunId' where '{parents[0][0]}' in (r.run_uuid, t.value)",
    )
    for name, place in sorted(runs):
        for file in sorted(Path(place.removeprefix("file://")).glob("tables/*.parquet")):
            table = pd.read_parquet(file)
            yield f"{name}/{file.stem}", table.reset_index(drop=table.index.name == "patient")


def bundles(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield what the saved models of the last finished training are made of, by model and file."""
    query_text = (
        "select m.name, m.artifact_location from logged_models m join runs r on r.run_uuid = m.source_run_id "
        "where r.status = 'FINISHED' order by m.creation_timestamp_ms"
    )
    found = dict(query(folder, query_text))
    for name, place in sorted(found.items()):
        for file in ("model.json", "model.ubj", "references.json", "baseline.json", "refits.zip"):
            path = Path(place.removeprefix("file://")) / "data" / file
            if path.exists():
                yield f"{name}/{file}", path.read_bytes()


def differing(one: Path, other: Path) -> int:
    """Count the tables and files of models that are not the same to the last bit."""
    first, second = dict(tables(one)), dict(tables(other))
    unlike = set(first) ^ set(second)
    unlike |= {name for name in set(first) & set(second) if not first[name].equals(second[name])}
    models, others = dict(bundles(one)), dict(bundles(other))
    unlike |= {name for name in models.keys() | others.keys() if models.get(name) != others.get(name)}
    for name in sorted(unlike):
        print(f"  differs: {name}")
    return len(unlike)


def prepare(folder: Path) -> None:
    """Write the cohort and the experiment file."""
    from nbrelapse.cohort import write_cohort
    from nbrelapse.simulation import simulate_cohort

    folder.mkdir()
    write_cohort(simulate_cohort(PATIENTS, seed=5), folder / "cohort")
    (folder / "killed.toml").write_text(EXPERIMENT)


def run(folder: Path, kills: int, seed: int) -> Counter[str]:
    """Train undisturbed in one folder and killed in another; return what was counted."""
    undisturbed, disturbed = folder / "undisturbed", folder / "disturbed"
    prepare(undisturbed)
    shutil.copytree(undisturbed, disturbed)
    generator = random.Random(seed)
    begun = time.monotonic()
    if start(undisturbed).wait():
        raise SystemExit((undisturbed / "log.txt").read_text())
    whole = time.monotonic() - begun
    count: Counter[str] = Counter(dict.fromkeys(COUNTS, 0))
    done = finished = 0
    before: set[str] = set()
    while done < kills:
        training = start(disturbed)
        try:
            code = training.wait(generator.uniform(0.05, 1.0) * whole)
        except subprocess.TimeoutExpired:
            training.kill()
            training.wait()
            done += 1
            count["processes left"] += outlived(training.pid)
            count["corrupt stores"] += is_corrupt(disturbed)
            after = entries(disturbed)
            count["entries of the cache lost"] += lost(before, after)
            before = after
        else:
            count["failed starts"] += code != 0
            finished += 1
            count["tables that differ"] += differing(undisturbed, disturbed)
            shutil.rmtree(disturbed / ".nbrelapse-cache")  # the next round starts from nothing
            before = set()
    count["failed starts"] += start(disturbed).wait() != 0
    count["corrupt stores"] += is_corrupt(disturbed)
    count["entries of the cache lost"] += lost(before, entries(disturbed))
    count["tables that differ"] += differing(undisturbed, disturbed)
    status = Counter(row[0] for row in query(disturbed, "select status from runs"))
    count["runs left RUNNING"] = status["RUNNING"]
    print(f"{done} kills, a training took {whole:.1f} s undisturbed; {finished + 1} trainings came to their end")
    print(f"runs: {', '.join(f'{number} {name}' for name, number in sorted(status.items()))}")
    return count


def main() -> None:
    """Kill, count, print; exit 1 where a count is not 0."""
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    with tempfile.TemporaryDirectory() as folder:
        found = run(Path(folder), kills, seed)
    for name, number in found.items():
        print(f"{name:<28}{number:>5}")
    sys.exit(1 if any(found.values()) else 0)


if __name__ == "__main__":
    main()
