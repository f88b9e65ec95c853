"""Fuzz the parsers with atheris for a while: ``python tests/torture/fuzz.py --seconds 30 [TARGET]``, all by default.

A target is a name of ``parsers.PARSERS``. It begins with that parser's examples, and ends at the first content that
makes the parser do anything but give a value or raise NbRelapseError: that content is printed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))


def fuzz(name: str, seconds: int) -> None:
    """Fuzz one parser in this process, which libFuzzer ends."""
    import atheris

    with atheris.instrument_imports(include=["nbrelapse.cohort", "nbrelapse.readers"]):
        from parsers import PARSERS, attempt

    corpus = Path(tempfile.mkdtemp(prefix="nbrelapse-fuzz-"))
    for number, example in enumerate(PARSERS[name][1]):
        (corpus / f"{number}").write_bytes(example.encode())
    limits = [f"-max_total_time={seconds}", "-max_len=4096", "-timeout=20", "-rss_limit_mb=4096", "-verbosity=0"]
    atheris.Setup(["fuzz", str(corpus), f"-artifact_prefix={corpus}/", *limits], lambda content: attempt(name, content))
    atheris.Fuzz()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", nargs="?")
    parser.add_argument("--seconds", type=int, default=30, help="of each target")
    asked = parser.parse_args()
    try:
        import atheris  # noqa: F401
    except ImportError:
        print("atheris is not installed: nothing is fuzzed", file=sys.stderr)
        return 0
    if asked.target is not None:
        fuzz(asked.target, asked.seconds)
        return 0
    from parsers import PARSERS

    failed = []
    for name in PARSERS:
        command = [sys.executable, __file__, "--seconds", str(asked.seconds), name]
        done = subprocess.run(command, capture_output=True, text=True)
        print(f"{name}: {'found something' if done.returncode else 'nothing found'}", flush=True)
        if done.returncode:
            failed.append(name)
            print(done.stderr[-4000:])
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
