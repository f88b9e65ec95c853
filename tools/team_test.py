"""Build a team's server from nothing, as docs/deploy.md says, and let two people train at once.

Runs the blocks of that page: PostgreSQL in a temporary folder, MLflow's server with users, its files once in a folder
and once in object storage (moto). No process outlives it. Says why where it cannot run, with exit code 0.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
RECIPE = dict(re.findall(r"^```sh (\w+)\n(.*?)^```", PAGE, flags=re.M | re.S))
HOST = "127.0.0.1"
EXPERIMENT = """
name = "{name}"
seed = 3
models = ["cox"]
refits = 20
[cohort]
path = "cohort"
[split]
train = ["discovery"]
validation = ["validation"]
[validation]
folds = 3
repeats = 1
inner_folds = 2
trials = 1
bootstrap = 100
"""


class BrokenPromiseError(Exception):
    """What the recipe promises does not hold."""


@dataclass(frozen=True)
class Server:
    """A tracking server of the team."""

    uri: str
    passwords: dict[str, str]

    def environment(self, user: str) -> dict[str, str]:
        """Return the environment of a user's commands."""
        own = {"MLFLOW_TRACKING_USERNAME": user, "MLFLOW_TRACKING_PASSWORD": self.passwords[user]}
        return clean_environment() | {"MLFLOW_TRACKING_URI": self.uri} | own


def clean_environment() -> dict[str, str]:
    """Return the environment without settings of MLflow and S3, with this Python's commands first."""
    kept = {name: value for name, value in os.environ.items() if not re.match("MLFLOW_|_MLFLOW|AWS_|PG", name)}
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', os.defpath)}"
    return kept | {"PATH": path, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}


def missing() -> str | None:
    """Return why the test cannot run here; None where it can."""
    if not Path("/bin/sh").exists() or sys.platform == "win32":
        return "it needs a POSIX shell"
    for module, package in (("flask_wtf", "mlflow[auth]"), ("moto", "moto[s3]"), ("psycopg", "nbrelapse[postgres]")):
        if find_spec(module) is None:
            return f'{module} is not installed: pip install "{package}"'
    if programs() is None:
        install_postgres()
    if programs() is None:
        return "PostgreSQL is not installed, and only root can install it with apt-get"
    return None


def programs() -> Path | None:
    """Return the folder of PostgreSQL's programs; Debian does not put them into the path."""
    known = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    found = shutil.which("initdb")
    return known[-1].parent if known else (Path(found).resolve().parent if found else None)


def install_postgres() -> None:
    """Install Debian's package, without the database server that it would start."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return
    apt = ["apt-get", "install", "-y", "-qq", "--no-install-recommends"]
    settings = Path("/etc/postgresql-common/createcluster.conf")
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    with suppress(OSError, subprocess.CalledProcessError):
        for command in (["apt-get", "update", "-qq"], [*apt, "postgresql-common"]):
            subprocess.run(command, env=environment, check=True, capture_output=True)
        before = settings.read_text(encoding="utf-8")
        settings.write_text(f"{before}\ncreate_main_cluster = false\n", encoding="utf-8")
        try:
            subprocess.run([*apt, "postgresql"], env=environment, check=True, capture_output=True)
        finally:
            settings.write_text(before, encoding="utf-8")


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def start(
    stack: ExitStack, command: list[str], log: Path, *, end: signal.Signals = signal.SIGTERM, **options: Any
) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own, which ends with the stack, all that it has started with it."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True, **options)
    stack.callback(_stop, process, end)
    return process


def _stop(process: subprocess.Popen[bytes], end: signal.Signals) -> None:
    for number, patience in ((end, 10.0), (signal.SIGKILL, 5.0)):
        deadline = time.monotonic() + patience
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        while time.monotonic() < deadline and (process.poll() is None or _lives(process.pid)):
            time.sleep(0.05)


def _lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def wait_for(what: str, ready: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until something answers; what it has said is shown where it does not."""
    deadline = time.monotonic() + 60
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            raise BrokenPromiseError(f"{what} does not start:\n{log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.1)


def answers(port: int) -> bool:
    """Whether somebody listens on a port."""
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def as_nobody_special() -> tuple[dict[str, int], str]:
    """Return the user for PostgreSQL, which refuses root: options for a process, and the name."""
    import pwd

    if os.geteuid() != 0:
        return {}, pwd.getpwuid(os.geteuid()).pw_name
    found = pwd.getpwnam("postgres")
    return {"user": found.pw_uid, "group": found.pw_gid}, found.pw_name


def start_database(stack: ExitStack, folder: Path) -> tuple[int, str]:
    """Start PostgreSQL on a free port, run the page's block against it; the port and the password of ``mlflow``."""
    found = programs()
    assert found is not None
    options, name = as_nobody_special()
    home, port, password = folder / "postgres", free_port(), secrets.token_hex(16)
    home.mkdir(mode=0o700)
    if options:
        os.chown(home, options["user"], options["group"])
    data = ["--pgdata", str(home / "data"), "--auth-local=peer", "--auth-host=scram-sha-256"]
    run([str(found / "initdb"), *data, f"--username={name}", "--no-sync"], clean_environment(), cwd=home, **options)
    command = [str(found / "postgres"), "-D", str(home / "data"), "-k", str(home), "-h", HOST, "-p", str(port)]
    # SIGINT is PostgreSQL's fast end: it waits for nobody who is connected.
    log = folder / "postgres.log"
    process = start(stack, [*command, "-c", "fsync=off"], log, end=signal.SIGINT, cwd=home, **options)
    asking = [str(found / "pg_isready"), "-q", "-h", str(home), "-p", str(port)]
    wait_for("PostgreSQL", lambda: subprocess.run(asking).returncode == 0, process, log)
    own = {"PGHOST": str(home), "PGPORT": str(port), "PGUSER": name, "PGDATABASE": "postgres"}
    own |= {"PATH": f"{found}{os.pathsep}{clean_environment()['PATH']}", "DATABASE_PASSWORD": password}
    run(["/bin/sh", "-eu", "-c", RECIPE["database"]], clean_environment() | own, cwd=home, **options)
    return port, password


def start_storage(stack: ExitStack, folder: Path) -> tuple[dict[str, str], Callable[[], list[str]]]:
    """Start an S3-compatible store; the settings by which a server reaches it, and what lists the names in it."""
    import boto3

    port, log = free_port(), folder / "s3.log"
    code = f"from moto.server import main; main(['-H', '{HOST}', '-p', '{port}'])"
    process = start(stack, [sys.executable, "-c", code], log, env=clean_environment())
    wait_for("the S3-compatible store", lambda: answers(port), process, log)
    address = f"http://{HOST}:{port}"
    keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}
    own = {name.lower().replace("aws_default_region", "region_name"): value for name, value in keys.items()}
    client = boto3.client("s3", endpoint_url=address, **own)
    client.create_bucket(Bucket="relapse")

    def names() -> list[str]:
        return [item["Key"] for item in client.list_objects_v2(Bucket="relapse").get("Contents", [])]

    return keys | {"MLFLOW_S3_ENDPOINT_URL": address}, names


def check_many_writers(database: tuple[int, str]) -> None:
    """Let sixteen open the empty database and record in it at once, without a server; nothing is lost."""
    own = {"MLFLOW_TRACKING_URI": f"postgresql://mlflow:{database[1]}@{HOST}:{database[0]}/mlflow"}
    with tempfile.TemporaryDirectory() as folder:  # where the files go
        run(
            [sys.executable, str(ROOT / "benchmarks" / "many_writers.py"), "--named"],
            clean_environment() | own,
            cwd=folder,
        )


def start_server(
    stack: ExitStack, folder: Path, database: tuple[int, str], passwords: dict[str, str], settings: dict[str, str]
) -> Server:
    """Run the page's block of the server."""
    folder.mkdir(exist_ok=True)
    port = free_port()
    environment = clean_environment() | settings
    environment |= {"DATABASE_HOST": f"{HOST}:{database[0]}", "DATABASE_PASSWORD": database[1], "PORT": str(port)}
    environment |= {"ADMIN_PASSWORD": passwords["admin"], "SECRET_KEY": secrets.token_hex(32), "WORKERS": "1"}
    command, log = ["/bin/sh", "-eu", "-c", RECIPE["server"]], folder / "server.log"
    process = start(stack, command, log, cwd=folder, env=environment)
    wait_for("MLflow's server", lambda: status(f"http://{HOST}:{port}/health") == 200, process, log)
    return Server(f"http://{HOST}:{port}", passwords)


def make_users(server: Server) -> None:
    """Run the page's block of users and their rights."""
    own = {f"{name.upper()}_PASSWORD": password for name, password in server.passwords.items()}
    run(["/bin/sh", "-eu", "-c", RECIPE["users"]], clean_environment() | own | {"MLFLOW_TRACKING_URI": server.uri})


def status(address: str, headers: dict[str, str] | None = None) -> int:
    """Return the HTTP status of an address; 0 where nobody answers."""
    try:
        with urlopen(Request(address, headers=headers or {}), timeout=10) as answer:
            return int(answer.status)
    except HTTPError as error:
        return error.code
    except (URLError, OSError):
        return 0


def run(command: list[str], environment: dict[str, str], **options: Any) -> str:
    """Run a command that must work; what it printed."""
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, **options)
    if done.returncode:
        raise BrokenPromiseError(
            f"{' '.join(command)[:200]} ended with {done.returncode}:\n{done.stdout[-500:]}{done.stderr[-2000:]}"
        )
    return str(done.stdout)


def refused(command: list[str], environment: dict[str, str], folder: Path, *texts: str) -> None:
    """Run a command that must be refused with exit code 2 and one message that holds the texts."""
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, timeout=120)
    if done.returncode != 2 or "Traceback" in done.stderr or not all(text in done.stderr for text in texts):
        raise BrokenPromiseError(
            f"{' '.join(command)}: expected exit code 2 and {texts}, found {done.returncode}:\n{done.stderr}"
        )


def train_at_once(stack: ExitStack, server: Server, folder: Path, names: dict[str, str]) -> None:
    """Let each user run the page's block of users, all at the same time."""
    running = {}
    for user, name in names.items():
        (folder / f"{name}.toml").write_text(EXPERIMENT.format(name=name), encoding="utf-8")
        log = folder / f"{name}.log"
        environment = server.environment(user) | {"NAME": name, "EXPERIMENT": f"{name}.toml"}
        command = ["/bin/sh", "-eu", "-c", RECIPE["user"]]
        running[log] = start(stack, command, log, cwd=folder, env=environment)
    for log, process in running.items():
        if process.wait(240):
            raise BrokenPromiseError(f"{log.stem} could not be trained:\n{log.read_text(errors='replace')[-3000:]}")


def check_each_sees_all(server: Server, folder: Path, names: dict[str, str]) -> None:
    """Each user compares the other's experiment and scores with the other's model."""
    scores = {}
    for user in names:
        for other, name in names.items():
            if user != other:
                found = json.loads(run(["nbrelapse", "compare", name, "--json"], server.environment(user), cwd=folder))
                model, out = found["models"][found["chosen"]], f"scores-{user}-{name}.csv"
                run(["nbrelapse", "score", model, "new", "--out", out], server.environment(user), cwd=folder)
                scores[out] = (folder / out).read_bytes()
    if len(set(scores.values())) != 1:  # the same experiment, but for its name
        raise BrokenPromiseError(f"the same model scores otherwise: {', '.join(scores)}")


def check_rights(server: Server, folder: Path) -> None:
    """Whoever has not the right is told so, before anything is computed; the assistant is refused from outside."""
    started = time.monotonic()
    train = ["nbrelapse", "train", "anna.toml"]
    refused(train, server.environment("bram"), folder, "the user 'bram' may not do this", "EDIT or MANAGE to train")
    if time.monotonic() - started > 30:
        raise BrokenPromiseError("a right that is missing is told too late")
    wrong = server.environment("anna") | {"MLFLOW_TRACKING_PASSWORD": "another password"}
    refused(["nbrelapse", "compare", "anna"], wrong, folder, "does not know 'anna' with this password")
    nobody = clean_environment() | {"MLFLOW_TRACKING_URI": server.uri}
    refused(["nbrelapse", "compare", "anna"], nobody, folder, "the server asks who you are", "MLFLOW_TRACKING_USERNAME")
    for address, headers, expected in (
        ("/", {}, 401),
        ("/ajax-api/3.0/mlflow/assistant/status", {}, 401),
        ("/ajax-api/3.0/mlflow/assistant/status", {"X-Forwarded-For": "203.0.113.9", **_login(server)}, 403),
    ):
        found = status(f"{server.uri}{address}", headers)
        if found != expected:
            raise BrokenPromiseError(f"{address} answers {found}, not {expected}")


def _login(server: Server) -> dict[str, str]:
    import base64

    pair = f"anna:{server.passwords['anna']}"
    return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


def make_cohorts(folder: Path) -> None:
    """Simulate the cohort that both train on, and other patients."""
    from nbrelapse.cohort import write_cohort
    from nbrelapse.simulation import simulate_cohort

    write_cohort(simulate_cohort(180, seed=5), folder / "cohort")
    write_cohort(simulate_cohort(40, seed=6), folder / "new")


def build(stack: ExitStack) -> None:
    """Build the server, let its users work, and check what the page promises."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nbrelapse-team-")))
    folder.chmod(0o711)  # PostgreSQL runs as another user
    step = _steps()
    database = start_database(stack, folder)
    make_cohorts(folder)
    step("PostgreSQL")
    check_many_writers(database)
    step("sixteen first users have written to its database at once")
    settings, names = start_storage(stack, folder)
    passwords = {name: secrets.token_urlsafe(16) for name in ("admin", "anna", "bram")}
    for place, artifacts, own in (
        ("a folder", (folder / "artifacts").as_uri(), {}),
        ("an S3-compatible store", "s3://relapse/mlflow", settings),
    ):
        with ExitStack() as running:
            server = start_server(running, folder / "server", database, passwords, own | {"ARTIFACTS": artifacts})
            if not own:
                make_users(server)
            step(f"MLflow's server, files in {place}")
            users = {"anna": "anna", "bram": "bram"} if not own else {"anna": "anna-s3", "bram": "bram-s3"}
            train_at_once(running, server, folder, users)
            step("two users have trained at once")
            check_each_sees_all(server, folder, users)
            step("each has compared and scored with the other's model")
            if not own:
                check_rights(server, folder)
                step("who has not the right is told so")
    if not list((folder / "artifacts").rglob("MLmodel")):
        raise BrokenPromiseError("the folder holds no model")
    if not any(name.startswith("mlflow/") and name.endswith("/MLmodel") for name in names()):
        raise BrokenPromiseError("the S3-compatible store holds no model")
    if "X-Amz-Signature" in (folder / "s3.log").read_text(encoding="utf-8", errors="replace"):
        raise BrokenPromiseError("a user went to the S3-compatible store by a signed address, past the server")


def _steps() -> Callable[[str], None]:
    started = time.monotonic()
    return lambda text: print(f"{time.monotonic() - started:5.0f} s  {text}", flush=True)


def main() -> int:
    """Run the test; whatever ends it, a signal too, ends all processes first."""
    reason = missing()
    if reason is not None:
        print(f"team-test skipped: {reason}")
        return 0

    ends = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def interrupted(number: int, _: object) -> None:
        for one in ends:
            signal.signal(one, signal.SIG_IGN)  # once is enough: the processes are being ended
        raise SystemExit(128 + number)

    for number in ends:
        signal.signal(number, interrupted)
    try:
        with ExitStack() as stack:
            build(stack)
    except BrokenPromiseError as error:
        print(f"FAILED: {error}", file=sys.stderr)
        return 1
    print("team-test passed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
