"""Runs are found in their own folder, in one of several targets or budgets, and in one of both."""

import pytest
from run_reports import full_report, write_run_folder

from spear_deploy.cli import main
from spear_deploy.errors import RunError
from spear_deploy.report.reading import find_runs


@pytest.fixture
def front(tmp_path):
    """What several targets and budgets leave: a folder for each target, and there one for each budget."""
    for target in ("loihi2", "spinnaker2"):
        for budget in ("15pct", "30pct"):
            (tmp_path / "runs" / target / budget).mkdir(parents=True)
            write_run_folder(tmp_path / "runs" / target / budget, full_report())
    return tmp_path / "runs"


def test_runs_of_several_targets_and_budgets_are_found_at_either_depth(front):
    every = [front / target / budget for target in ("loihi2", "spinnaker2") for budget in ("15pct", "30pct")]
    assert find_runs([front]) == every
    assert find_runs([front / "loihi2"]) == every[:2]
    assert find_runs([front / "loihi2" / "30pct", front]) == [every[1], every[0], *every[2:]]


def test_a_folder_that_is_a_run_is_that_run_whatever_lies_in_it(front):
    (front / "loihi2" / "15pct" / "copy").mkdir()
    write_run_folder(front / "loihi2" / "15pct" / "copy", full_report())
    assert find_runs([front / "loihi2" / "15pct"]) == [front / "loihi2" / "15pct"]


def test_runs_further_down_are_nobodys(front):
    with pytest.raises(RunError, match="holds none of"):
        find_runs([front.parent])


@pytest.mark.parametrize("verb", ["report", "validate"])
def test_verbs_take_the_folder_of_several_targets_and_budgets(front, capsys, verb):
    with pytest.raises(SystemExit) as ended:
        main((verb, str(front)))
    assert ended.value.code in (0, 1), capsys.readouterr().err
    assert verb == "validate" or (front / "comparison.html").is_file()
