from __future__ import annotations

import pandas as pd

from nbrelapse.mechanisms.catalogue import Catalogue
from nbrelapse.report.game_rows import game_rows


def test_the_largest_sum_comes_first_and_nothing_is_said_without_a_game(catalogue: Catalogue) -> None:
    columns = ["importance", "importance_grouped", "spearman", "mean_absolute_difference", "mean_difference"]
    table = pd.DataFrame([[0.1, 0.12, None, 0.02, 0.0], [0.5, 0.4, 0.987, 0.1, 0.1]], ["alk", "mycn"], columns)
    first, second = game_rows(table.astype(float), catalogue)
    assert (first["title"], first["sum"], first["game"]) == ("MYCN amplification", "0.500", "0.400")
    assert (first["difference"], first["spearman"], second["spearman"]) == ("0.100", "0.987", "–")
    assert game_rows(None, catalogue) == []
