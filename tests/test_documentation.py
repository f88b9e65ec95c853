"""What the documentation makes of the code: every key, column, metric and figure has its sentence."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
from pydantic import BaseModel

from nbrelapse.cohort import TABLES
from nbrelapse.experiment.config import ExperimentConfig
from nbrelapse.metrics import METRICS
from nbrelapse.tracking import COMPARED_METRICS, FOLD_CURVE, PATH_CURVE, TRIAL_CURVE

DOCS = Path(__file__).parents[1] / "docs"
SECTIONS = ("", "cohort", "cohort.simulate", "features", "split", "leave_one_out", "validation", "card")


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", SECTIONS)
def test_every_key_of_an_experiment_file_says_what_it_means(generate: ModuleType, name: str) -> None:
    section: type[BaseModel] = generate._section(name)
    assert [key for key, field in section.model_fields.items() if not field.description] == []


def test_the_page_has_every_section_and_key(generate: ModuleType) -> None:
    def sections(model: type[BaseModel], name: str) -> list[str]:
        inner = [f"{name}.{key}".lstrip(".") for key, field in model.model_fields.items() if is_section(field)]
        return [name, *(one for found in inner for one in sections(generate._section(found), found))]

    def is_section(field: object) -> bool:
        return generate._kind(field.annotation, []) == "table"  # type: ignore[attr-defined]

    assert sorted(sections(ExperimentConfig, "")) == sorted(SECTIONS)
    file = DOCS / "experiment.md"
    page = file.read_text(encoding="utf-8")
    assert page == generate.filled(file), "say python docs/generate.py"
    assert [name for name in SECTIONS if f"<!-- made of experiment {name}".rstrip() + " -->" not in page] == []


def test_every_column_of_a_cohort_says_what_it_is() -> None:
    silent = [
        f"{name}.{key}" for name, table in TABLES.items() for key, one in table.columns.items() if not one.description
    ]
    assert silent == []


def test_every_metric_has_its_formula_or_sentence() -> None:
    page = (DOCS / "reference" / "metrics.md").read_text(encoding="utf-8").split("## Ranking")[1]
    subjects = {name.removesuffix(f"_{metric.years}y") for name, metric in METRICS.items()}
    assert sorted(name for name in subjects if f"`{name}" not in page) == []


def test_every_figure_of_a_run_is_explained() -> None:
    text = "".join((DOCS / page).read_text(encoding="utf-8") for page in ("workbench.md", "reference/metrics.md"))
    figures = {figure.removesuffix(".low").removesuffix(".high") for figure in COMPARED_METRICS}
    assert sorted(name for name in {*figures, FOLD_CURVE, PATH_CURVE, TRIAL_CURVE} if f"`{name}`" not in text) == []


def test_a_stale_table_is_found_and_made_anew(
    generate: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generate, "DOCS", tmp_path)
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- made of experiment cohort.simulate -->\nold\n<!-- end -->\nafter\n", encoding="utf-8")
    (made,) = generate.outdated().values()
    assert made.startswith("before\n<!-- made of experiment cohort.simulate -->\n\n| key | value | what it says |\n")
    assert "| `patients` | whole number ≥ 50; by default `500` | How many. |" in made
    assert "old" not in made and made.endswith("<!-- end -->\nafter\n")
    page.write_text(made, encoding="utf-8")
    assert generate.outdated() == {}
