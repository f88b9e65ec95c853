from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from typer.testing import CliRunner

from nbrelapse.cli import app

BUNDLES = Path(__file__).parents[1] / "scoring" / "bundles"


def test_verify_says_what_a_model_is_and_who_signed_it() -> None:
    done = CliRunner().invoke(app, ["verify", str(BUNDLES / "version_0_3_0" / "forest")])
    assert done.exit_code == 0
    assert [line.split()[0] for line in done.output.splitlines()] == ["Random", "trained", "whole:", "not"]
    told = json.loads(CliRunner().invoke(app, ["verify", str(BUNDLES / "catalogue_1"), "--json"]).output)
    assert (told["version"], told["family"], told["signed_by"]) == ("0.1.0", "cox", None)


def test_a_model_that_nobody_signed_is_refused_with_exit_code_2(tmp_path: Path) -> None:
    (tmp_path / "ring").write_text(
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBEREREREREREREREREREREREREREREREREREREREREB Ada\n"
    )
    command = ["verify", str(BUNDLES / "catalogue_1"), "--trust", str(tmp_path / "ring")]
    code = "from nbrelapse.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("error: the model is not signed")
