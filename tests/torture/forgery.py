"""Alter saved models the way accidents and forgers do; run as a script it loads forged trees one after the other.

``python forgery.py FOLDER SCRATCH COUNT SEED KEYRING`` writes one JSON line for each forgery to standard output, so
that a crash or an endless loop shows as lines that are missing.
"""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nbrelapse.scoring.bundle import _sealed

_ARRAYS = (
    b"left_children",
    b"right_children",
    b"parents",
    b"split_indices",
    b"split_conditions",
    b"base_weights",
    b"sum_hessian",
    b"default_left",
    b"split_type",
    b"iteration_indptr",
    b"tree_info",
    b"base_score",
    b"num_",
)


def reseal(folder: Path, change: Callable[[dict[str, Any]], object] | None = None) -> None:
    """Give every file its right checksum in the manifest, as somebody would who knows how it is sealed."""
    file = folder / "data" / "manifest.json"
    manifest = json.loads(file.read_text(encoding="utf-8"))
    manifest["files"] = {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path != file
    }
    if change is not None:
        change(manifest)
    file.write_text(_sealed(manifest), encoding="utf-8")


def forged(blob: bytes, chance: random.Random) -> bytes:
    """Return a tree file with a change of one of seven kinds."""
    data = bytearray(blob)
    place = chance.randrange(len(data) - 8)
    number = chance.choice([0, 1, 2, 3, 4, 7, 200, 2**31 - 1, 2**31, 2**32 - 1, 0x7F800000, 0x7FC00000])
    kind = chance.randrange(7)
    if kind == 0:
        data[place] = chance.randrange(256)
    elif kind == 1:
        del data[place:]
    elif kind == 2:
        for _ in range(20):
            data[chance.randrange(len(data))] = chance.randrange(256)
    elif kind == 3:
        data[place : place + 4] = number.to_bytes(4, "big")
    elif kind == 4:
        data[place:place] = chance.randbytes(4)
    else:  # a value within one of the arrays that decide where XGBoost reads
        name = chance.choice(_ARRAYS)
        starts = [at for at in range(len(blob)) if blob.startswith(name, at)]
        start = chance.choice(starts) + len(name) + 13 + 4 * chance.randrange(8)
        if kind == 5:
            data[start : start + 4] = number.to_bytes(4, "big")
        else:
            data[start + 3 : start + 4] = bytes([chance.randrange(8)])
    return bytes(data)


def main(folder: Path, scratch: Path, count: int, seed: int, keyring: Path) -> None:
    import numpy as np
    import pandas as pd

    from nbrelapse.errors import NbRelapseError
    from nbrelapse.scoring import load_model
    from nbrelapse.scoring.scores import _score_features

    bundle = load_model(folder, trust=keyring)
    values = np.random.default_rng(seed).normal(size=(30, len(bundle.schema))).round(1)
    X = pd.DataFrame(values, columns=list(bundle.schema.index))
    X.iloc[::4, 0] = np.nan
    right = _score_features(bundle, X)
    shutil.copytree(folder, scratch)
    file, chance = scratch / "data" / "model.ubj", random.Random(seed)
    blob = file.read_bytes()
    signature = json.loads((scratch / "data" / "manifest.json").read_text(encoding="utf-8"))["signature"]
    for number in range(count):
        change = forged(blob, chance)
        file.write_bytes(change)
        reseal(scratch, lambda manifest: manifest.pop("signature", None))
        told = {"number": number, "same": change == blob, "outcome": "refused", "signed": "refused"}
        try:
            scores = _score_features(load_model(scratch), X)
            known = right.select_dtypes("number").dropna(axis=1).columns
            finite = np.isfinite(scores[known]).all(axis=None)
            told["outcome"] = "identical" if scores.equals(right) else "other" if finite else "not finite"
        except NbRelapseError as error:
            told["why"] = str(error).split("\n", 1)[0]
        except Exception as error:
            told["outcome"] = f"{type(error).__name__}: {error}"[:200]
        reseal(scratch, lambda manifest: manifest.update(signature=signature))
        try:
            load_model(scratch, trust=keyring)
            told["signed"] = "loaded"
        except NbRelapseError:
            pass
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), Path(sys.argv[5]))
