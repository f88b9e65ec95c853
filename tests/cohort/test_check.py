from __future__ import annotations

import json

import pandas as pd

from nbrelapse.cohort import assemble_cohort, check_cohort


def test_report() -> None:
    patients = pd.DataFrame(
        {
            "patient_id": list("abcd"),
            "event": ["relapse", "none", "none", None],
            "event_days": [100, 900, 300, None],
            "death": [1, 0, 1, None],
            "followup_days": [200, 900, 400, None],
            "mycn_status": ["1", "0", "Unknown", ""],
        }
    )
    samples = pd.DataFrame(
        {"sample_id": ["a1", "b1", "b2"], "patient_id": ["a", "b", "b"], "timepoint": ["diagnosis", "diagnosis", None]}
    )
    mutations = pd.DataFrame({"sample_id": ["a1", "b2"], "Hugo_Symbol": ["ALK", "TP53"]})
    report = check_cohort(assemble_cohort("demo", {"patients": patients, "samples": samples, "mutations": mutations}))
    assert report.tables == {"patients": 4, "samples": 3, "assays": 4, "mutations": 2}
    assert report.timepoints == {"diagnosis": 2, "unknown": 1}
    assert (report.assays["fish"], report.assays["mutations"], report.assays["expression"]) == (2, 1, 0)
    assert report.events == {"none": 2, "relapse": 1, "unknown": 1}
    assert report.outcomes == {"with_event_time": 3, "deaths": 2, "with_followup": 3, "censored_but_dead": 1}
    assert report.missing["mycn_status"] == 0.5
    assert report.median_followup_days == 900.0
    assert json.loads(json.dumps(report.to_dict()))["patients"] == 4
    text = report.to_text()
    assert text.startswith("demo: 4 patients, 3 samples\n")
    assert "mycn_status  50.0%" in " ".join(text.split(" ")).replace("    ", "  ").replace("   ", "  ")
