"""Runs of several seeds, as one result with its spread."""

from statistics import stdev

import pytest
from run_reports import full_report, write_run_folder

from spear_deploy.cli import main
from spear_deploy.report.answers_part import MaxDrop
from spear_deploy.report.comparison import comparison_page
from spear_deploy.report.reading import RunFolder
from spear_deploy.report.seeds import by_seed, left_out, seed_columns, seed_rows

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


DROP = {"quantity": "max-drop", "allowed": 3.0, "origin": "budget max-drop=3", "share": False}
CORES = {"quantity": "cores", "allowed": 2.0, "origin": "budget cores=2", "share": False}
LOIHI1, LOIHI2 = ({"content": {"name": name, "cores": 128}} for name in ("loihi1", "loihi2"))


def synops(share):
    return {"quantity": "synops", "allowed": float(share[:-1]) / 100, "origin": f"budget {share}", "share": True}


def searched(report, found):
    """With a largest drop, and a budget that was found for it."""
    budget = report.budget.model_copy(update={"source": found})
    return report.model_copy(update={"budget": budget, "max_drop": MaxDrop(points=3, test_drop_points=1, tried=[])})


def test_runs_that_differ_in_nothing_but_the_seed_are_one_result():
    runs = {"a": run(0, 0.9), "b": run(1, 0.94, workers=1, model="there.pt"), "c": run(2, 0.95, ok=False)}
    (row,) = seed_rows(runs)
    network, target, budget, seeds, accuracy, *_, fine, inside = row
    assert (network, target, budget, seeds) == ("model", "loihi2", "50%", "0, 1, 2")
    assert accuracy == f"93.00% ± {stdev([0.9, 0.94, 0.95]):.2%}"
    assert fine == "2 of 3"
    assert inside == "3 of 3"


def test_budgets_that_stand_as_texts_are_those_that_stand_as_limits():
    by_text, by_limit = run(0, budgets=["50%", "cores=2", "max-drop=3"]), run(1, budgets=[DROP, synops("50%"), CORES])
    (row,) = seed_rows({"a": by_text, "b": by_limit})
    assert row[2:4] == ("50%, cores=2, max-drop=3", "0, 1")


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
    assert row[3] == "0, 1"


def test_what_no_mean_holds_is_named_with_the_reason():
    runs = {"a": run(0), "b": run(1), "c": run(2, interrupted="search"), "d": run(1), "e": run(3, target="loihi1")}
    assert [row[3] for row in seed_rows(runs)] == ["0, 1"]
    assert left_out(runs) == [
        "In no mean: b, seed 1 (run once more: d); c, seed 2 (its user cut it short in the search)"
    ]
    assert left_out({"a": run(0), "c": run(1, interrupted="search")}) == [
        "In no mean: c, seed 1 (its user cut it short in the search)"
    ]
    assert left_out({"a": run(0), "b": run(1), "e": run(3, target="loihi1", interrupted="search")}) == []


def test_the_page_marks_a_run_that_was_cut_short_wherever_it_stands(tmp_path):
    cut = run(2, interrupted="fine-tune")
    runs = [RunFolder(tmp_path / str(place), one, (), {}, ()) for place, one in enumerate((run(0), run(1), cut))]
    page = comparison_page(runs)
    (section,) = page.sections
    by_seeds = next(table for table in section.tables if "seeds" in table.table.columns)
    assert "In no mean: 2 (cut short), seed 2 (its user cut it short in the fine-tune)" in by_seeds.caption
    others = [table.table.rows for table in section.tables if table is not by_seeds]
    assert all([row[0] for row in rows] == ["0", "1", "2 (cut short)"] for rows in others)
    assert ["the best so far" in row[1] for row in others[-1]] == [False, False, True]
    assert page.verdict.endswith("Cut short, and the best so far: 1.")
    assert "the best so far" not in comparison_page(runs[:2]).verdict


def test_the_smallest_budget_for_a_drop_is_a_result_and_no_setting():
    """(15.2 + 27.6) / 2 = 21.4, and 12.4 / sqrt(2) = 8.8."""
    (row,) = seed_rows({str(seed): searched(run(seed, budgets=[DROP]), f) for seed, f in ((0, "15.2%"), (1, "27.6%"))})
    assert row[2] == "smallest found: 21.4% ± 8.8%, max-drop=3"
    asked = {"budgets": [DROP, synops("30%")]}
    assert by_seed({"a": searched(run(0, **asked), "30%"), "b": searched(run(1, **asked), "25%")}) == []


def test_a_result_is_the_same_whatever_was_asked_for_beside_it():
    alone = run(0, budgets=[synops("50%")], targets=[LOIHI2])
    front = run(1, budgets=[], pareto=[synops("50%"), synops("30%")], targets=[LOIHI1, LOIHI2])
    (row,) = seed_rows({"a": alone, "b": front})
    assert row[:4] == ("model", "loihi2", "50%", "0, 1")


@pytest.mark.parametrize("asked", [{"strategy": "agent"}, {"agent": "agent.npz"}, {"lre_error": 0.03}])
def test_a_front_is_part_of_what_is_learned_from_all_of_it(asked):
    budgets = [synops("50%"), synops("30%")]
    assert by_seed({"a": run(0, pareto=budgets[:1], **asked), "b": run(1, pareto=budgets, **asked)}) == []
    assert len(by_seed({"a": run(0, pareto=budgets, **asked), "b": run(1, pareto=budgets, **asked)})) == 1


def test_other_profiles_of_a_name_and_other_budgets_are_other_settings():
    other = {"content": {"name": "loihi2", "cores": 8}}
    assert by_seed({"a": run(0, targets=[LOIHI2]), "b": run(1, targets=[other])}) == []
    assert by_seed({"a": run(0, budgets=[DROP]), "b": run(1, budgets=[CORES])}) == []


def test_columns_say_what_they_are_of():
    cores, both = {"budgets": [CORES]}, {"budgets": [synops("50%"), CORES]}
    settings = [cores, both, both | {"evaluations": 40}, both | {"evaluations": 60}]
    runs = [run(seed, **asked) for asked in settings for seed in (0, 1)]
    other = [one.model_copy(update={"model_sha256": "ee" * 32, "model": "old/model.pt"}) for one in runs[:2]]
    named = {str(place): report for place, report in enumerate((*runs, *other))}
    columns, rows = seed_columns(named), seed_rows(named)
    assert columns[:4] == ("network", "target", "budget", "settings")
    assert [row[:4] for row in rows] == [
        ("nets/model", "loihi2", "cores=2", ""),
        ("nets/model", "loihi2", "50%, cores=2", "evaluations 20"),
        ("nets/model", "loihi2", "50%, cores=2", "evaluations 40"),
        ("nets/model", "loihi2", "50%, cores=2", "evaluations 60"),
        ("old/model", "loihi2", "cores=2", ""),
    ]


def test_no_two_columns_read_the_same_however_much_they_differ_in():
    same = {f"a{place}": 1 for place in range(5)}
    runs = [run(seed, **asked) for asked in ({}, same | {"z": 0}, same | {"z": 1}) for seed in (0, 1)]
    rows = seed_rows({str(place): report for place, report in enumerate(runs)})
    assert len({row[:4] for row in rows}) == len(rows) == 3


def test_the_page_has_a_table_of_seeds_where_there_are_some(tmp_path):
    def heads(*reports):
        runs = [RunFolder(tmp_path / str(place), report, (), {}, ()) for place, report in enumerate(reports)]
        (section,) = comparison_page(runs).sections
        return [table.table.columns for table in section.tables]

    assert any("seeds" in columns for columns in heads(run(0), run(1)))
    assert not any("seeds" in columns for columns in heads(run(0), run(1, evaluations=8)))


def test_runs_of_several_seeds_are_told_with_their_spread(tmp_path, capsys):
    errors = []

    def call(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(["report", *map(str, arguments)])
        said = capsys.readouterr()
        errors.append("".join(said.err.split()))
        return ended.value.code, said.out

    for seed in (0, 1):
        path = tmp_path / f"seed-{seed}"
        path.mkdir()
        report = full_report()
        write_run_folder(path, report.model_copy(update={"seed": seed, "request": {"seed": seed}}))
    cut = full_report().model_copy(update={"seed": 2, "request": {"seed": 2}, "interrupted": "search"})
    (tmp_path / "seed-2").mkdir()
    write_run_folder(tmp_path / "seed-2", cut)
    code, out = call(tmp_path / "seed-0", tmp_path / "seed-1", "--out", tmp_path / "both.html")
    assert code == 0
    assert "± their standard deviation" in out
    assert "2 of 2" in out
    assert max(len(line) for line in out.splitlines() if line[0] in "┌│└") <= 80
    code, out = call(tmp_path / "seed-0", "--out", tmp_path / "one.html")
    assert "standard deviation" not in out
    assert errors == ["", ""]
    code, out = call(tmp_path / "seed-0", tmp_path / "seed-2", tmp_path / "seed-1", "--out", tmp_path / "all.html")
    assert code == 0
    assert "2 of 2" in out
    assert "seed2(itsusercutitshortinthesearch)" in "".join(out.split())
    assert errors[-1].endswith("seed-2(cutshortinthesearch:thebestsofar)")
