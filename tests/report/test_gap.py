"""The gap between predicted and measured SynOps, taken apart."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from run_reports import full_content, write_run_folder

from spear_deploy.cli import main
from spear_deploy.report import Report
from spear_deploy.report.checks import error_percent
from spear_deploy.report.gap import Again, check_run, coverage
from spear_deploy.report.reading import read_run
from spear_deploy.report.words.wording import verdict_text
from spear_deploy.report.write import make_page, write_page

positive = st.floats(10.0, 1e6)


def report_of(predicted, factor, on_validation, in_torch, in_integers):
    """A run in which these were measured of the plainly fine-tuned network."""
    content = full_content()
    content["lre"] |= {"predicted": predicted, "target_factor": factor}
    for name, synops, scale in (("torch", in_torch, 1.0), ("chip", in_integers, factor)):
        content["lre"]["check"][name] |= {"synops": synops, "predicted": predicted * scale}
    for finalist in content["finalists"]:
        finalist["plain_synops"] = on_validation
    return Report.model_validate(content)


@given(predicted=positive, factor=st.floats(0.5, 2.0), validation=positive, exact=positive, rounded=positive)
def test_the_parts_of_a_gap_make_the_whole(predicted, factor, validation, exact, rounded):
    gap = check_run("run", report_of(predicted, factor, validation, exact, rounded)).gap
    assert gap.total == pytest.approx(predicted * factor / rounded)
    assert gap.lre * gap.data * gap.quantisation == pytest.approx(gap.total)


def test_each_cause_shows_in_its_own_part():
    nothing = check_run("run", report_of(100.0, 0.9, 90.0, 100.0, 90.0)).gap
    assert (nothing.lre, nothing.data, nothing.quantisation) == pytest.approx((1.0, 1.0, 1.0))
    lre = check_run("run", report_of(120.0, 0.9, 90.0, 100.0, 90.0)).gap
    assert (lre.lre, lre.data, lre.quantisation) == pytest.approx((1.2, 1.0, 1.0))
    data = check_run("run", report_of(100.0, 0.9, 90.0, 80.0, 72.0)).gap
    assert (data.lre, data.data, data.quantisation) == pytest.approx((1.0, 1.25, 1.0))
    # Rounding took half of the spikes, on both splits, where the dense network lost a tenth.
    rounding = check_run("run", report_of(100.0, 0.9, 50.0, 100.0, 50.0)).gap
    assert (rounding.lre, rounding.data, rounding.quantisation) == pytest.approx((1.0, 1.0, 1.8))
    assert (lre.largest, data.largest, rounding.largest) == ("LRE", "data", "quantisation")


def test_measured_again_validation_is_known_in_torch():
    report = report_of(100.0, 0.9, 1.0, 80.0, 72.0)
    gap = check_run("run", report, Again(125.0, report.lre.check, {})).gap
    assert (gap.lre, gap.data, gap.quantisation) == pytest.approx((0.8, 125 / 80, 1.0))


def test_a_run_is_covered_where_the_interval_holds_every_backend():
    content = full_content()
    assert check_run("run", Report.model_validate(content)).covered
    content["lre"]["check"]["lava"]["covered"] = False
    assert not check_run("run", Report.model_validate(content)).covered


def test_earlier_reports_hold_the_pruned_network_against_the_prediction():
    content = full_content()
    del content["lre"]["check"]
    del content["finalists"]
    content["measured"]["lava"]["samples"] = 50
    found = check_run("run", Report.model_validate(content))
    assert set(found.checks) == {"torch", "chip", "lava-fixed"}
    assert found.checks["chip"].error_percent == pytest.approx(100 * (0.95 * 32 - 29) / 29)
    assert (found.gap.lre, found.gap.data) == (None, None)
    assert found.gap.quantisation == pytest.approx(0.95 * 30 / 29)


def test_coverage_and_errors_are_of_all_runs():
    errors = (10.0, -30.0, 2.0)
    runs = []
    for error in errors:
        content = full_content()
        content["lre"]["check"]["chip"] |= {"error_percent": error, "covered": abs(error) < 20}
        runs.append(check_run("run", Report.model_validate(content)))
    found = coverage(runs)
    assert (found.runs, found.covered) == (3, 2)
    assert found.mean_error_percent == pytest.approx(14.0)
    assert found.worst_error_percent == 30.0


def test_rounding_is_told_layer_by_layer():
    content = full_content()
    content["measured"]["chip"]["per_layer"][1]["synops"] = 27.0
    layers = check_run("run", Report.model_validate(content)).layers
    assert layers[1].synops == {"torch": 30.0, "chip": 27.0, "lava": 30.0, "lava-fixed": 29.0}
    assert layers[1].rounding == pytest.approx(-0.1)
    assert layers[0].rounding is None


@pytest.fixture
def call(tmp_path, capsys):
    def run(content, *arguments):
        folder = tmp_path / "run"
        folder.mkdir()
        write_run_folder(folder, Report.model_validate(content))
        with pytest.raises(SystemExit) as ended:
            main(["validate", str(folder), *arguments])
        return ended.value.code, *capsys.readouterr()

    return run


def test_validate_ends_with_code_0_where_the_interval_held(call):
    code, out, err = call(full_content())
    assert (code, err) == (0, "")
    for said in ("inside", "OUTSIDE"):
        assert (said in out) == (said == "inside")
    assert "1 run: LRE's interval held in 1 (100%), after the plain fine-tune" in " ".join(out.split())


def test_a_delivered_network_outside_of_what_was_predicted_of_it_is_shown_beside_lres_own(call):
    content = full_content()
    check = content["lre"]["check"]["chip"]
    content["lre"]["delivered"] = {
        **{"predicted": 33.0, "low": 30.0, "high": 36.0, "constant": 33.0},
        "check": {"chip": check | {"synops": 27.9, "covered": False, "error_percent": 18.2}},
    }
    code, out, _ = call(content)
    assert code == 0
    assert "the same of the delivered network, after the second phase" in out
    assert "OUTSIDE" in out
    assert "that of the delivered network in 0 of 1" in " ".join(out.split())


def test_a_network_that_fell_silent_in_the_chip_is_reported_as_such(call, tmp_path):
    content = full_content()
    content["lre"]["check"]["chip"] |= {"synops": 0.0, "error_percent": None, "covered": False}
    content["verdict"] |= {"prediction_error_percent": None, "covered": False}
    code, out, _ = call(content)
    assert code == 1
    assert "not comparable" in out
    assert "LRE's prediction cannot be held against chip" in verdict_text(Report.model_validate(content))
    found = tmp_path / "run"
    write_page(make_page([read_run(found), read_run(found)]), tmp_path / "page.html")
    assert "not comparable, OUTSIDE" in (tmp_path / "page.html").read_text()


def test_a_prediction_of_a_network_that_does_nothing_has_no_error():
    assert error_percent(32.0, 0.0) is None
    assert error_percent(33.0, 30.0) == pytest.approx(10)


def test_validate_ends_with_code_1_where_it_did_not_and_says_so_in_json(call):
    content = full_content()
    content["lre"]["check"]["chip"]["covered"] = False
    code, out, _ = call(content, "--json")
    found = json.loads(out)
    assert code == 1
    assert found["coverage"]["covered"] == 0
    (run,) = found["runs"]
    assert (run["basis"], run["covered"], run["measured_again"]) == ("chip", False, False)
    assert run["gap"]["lre"] * run["gap"]["data"] * run["gap"]["quantisation"] == pytest.approx(run["gap"]["total"])


def test_a_run_without_its_network_cannot_be_measured_again(call):
    code, out, err = call(full_content(), "--again")
    assert (code, out) == (2, "")
    assert "plain.pt: is missing, so that it cannot be measured again" in err


def test_validate_refuses_a_run_without_a_report(tmp_path, capsys):
    (tmp_path / "pruned.pt").write_bytes(b"")
    with pytest.raises(SystemExit) as ended:
        main(["validate", str(tmp_path)])
    assert ended.value.code == 2
    assert "report.json is missing" in capsys.readouterr().err
