from __future__ import annotations

import html
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from nbrelapse.errors import InputError
from nbrelapse.metrics.evaluation import Evaluation
from nbrelapse.report.experiment_report import ReportContent, write_experiment_report


class Links(HTMLParser):
    """Collects what a page loads, its tags and its event handlers."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.loads: list[str] = []
        self.handlers: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.loads += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "data", "action")]
        self.handlers += [name for name, _ in attrs if name.startswith("on")]


def test_a_page_loads_nothing_and_runs_nothing(report: Path, patient_report: Path) -> None:
    for file in (report, patient_report):
        links = Links(file.read_text(encoding="utf-8"))
        assert links.loads
        assert all(target.startswith(("data:image/svg+xml;base64,", "#")) for target in links.loads)
        assert not links.tags & {"script", "link", "iframe", "object", "embed", "form", "base"}
        assert not links.handlers
        assert "url(" not in file.read_text(encoding="utf-8")


def test_hostile_text_is_shown_as_text(report: Path, patient_report: Path, hostile: str) -> None:
    for file in (report, patient_report):
        assert html.escape(hostile, quote=True).replace("&quot;", "&#34;") in file.read_text(encoding="utf-8")


def test_the_report_answers_names_the_models_and_warns(report: Path) -> None:
    text = report.read_text(encoding="utf-8")
    assert "Better than the clinical baseline" in text
    assert "opened 3 times" in text
    assert "For research use, not for treatment decisions" in text
    assert "8 of 9 features" in text
    assert "Segmental gain of 17q" in text
    assert "Would decisions change?" in text
    assert "By the model: intermediate" in text
    assert text.index("Elastic-net Cox") < text.index("The same for Boosted trees")


def test_no_patient_stands_in_the_experiment_report(report: Path) -> None:
    assert "PATIENT-" not in report.read_text(encoding="utf-8")


def test_without_a_hold_out_the_report_says_so(content: ReportContent, tmp_path: Path) -> None:
    bare = replace(content, holdout=None, holdout_openings=None, pictures={}, explanations={})
    text = write_experiment_report(bare, tmp_path / "new" / "bare.html").read_text(encoding="utf-8")
    assert "there is no hold-out" in text
    assert "<img" not in text


def test_a_model_of_what_the_clinic_knows_is_not_called_molecular(content: ReportContent, tmp_path: Path) -> None:
    features = content.catalogue.features
    for assay, question in (
        ("clinical", "Does the model beat the clinic?"),
        ("fish", "Does the model beat the clinic?"),
        ("mutations", "Does the molecular model beat the clinic?"),
    ):
        read = {name: replace(features[name], assay=assay) for name in features}
        own = replace(content, catalogue=replace(content.catalogue, features=read), pictures={})
        text = write_experiment_report(own, tmp_path / "q.html").read_text(encoding="utf-8")
        assert f"<h2>{question}</h2>" in text


def test_a_note_is_said_once(content: ReportContent, evaluation: Evaluation, tmp_path: Path) -> None:
    noted = replace(evaluation, notes=["auc_5y is left out"])
    twice = replace(
        content, holdout=noted, notes=["hold-out: auc_5y is left out", "another"], pictures={}, explanations={}
    )
    text = write_experiment_report(twice, tmp_path / "noted.html").read_text(encoding="utf-8")
    assert text.count("auc_5y is left out") == 1
    assert text.count("<li>another</li>") == 1


def test_a_failed_write_leaves_the_old_report(content: ReportContent, tmp_path: Path) -> None:
    blocked = tmp_path / "folder.html"
    blocked.mkdir()
    with pytest.raises(InputError, match="cannot be written"):
        write_experiment_report(content, blocked)
    assert [path.name for path in tmp_path.iterdir()] == ["folder.html"]
