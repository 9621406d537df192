"""Runs of several seeds, as one result with its spread."""

from statistics import stdev

import pytest
from run_reports import full_report

from spear_deploy.report.comparison import comparison_page
from spear_deploy.report.reading import RunFolder
from spear_deploy.report.seeds import by_seed, seed_rows

ASKED = {"seed": 0, "evaluations": 20, "workers": 2, "model": "here.pt"}


def run(seed, accuracy=0.9, *, ok=True, interrupted="", target="loihi2", **asked):
    report = full_report()
    measured = report.measured[report.verdict.basis].model_copy(update={"accuracy": accuracy})
    return report.model_copy(
        update={
            "seed": seed,
            "measured": report.measured | {report.verdict.basis: measured},
            "verdict": report.verdict.model_copy(update={"ok": ok}),
            "interrupted": interrupted,
            "target": target,
            "request": ASKED | {"seed": seed} | asked,
        }
    )


def test_runs_that_differ_in_nothing_but_the_seed_are_one_result():
    runs = {"a": run(0, 0.9), "b": run(1, 0.94, workers=1, model="there.pt"), "c": run(2, 0.95, ok=False)}
    (row,) = seed_rows(runs)
    target, budget, seeds, accuracy, *_, fine, inside = row
    assert (target, budget, seeds) == ("loihi2", "50%", "0, 1, 2")
    assert accuracy == f"93.00% ± {stdev([0.9, 0.94, 0.95]):.2%}"
    assert fine == "2 of 3"
    assert inside == "3 of 3"


@pytest.mark.parametrize(
    "other",
    [
        {"evaluations": 40},
        {"target": "loihi1"},
        {"interrupted": "search"},
    ],
)
def test_runs_that_differ_otherwise_are_not(other):
    assert by_seed({"a": run(0), "b": run(1, **other)}) == []


def test_of_a_seed_that_was_run_twice_one_counts():
    assert by_seed({"a": run(0), "b": run(0)}) == []
    (row,) = seed_rows({"a": run(0), "b": run(0), "c": run(1)})
    assert row[2] == "0, 1"


def test_the_page_has_a_table_of_seeds_where_there_are_some(tmp_path):
    def heads(*reports):
        runs = [RunFolder(tmp_path / str(place), report, (), {}, ()) for place, report in enumerate(reports)]
        (section,) = comparison_page(runs).sections
        return [table.table.columns for table in section.tables]

    assert any("seeds" in columns for columns in heads(run(0), run(1)))
    assert not any("seeds" in columns for columns in heads(run(0), run(1, evaluations=8)))
