import json
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from spear_deploy.report import SCHEMA_VERSION, Report

WRITTEN = Path(__file__).parents[2] / "docs" / "report.schema.json"

LAYER = {"layer": "1_leaky", "neurons": 12, "spikes": 3.5, "synops": 70.25}
NETWORK = {
    "accuracy": 0.9,
    "synops": 70.25,
    "synops_analog": 5.0,
    "effective_acs": 70.25,
    "effective_macs": 5.0,
    "parameters": 99,
    "per_layer": [LAYER],
}
MEASURED = {
    "arithmetic": "float64",
    "samples": 100,
    "synops": 30.0,
    "synops_analog": 5.0,
    "accuracy": 0.91,
    "per_layer": [LAYER],
}
LIMIT = {"name": "synops", "unit": "SynOps", "allowed": 35.0, "dense": 70.25, "pruned": 30.0, "binds": True}
LINE = {"slope": 1.2, "intercept": 3.0, "r2": 0.8, "predicted": 30.5}
ADAPTATION = {"layer": "1_leaky", "rule": "reset", "from": "reset subtract", "to": "reset zero"}
DIFFERENCE = {"layer": "1_leaky", "step": 0, "sample": 7, "neuron": 3, "spikes": {"torch": 12, "lava": 11}}


ESTIMATOR = {
    "predicted": 31.0,
    "low": 28.0,
    "high": 34.0,
    "loo_mean_error_percent": 2.1,
    "loo_worst_error_percent": 8.0,
    "loo_coverage": 0.96,
    "loo_r2": None,
}
POINT = {
    "keep_ratios": [0.5, 0.25],
    "pruned_synops": 30.0,
    "recalibrated_synops": 33.0,
    "synops": 35.0,
    "accuracy": 0.97,
    "loo_predicted": 34.0,
}


def content():
    return {
        "schema_version": SCHEMA_VERSION,
        "model": "model.pt",
        "model_sha256": "ab" * 32,
        "data": "digits",
        "data_sha256": "cd" * 32,
        "target": "loihi2",
        "seed": 0,
        "threads": 1,
        "time_steps": 4,
        "encoding": "direct",
        "splits": {"test": {"samples": 3, "source": "digits", "index": "0-1,7"}},
        "budget": {
            "synops": 35.0,
            "source": "50%",
            "split": "validation",
            "arithmetic": "float32",
            "limits": [LIMIT | {"origin": "budget 50%"}],
            "unchecked": ["in axons per core"],
        },
        "dense": NETWORK,
        "pruned": NETWORK | {"keep_ratios": {"1_leaky": 0.5}},
        "lre": {
            "estimator": "ridge",
            "predicted": 31.0,
            "low": 28.0,
            "high": 34.0,
            "samples": 24,
            "target_factor": 0.99,
            "linear": LINE,
            "estimators": {"ridge": ESTIMATOR},
            "scatter": [POINT],
            "extrapolated": "group 1 keeps 2% of its channels, sampled were 6% to 98%",
        },
        "measured": {"torch": MEASURED, "lava": MEASURED},
        "adaptations": [ADAPTATION | {"spike_change_percent": -2.5}],
        "agreement": {
            "torch_lava": {"samples": 100, "layers": ["1_leaky"], "equal": False, "first_difference": DIFFERENCE}
        },
        "verdict": {
            "basis": "lava",
            "within_budget": True,
            "covered": True,
            "prediction_error_percent": 3.3,
            "ok": False,
            "reason": "Lava's spikes differ",
        },
        "repairs": 1,
        "evaluations": 100,
        "seconds": {"load": 0.1},
        "versions": {"torch": "2.13.0"},
        "command": ["spear-deploy", "model.pt"],
    }


def test_a_report_from_before_lre_told_its_errors_is_read():
    old = content()
    for key in ("estimators", "scatter", "extrapolated"):
        del old["lre"][key]
    found = Report.model_validate(old).lre
    assert (found.estimators, found.scatter, found.extrapolated) == ({}, [], "")


def test_a_report_survives_json():
    report = Report.model_validate(content())
    assert json.loads(report.model_dump_json(exclude_unset=True)) == content()
    assert Report.model_validate_json(report.model_dump_json()) == report


def test_a_report_of_before_there_were_pictures_still_opens():
    report = Report.model_validate(content())
    assert (report.search, report.spikes, report.placement) == (None, None, None)
    assert (report.finalists, report.cost, report.rounding) == ([], {}, [])


def test_a_report_holds_nothing_that_the_schema_does_not_name():
    with pytest.raises(ValidationError, match="energy"):
        Report.model_validate(content() | {"energy": 1.0})
    with pytest.raises(ValidationError, match="verdict"):
        Report.model_validate({key: value for key, value in content().items() if key != "verdict"})


def test_the_schema_in_docs_is_that_of_the_reports():
    """Write it anew with: python -m spear_deploy.report > docs/report.schema.json."""
    written = subprocess.run([sys.executable, "-m", "spear_deploy.report"], capture_output=True, text=True, check=True)
    assert written.stdout == WRITTEN.read_text(), "python -m spear_deploy.report > docs/report.schema.json"
    assert json.loads(written.stdout) == Report.model_json_schema()


def test_a_report_of_version_1_knows_no_parts_of_the_verdict_and_still_opens():
    report = Report.model_validate(content() | {"schema_version": 1})
    assert (report.verdict.limits_kept, report.verdict.backends_agree, report.verdict.works) == (None, None, None)
    assert report.answers is None
    assert not report.budget.limits[0].least
