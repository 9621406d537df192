import json
from types import SimpleNamespace

import pytest
import torch
from made_cluster import two_machines
from made_evidence import rooted

from benchmarks.evidence import tables
from benchmarks.evidence.page import write_page
from benchmarks.evidence.store import Hands, Unit, results

SETTING = SimpleNamespace(name="made-up")


def run_of(budget, seed, share, accuracy, *, covered=True, error=2.0, equal=True):
    check = {"error_percent": error, "covered": covered, "predicted": 100.0 + error, "synops": 100.0}
    return {
        "budget": budget,
        "seed": seed,
        "budget_synops": 1000.0,
        "share_of_budget": share,
        "answers": {"drop_points": 100 * (0.95 - accuracy)},
        "answers_to_given": {"drop_points": 100 * (0.96 - accuracy)},
        "delivered_uniform": False,
        "accuracy_on_target": accuracy,
        "parameters_share": 0.4,
        "repairs": 1,
        "agreements": {"torch_lava": equal},
        "lre_check": {"torch": check, "lava": check},
        "delivered": {"predicted": 100.0, "constant": 110.0, "check": {"lava": check}},
        "uniform": None,
    }


RUNS = [
    run_of("50%", 0, 0.96, 0.94),
    run_of("50%", 1, 1.02, 0.93, covered=False, error=-7.0),
    run_of("15%", 0, 0.8, 0.9),
]


def test_a_unit_that_was_gathered_is_not_run_again(tmp_path):
    calls = []

    def measure(setting, budget, seed):
        calls.append((setting.name, budget, seed))
        return {"figure": 3}

    units = [Unit("speed", measure, {"budget": "50%", "seed": 1})]
    Hands().gather(SETTING, tmp_path, units)
    Hands().gather(SETTING, tmp_path, units)
    assert calls == [("made-up", "50%", 1)]
    assert (tmp_path / "speed" / "50pct-1.json").is_file()
    (found,) = results(tmp_path, "speed")
    assert (found["budget"], found["seed"], found["figure"]) == ("50%", 1, 3)
    assert found["date"]


def test_a_unit_that_failed_leaves_nothing_behind(tmp_path):
    def fail(setting):
        raise RuntimeError

    with pytest.raises(RuntimeError):
        Hands().gather(SETTING, tmp_path, [Unit("speed", fail, {})])
    assert not list(tmp_path.rglob("*.json"))


def test_the_machines_of_a_cluster_make_what_one_process_makes(tmp_path):
    units = [Unit("rooted", rooted, {"of": number}) for number in range(3)]
    with two_machines() as (address, _):
        Hands(ray=address).gather(SETTING, tmp_path / "cluster", units)
    Hands().gather(SETTING, tmp_path / "here", units)
    Hands(processes=2).gather(SETTING, tmp_path / "processes", units)
    found = [results(tmp_path / who, "rooted") for who in ("cluster", "here", "processes")]
    told = [[(one["of"], one["root"], one["threads"]) for one in each] for each in found]
    root = torch.arange(3.0, dtype=torch.float64).sqrt()  # of torch's own, which is one bit off on some processors
    assert told[0] == told[1] == told[2] == [(number, float(root[number]), 1) for number in range(3)]


def test_the_sentence_on_the_promise_counts_what_the_runs_hold():
    sentence, table = tables.main_job(RUNS)
    assert sentence.startswith("1 of 3 runs exceed their budget on the test split, 1 use between 0.9 and 1.0 of it")
    assert "equal in Lava in 3" in sentence
    rows = [line.split(" | ") for line in table.splitlines()]
    assert rows[2][:4] == ["| 50%", "2", "0.990 (0.960 to 1.020)", "1"]
    assert rows[2][4:6] == ["-1.50 ± 0.71 (-2.00)", "-2.50 ± 0.71 (-3.00)"]
    assert rows[3][0] == "| 15%"


def test_uniform_pruning_is_paired_by_budget_and_seed():
    measured = {"accuracy": 0.95, "synops": 1010.0}
    uniform = [{"budget": "50%", "seed": 1, "test": measured}]
    paired = tables.with_uniform(RUNS, uniform)
    assert [run["uniform"] for run in paired] == [None, measured, None]
    _, table = tables.main_job(paired)
    assert "-2.00 ± 0.00, lost 1 | 1 |" in table


def test_the_sentence_on_lre_says_how_many_networks_its_interval_holds():
    sentence, table = tables.lre_check(RUNS)
    assert "errs by 3.7 % on average and 7.0 % at worst" in sentence
    assert "holds 2 of 3 networks" in sentence
    assert "| 50% | lava | 2 | 4.5 % | not recorded | 7.0 % | -2.5 % | 0.50 |" in table
    assert "coverage 0.09 to 0.99, Clopper-Pearson 95 %" in sentence


def test_the_delivered_networks_prediction_stands_beside_a_single_constants():
    _, table = tables.delivered(RUNS)
    assert "| 50% | lava | 2 | 4.5 % | 7.3 % | 7.0 % | -2.5 % | 0.50 |" in table


def test_a_page_holds_what_was_gathered_and_when(tmp_path):
    for number, run in enumerate(RUNS):
        path = tmp_path / "raw" / "main_job" / f"{number}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        arguments = {key: run[key] for key in ("budget", "seed")}
        content = {"arguments": arguments, "result": run, "seconds": 30.0, "date": f"2026-01-0{number + 1}"}
        path.write_text(json.dumps(content))
    write_page("digits", tmp_path / "raw", tmp_path / "page.md")
    page = (tmp_path / "page.md").read_text()
    assert "Made by `make evidence` on 2026-01-01 to 2026-01-03, 2 seeds of the main job" in page
    assert "## The promise" in page
    assert "## Strategies" not in page
