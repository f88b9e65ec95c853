"""What the service answers: the scores of `nbrelapse score`, or why not."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pandas as pd
import pytest

from nbrelapse.cohort import Cohort
from nbrelapse.scoring import Bundle, RecordScorer, score
from nbrelapse.scoring.scores import _score_features
from nbrelapse.serving import Limits, make_app

Client = Callable[..., Any]
Training = tuple[pd.DataFrame, Any]


HARDLY_KNOWN = {"cell_state__adrn_minus_mes": 0.5}
"""Less than a quarter of what the models rely on."""


def assert_same(rows: list[dict[str, Any]], expected: pd.DataFrame) -> None:
    """Every column, to the last bit; null stands for NaN."""
    found = pd.DataFrame(rows)
    assert list(found.columns) == list(expected.columns)
    pd.testing.assert_frame_equal(found.astype(expected.dtypes), expected, rtol=0, atol=0)


@pytest.mark.parametrize("family", ["cox", "boosted", "forest", "blend"])
def test_scores_by_feature_are_those_of_the_model(
    client: Client, bundles: dict[str, Bundle], training: Training, by_feature: Callable[..., Any], family: str
) -> None:
    X = training[0].iloc[:40]
    expected = _score_features(bundles[family], X).rename_axis("patient_id").reset_index()
    connected = client(family)
    together = connected.post("/score", json={"patients": by_feature(X)}).json()["patients"]
    assert_same(together, expected)
    alone = [connected.post("/score", json={"patients": [one]}).json()["patients"][0] for one in by_feature(X)[:5]]
    assert alone == together[:5]


def test_scores_by_tables_are_those_of_the_cohort(
    client: Client, bundles: dict[str, Bundle], cohort: Cohort, by_table: Callable[..., Any]
) -> None:
    few = cohort.take(cohort.patient_ids[:15])
    platforms = few.metadata["platforms"]
    asked = {"tables": by_table(few), "platforms": platforms, "units_checked": True}
    found = client().post("/score", json=asked).json()
    expected = score(bundles["cox"], few)
    assert expected["log_risk"].notna().any()
    assert_same(found["patients"], expected)


def test_an_assay_that_nobody_has_is_refused_unless_allowed(client: Client) -> None:
    asked: dict[str, Any] = {"tables": {"patients": [{"patient_id": "a", "age_days": 700, "mycn_status": "amplified"}]}}
    connected = client()
    refused = connected.post("/score", json=asked)
    assert refused.status_code == 422
    assert "nobody has copy_number, expression" in refused.json()["error"]["problem"]
    allowed = connected.post("/score", json=asked | {"allow_missing_assays": True})
    assert allowed.json()["patients"][0]["missing_assays"] == "copy_number, expression"


def test_requests_that_wait_are_scored_together_and_each_gets_its_own(
    bundles: dict[str, Bundle], training: Training, by_feature: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = RecordScorer(bundles["cox"])
    patients = by_feature(training[0].iloc[:24])
    sizes = []
    own = RecordScorer.score

    def counted(self: RecordScorer, given: Any) -> Any:
        sizes.append(len(given))
        time.sleep(0.02)
        return own(self, given)

    monkeypatch.setattr(RecordScorer, "score", counted)
    app = make_app(bundles["cox"], limits=Limits(rate=0))

    async def ask() -> list[Any]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as connection:
            asked = [connection.post("/score", json={"patients": [one]}) for one in patients]
            return [answer.json()["patients"][0] for answer in await asyncio.gather(*asked)]

    found = asyncio.run(ask())
    assert sum(sizes) == 24
    assert len(sizes) < 12
    monkeypatch.undo()
    assert found == [expected.score(expected.read_features([one]))[0] for one in patients]


@pytest.mark.parametrize("missing", ['"mycn__amplified": null,', '"mycn__amplified": NaN,', ""])
def test_null_nan_and_left_out_are_not_assayed(client: Client, missing: str) -> None:
    body = (
        f'{{"patients": [{{"features": {{{missing} "instability__loss_11q": true, "clinical__log2_age": 5.5, '
        f'"cell_state__adrn_minus_mes": 0.25}}}}]}}'
    )
    found = client().post("/score", content=body).json()["patients"][0]
    assert found["missing_assays"] == "fish"
    assert found["patient_id"] is None
    assert found["log_risk"] is not None


def feature(**values: Any) -> dict[str, Any]:
    return {"patients": [{"features": values}]}


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (feature(mycn__amplfied=1), {"column": "mycn__amplfied", "expected": "mycn__amplified", "rows": [1]}),
        (feature(mycn__amplified="4711"), {"problem": "a feature is not a finite number", "column": "mycn__amplified"}),
        (feature(mycn__amplified=4711e300), {"problem": "a feature is not a finite number"}),
        (feature(mycn__amplified=[4711]), {"problem": "a feature is not a finite number"}),
        (feature(alk__hotspot_mutation=4711), {"column": "features"}),
        (feature(), {"column": "features"}),
        ({"patients": []}, {"column": "patients"}),
        ({}, {"problem": "one of patients and tables is to be given"}),
        ({"patients": [{"features": {}}], "tables": {}}, {"problem": "one of patients and tables is to be given"}),
        ({"patients": [{"feature": {"x": 4711}}]}, {"column": "patients.1.feature", "fix": "did you mean features?"}),
        ({"patients": [{"patient_id": 4711, "features": {}}]}, {"column": "patients.1.patient_id"}),
        (feature(mycn__amplified=1) | {"units_checked": True}, {"problem": "this goes with tables only"}),
        (
            {"tables": {"patients": [{"patient_id": "a", "inss_stge": "4711"}]}},
            {"column": "inss_stge", "fix": "did you mean inss_stage or inrgss_stage?"},
        ),
        ({"tables": {"patient": []}}, {"problem": "unknown table"}),
        ({"tables": {"patients": [{"patient_id": {"a": 4711}}]}}, {"problem": "the request cannot be read"}),
        ({"tables": {"patients": []}}, {}),
        ({"tables": {"patients": [{"patient_id": "a"}], "expression": [{"gene": "MYCN", "a": 4711}]}}, {}),
        ("[" * 100_000, {"problem": "the body is not JSON"}),
        ('{"patients": [{"features": {"mycn__amplified": 1, "mycn__amplified": 0}}]}', {"rows": None}),
        ('{"patients": [{"features": {"mycn__amplified": Infinity}}]}', {"column": "mycn__amplified"}),
        ("1" * 10_000, {}),
        (feature(mycn__amplified=1, **{"\ud800": 4711}), {"problem": "the body is not JSON"}),
        ({"tables": {"patients": [{"patient_id": "a", "age_days": 10**400}]}}, {}),
        (
            {"tables": {"patients": [{"patient_id": "a"}], "samples": [{f"x{row}": 4711} for row in range(30_000)]}},
            {"table": "samples"},
        ),
        (
            {
                "tables": {
                    "patients": [{"patient_id": "a"}],
                    "expression": [{"Hugo_Symbol": "MYCN"}, {"Hugo_Symbol": "A", "a": 1}],
                }
            },
            {"problem": "records of genes have different samples", "rows": [2]},
        ),
        (b"\xff\xfe", {"problem": "the body is not JSON"}),
        ("null", {"problem": "the body is no JSON object"}),
    ],
)
def test_what_cannot_be_read_is_refused_and_not_logged(
    client: Client, caplog: pytest.LogCaptureFixture, asked: Any, told: dict[str, Any]
) -> None:
    caplog.set_level(logging.DEBUG, "nbrelapse.serving")
    body = asked if isinstance(asked, (str, bytes)) else json.dumps(asked)
    answer = client().post("/score", content=body)
    assert answer.status_code == 422, answer.text
    error = answer.json()["error"]
    assert {key: error[key] for key in told} == told
    assert "4711" not in answer.text
    assert [record.getMessage()[:15] for record in caplog.records] == ["POST /score 422"]


def test_limits_of_size(client: Client, patient: dict[str, Any]) -> None:
    connected = client(limits=Limits(body_bytes=5000, patients=100))
    assert connected.post("/score", json={"patients": [patient] * 2}).status_code == 200
    many = [{"features": {"mycn__amplified": 1}}] * 101
    for path, number, most in (("/score", 101, 100), ("/explain", 3, 2)):
        refused = connected.post(path, json={"patients": many[:number]})
        assert (refused.status_code, refused.json()["error"]["expected"]) == (413, f"at most {most} in a request")

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b" " * 2000

    for body in (b" " * 5001, pieces()):  # with a length, and without
        refused = connected.post("/score", content=body)
        assert (refused.status_code, refused.json()["error"]["problem"]) == (413, "the body is too large")


def test_limit_of_rate(client: Client) -> None:
    connected = client(limits=Limits(rate=0.5))
    assert connected.get("/schema").status_code == 200
    refused = connected.get("/schema")
    assert refused.status_code == 429
    assert refused.headers["retry-after"] == "2"
    assert refused.json()["error"]["problem"] == "too many requests"
    assert connected.get("/health").status_code == 200


def test_a_request_that_takes_too_long_is_given_up(
    client: Client, patient: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    connected = client(limits=Limits(timeout=0.2))
    monkeypatch.setattr(RecordScorer, "score", lambda self, given: time.sleep(0.6))
    began = time.monotonic()
    refused = connected.post("/score", json={"patients": [patient] * 65})  # so many are scored in the thread
    assert refused.status_code == 503
    assert time.monotonic() - began < 0.55
    monkeypatch.undo()
    time.sleep(0.5)
    assert connected.post("/score", json={"patients": [patient]}).status_code == 200


def test_while_the_thread_computes_the_server_answers(
    bundles: dict[str, Bundle], training: Training, by_feature: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    patients = by_feature(training[0])
    expected = RecordScorer(bundles["cox"])
    asked: list[int] = []
    own = RecordScorer.score

    def slow(self: RecordScorer, given: Any) -> Any:
        asked.append(len(given))
        time.sleep(0.3 if len(given) > 64 else 0)
        asked.append(len(given))
        return own(self, given)

    monkeypatch.setattr(RecordScorer, "score", slow)
    app = make_app(bundles["cox"])

    async def ask() -> tuple[float, Any]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as connection:
            many = asyncio.create_task(connection.post("/score", json={"patients": patients}))
            while not asked:
                await asyncio.sleep(0.005)
            one = asyncio.create_task(connection.post("/score", json={"patients": patients[:1]}))
            began = time.monotonic()
            assert (await connection.get("/health")).status_code == 200
            seconds = time.monotonic() - began
            await many
            return seconds, (await one).json()["patients"]

    seconds, rows = asyncio.run(ask())
    assert seconds < 0.25
    assert asked == [160, 160, 1, 1]  # a model is never asked by two at once
    monkeypatch.undo()
    assert rows == expected.score(expected.read_features(patients[:1]))


def test_what_nobody_expected_is_told_without_a_word_of_the_patient(
    client: Client, patient: dict[str, Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(self: RecordScorer, given: Any) -> None:
        raise RuntimeError("secret 4711")

    connected = client()
    monkeypatch.setattr(RecordScorer, "score", fail)
    answer = connected.post("/score?patient=4711", json={"patients": [patient]})
    assert (answer.status_code, answer.json()["error"]["problem"]) == (500, "internal error")
    told = [record.getMessage() for record in caplog.records]
    assert re.fullmatch(r"RuntimeError in test_app\.py, line \d+", told[0])
    assert "4711" not in answer.text + caplog.text


def test_nothing_of_a_patient_is_logged(
    client: Client, patient: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "nbrelapse.serving")
    connected = client()
    connected.post("/score?who=Smith", json={"patients": [patient | {"patient_id": "Smith"}]})
    connected.get("/score/Smith")
    told = [re.sub(r"[\d.]+ ms", "", record.getMessage()) for record in caplog.records]
    assert told == ["POST /score 200 ", "GET other 404 "]


TOKEN = "correct-horse-battery"


def test_a_token_is_asked_of_everything_but_the_form_and_health(client: Client, patient: dict[str, Any]) -> None:
    connected = client(token=TOKEN, hosts=None)
    asked = {"patients": [patient]}
    assert [connected.get(path).status_code for path in ("/", "/health")] == [200, 200]
    assert [connected.get(path).status_code for path in ("/schema", "/metrics", "/openapi.json", "/x")] == [401] * 4
    for header in ("", TOKEN, "Basic " + TOKEN, "Bearer " + TOKEN[:-1], "Bearer " + TOKEN + "x", "Bearer ä"):
        refused = connected.post("/score", json=asked, headers={"authorization": header.encode()})
        assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
    assert connected.post("/score", json=asked, headers={"authorization": f"bearer {TOKEN}"}).status_code == 200
    form = {"pasted": json.dumps(patient["features"])}
    assert connected.post("/report", data=form).status_code == 401
    assert connected.post("/report", data=form | {"token": TOKEN}).status_code == 200
    assert 'name="token"' in connected.get("/").text
    assert 'name="token"' not in client().get("/").text


def test_other_names_and_other_sites_are_refused(client: Client, patient: dict[str, Any]) -> None:
    connected = client()
    asked = {"patients": [patient]}
    for host, status in (
        ("127.0.0.1:8000", 200),
        ("LOCALHOST", 200),
        ("[::1]:1", 200),
        ("evil.example", 421),
        ("", 421),
    ):
        assert connected.post("/score", json=asked, headers={"host": host}).status_code == status, host
    for header in ({"origin": "http://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}):
        assert connected.post("/score", json=asked, headers=header).status_code == 403
    own = connected.post("/score", json=asked, headers={"origin": "http://localhost", "sec-fetch-site": "same-origin"})
    assert own.status_code == 200
    assert not [name for name in own.headers if name.startswith("access-control")]
    assert connected.request("OPTIONS", "/score", headers={"access-control-request-method": "POST"}).status_code == 405


def test_every_answer_forbids_scripts_and_caches(client: Client) -> None:
    connected = client()
    for answer in (connected.get("/"), connected.get("/schema"), connected.get("/nothing"), connected.post("/report")):
        assert answer.headers["content-security-policy"].startswith("default-src 'none'; img-src data:;")
        assert answer.headers["cache-control"] == "no-store"
    assert [connected.get(path).status_code for path in ("/docs", "/redoc")] == [404, 404]
    assert "<script" not in connected.get("/").text


def test_explanations_add_up_to_the_scores(
    client: Client, training: Training, by_feature: Callable[..., Any], patient: dict[str, Any]
) -> None:
    patients = [patient, {"features": HARDLY_KNOWN, "patient_id": "hardly known"}]
    rows = client().post("/explain", json={"patients": patients, "horizon_years": 2}).json()["patients"]
    first, unknown = rows
    scores, risk, likely = first["scores"], first["log_risk"], first["probability"]
    assert risk["value"] == pytest.approx(scores["log_risk"], abs=1e-12)
    assert likely["value"] == pytest.approx(scores["incidence_2y"], abs=1e-12)
    assert likely["horizon_days"] == 730.5
    for found in (risk, likely):
        for parts in ("mechanisms", "features"):
            assert found["baseline"] + sum(found[parts].values()) == pytest.approx(found["value"], abs=1e-9)
    assert risk["measured"]["mycn"]["low"] <= risk["measured"]["mycn"]["value"] <= risk["measured"]["mycn"]["high"]
    assert unknown["scores"]["warnings"].startswith("no score: less than 25%")
    assert (unknown["log_risk"], unknown["probability"]) == (None, None)
    refused = client().post("/explain", json={"patients": [patient], "horizon_years": 50})
    assert (refused.status_code, refused.json()["error"]["problem"]) == (422, "illegal horizon 50")


def test_the_schema_says_what_the_model_reads(client: Client, bundles: dict[str, Bundle]) -> None:
    found = client().get("/schema").json()
    assert [one["name"] for one in found["features"]] == list(bundles["cox"].schema.index)
    mycn = found["features"][0]
    assert (mycn["assay"], mycn["kind"], mycn["low"], mycn["high"]) == ("fish", "binary", 0.0, 1.0)
    assert found["scores"] == ["patient_id", *bundles["cox"].score_columns]


def test_metrics_count_answers_and_patients(client: Client, patient: dict[str, Any]) -> None:
    connected = client()
    connected.post("/score", json={"patients": [patient, {"features": HARDLY_KNOWN}]})
    connected.post("/score", json={})
    connected.get("/patients/Smith")
    text = connected.get("/metrics").text
    assert all(re.fullmatch(r'#.*|\w+(\{(\w+="[^"]*",?)+\})? [\d.]+', line) for line in text.splitlines())
    counts = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert counts['nbrelapse_requests_total{endpoint="/score",status="2xx"}'] == "1"
    assert counts['nbrelapse_requests_total{endpoint="/score",status="4xx"}'] == "1"
    assert counts['nbrelapse_requests_total{endpoint="other",status="4xx"}'] == "1"
    assert counts['nbrelapse_request_seconds_bucket{endpoint="/score",le="+Inf"}'] == "2"
    assert (counts["nbrelapse_patients_total"], counts["nbrelapse_unscored_total"]) == ("2", "1")


def test_the_form_leads_to_the_report(client: Client, patient: dict[str, Any]) -> None:
    connected = client()
    form = connected.get("/").text
    features = patient["features"]
    assert all(f'name="feature.{name}"' in form for name in features)
    typed = {f"feature.{name}": str(value) for name, value in features.items()} | {"patient_id": "case <1>"}
    page = connected.post("/report", data=typed)
    risk = connected.post("/score", json={"patients": [patient]}).json()["patients"][0]
    assert page.status_code == 200
    assert "Patient case &lt;1&gt;" in page.text
    assert f"{risk['incidence_3y']:.0%}".rstrip("%") in page.text
    for pasted in (features, {"features": features}, {"patients": [patient]}):
        answer = connected.post("/report", data={"pasted": json.dumps(pasted)})
        assert "How the prediction comes about" in answer.text


@pytest.mark.parametrize(
    ("fields", "status", "told"),
    [
        ({}, 422, "Nothing is given"),
        ({"pasted": "{"}, 422, "not json"),
        ({"pasted": '{"mycn__amplfied": 1}'}, 422, "mycn__amplified"),
        ({str(number): "1" for number in range(10_001)}, 422, "too many fields"),
        ({"feature.mycn__amplified": "yes"}, 422, "not a number"),
        ({"feature.mycn__amplified": "1", "pasted": "{}"}, 422, "both fields and pasted json"),
        ({"pasted": json.dumps({"patients": [{"features": {"mycn__amplified": 1}}] * 2})}, 413, "one patient"),
    ],
)
def test_a_form_that_cannot_be_read_says_why(client: Client, fields: dict[str, str], status: int, told: str) -> None:
    answer = client().post("/report", data=fields)
    assert answer.status_code == status
    assert told.lower() in answer.text.lower()
