"""Write the golden feature table anew: ``python tests/truth/renew_golden.py``; prints which columns have changed."""

from __future__ import annotations

import tempfile
from pathlib import Path


def renew() -> None:
    """Replace the table and say what is different."""
    # The folder of a script is where it imports from; the tests are no package.
    from test_golden import GOLDEN, golden_table, read_golden, write_golden

    before = read_golden(GOLDEN) if GOLDEN.exists() else None
    with tempfile.TemporaryDirectory() as folder:
        write_golden(golden_table(Path(folder) / "study"), GOLDEN)
    after = read_golden(GOLDEN)
    if before is None:
        print(f"{GOLDEN.name}: {after.shape[1]} features of {after.shape[0]} patients")
        return
    for name in before.columns.difference(after.columns):
        print(f"gone     {name}")
    before = before.reindex(after.index)
    for name in after.columns:
        if name not in before:
            print(f"new      {name}")
        elif not before[name].equals(after[name]):
            same = (before[name] == after[name]) | (before[name].isna() & after[name].isna())
            print(f"changed  {name}: {int((~same).sum())} of {len(after)} patients")
    print(f"{GOLDEN.name}: {after.shape[1]} features of {after.shape[0]} patients")


if __name__ == "__main__":
    renew()
