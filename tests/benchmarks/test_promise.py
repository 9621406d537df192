"""The table of what was promised, over the figures that the repository keeps."""

import json
from pathlib import Path

from made_task import write_task

from benchmarks.promise.runs import BUDGETS, run
from benchmarks.promise.tables import table
from spear_deploy.search import TuningPlan
from spear_deploy.training import Recipe

RAW = Path(__file__).parents[2] / "docs" / "evidence" / "raw" / "promise"


def kept():
    return [json.loads(path.read_text()) for path in sorted(RAW.glob("*.json"))]


def test_the_page_shows_what_the_raw_figures_say():
    page = (RAW.parents[1] / "promise.md").read_text()
    assert table(kept()) in page


def test_every_run_is_counted_once_and_a_ruin_is_never_called_ok():
    runs = [(each["network"], budget, one) for each in kept() for budget, one in each.get("budgets", {}).items()]
    assert {budget for _, budget, _ in runs} == set(BUDGETS)
    text = table(kept())
    assert f"{len(runs)} runs" in text
    assert f"{sum('refused' in each for each in kept())} of them refused as they are" in text
    assert not [one for *_, one in runs if one.get("ruined") and one["ok"]]


def test_a_run_over_its_budget_is_counted_apart_where_a_shift_was_told():
    (one, *_) = kept()
    (budget, run), *_ = one["budgets"].items()
    over = run | {"synops": run["synops"] | {"test": 2 * run["budget_synops"]}}
    told = one | {"budgets": {budget: over}, "shift": ["the dense network's SynOps are higher"]}
    assert "no shift told before: 0 of 0" in table([told])
    assert "shift told: 1 of 1" in table([told])
    assert "no shift told before: 1 of 1" in table([told | {"shift": []}])


def test_a_network_goes_through_one_budget_and_all_that_the_table_shows_is_found(tmp_path):
    plan = TuningPlan(Recipe(epochs=1, batch=16, learning_rate=5e-3), Recipe(epochs=2, batch=16, learning_rate=5e-3))
    found = run(
        write_task(tmp_path), budgets=("50%",), plan=plan, lre_samples=8, evaluations=4, finalists=1, cache=tmp_path
    )
    one = found["budgets"]["50%"]
    assert one["synops"]["test"] <= one["budget_synops"]
    assert one["uniform"]["bound"] > 0
    assert "| model | 50% |" in table([found])
