from __future__ import annotations

import pandas as pd
import pytest

from nbrelapse.cohort.check_positions import check_positions
from nbrelapse.errors import InputError


def table(position: float | None, chromosome: str | None = "17") -> pd.DataFrame:
    return pd.DataFrame({"chromosome": pd.Series([chromosome], dtype="str"), "end": [position]}).astype({"end": float})


def test_the_longer_chromosome_of_the_other_build() -> None:
    # 17 has 81.2 Mb in hg19 and 83.3 Mb in hg38.
    check_positions(table(83_200_000), "chromosome", "end", "hg38", "f")
    with pytest.raises(InputError, match="beyond the end of its chromosome in hg19"):
        check_positions(table(83_200_000), "chromosome", "end", "hg19", "f")


@pytest.mark.parametrize(
    ("position", "chromosome", "build"),
    [
        # A padded last segment, no position, no chromosome, an unplaced contig, no build.
        (81_500_000, "17", "hg19"),
        (None, "17", "hg19"),
        (1e9, None, "hg19"),
        (1e9, "GL000192.1", "hg19"),
        (1e9, "17", None),
    ],
)
def test_what_is_let_pass(position: float | None, chromosome: str | None, build: str | None) -> None:
    check_positions(table(position, chromosome), "chromosome", "end", build, "f")
