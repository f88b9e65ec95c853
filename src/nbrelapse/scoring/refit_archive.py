"""The bootstrap refits of a model in one file: a hundred of them share most of their bytes."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence

from nbrelapse.models.risk_model import ModelState

_LARGEST = 1 << 30
"""Bytes that an archive may unpack to; a hundred boosted refits take about ten million."""


def pack_refits(states: Sequence[ModelState]) -> bytes:
    """Pack model states into a ZIP archive: ``000.json``, and ``000-<name>`` for each native file, and so on.

    The same states give the same bytes.

    Examples
    --------
    >>> unpack_refits(pack_refits([ModelState({"family": "cox"}, {"model.ubj": b"trees"})]))[0].blobs
    {'model.ubj': b'trees'}
    """
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, state in enumerate(states):
            document = json.dumps(state.document, separators=(",", ":"), allow_nan=False).encode()
            files = {f"{number:03d}.json": document}
            files |= {f"{number:03d}-{name}": blob for name, blob in state.blobs.items()}
            for name, content in files.items():
                # ZipInfo's default date is fixed; writing by name alone would store the time.
                archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return file.getvalue()


def unpack_refits(packed: bytes) -> list[ModelState]:
    """Return the states that :func:`pack_refits` packed, in memory: nothing is written.

    Raises
    ------
    ValueError
        It is no such archive, or unpacks to an absurd size.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > _LARGEST:
                raise ValueError("the refits unpack to more than a gigabyte")
            contents = {name: archive.read(name) for name in archive.namelist()}
    except zipfile.BadZipFile as error:
        raise ValueError(str(error)) from None
    stems = sorted(name.removesuffix(".json") for name in contents if name.endswith(".json"))
    return [
        ModelState(
            json.loads(contents[f"{stem}.json"]),
            {name.removeprefix(f"{stem}-"): blob for name, blob in contents.items() if name.startswith(f"{stem}-")},
        )
        for stem in stems
    ]
