"""A front's searches have equal numbers of evaluations, on a network that takes no time."""

import pytest
import torch
from made_networks import Chain

from benchmarks.evidence.searched import Searched
from benchmarks.fronts import arms, cases, page, tuned
from spear_deploy.data import EncodedSplit, SplitName
from spear_deploy.search import CandidateFactory, Prediction, TuningPlan
from spear_deploy.training import Recipe


class AsRecalibrated:
    needs_pruned_synops = False

    def predict(self, features):
        value = features.recalibrated_synops
        return Prediction(value, value, value)


@pytest.fixture(scope="module")
def given():
    chain = Chain((3,), 2)
    for number in range(3):
        chain = chain.linear(f"fc{number}", 24).neurons(f"lif{number}")
    images = torch.rand((20, 3), generator=torch.Generator().manual_seed(0))
    split = EncodedSplit(SplitName.TRAIN, images.expand(5, 20, 3), torch.arange(20) % 4, analog=True)
    factory = CandidateFactory(chain.linear("read", 4).neurons("out").model(), split)
    return Searched(factory, AsRecalibrated(), split, split)


@pytest.fixture
def made_up(given, monkeypatch):
    kept = cases.Kept()
    monkeypatch.setattr(cases, "given", lambda setting: given)
    monkeypatch.setattr(cases, "kept", lambda setting: kept)
    monkeypatch.setattr(arms, "EVALUATIONS", 8)
    return kept


@pytest.fixture(scope="module")
def agent_s(given):
    """An agent's front, for all that asks no more than one."""
    kept = cases.Kept()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cases, "given", lambda setting: given)
        patch.setattr(cases, "kept", lambda setting: kept)
        patch.setattr(arms, "EVALUATIONS", 8)
        return arms.front(None, "agent", 0, "digits")


@pytest.mark.parametrize("arm", arms.ARMS)
def test_every_arm_has_the_same_number_of_evaluations_its_training_included(made_up, agent_s, arm):
    found = agent_s if arm == "agent" else arms.front(None, arm, 0, "digits")
    assert found["evaluations"] == (6 if arm == "uniform" else 6 * 8)
    best = [found["best"][str(share)] for share in cases.BUDGETS]
    assert best == sorted(best, reverse=True)  # what keeps a budget keeps every larger one


def test_the_agent_is_the_same_for_the_same_seed(made_up, agent_s):
    assert arms.front(None, "agent", 0, "digits") == agent_s


def test_figures_of_an_agent_that_saw_another_state_are_told_as_such(agent_s):
    now = {"arm": "agent", **agent_s}
    before = {name: value for name, value in now.items() if name != "state"}
    assert page.earlier_agent([now, {"arm": "greedy"}]) == ""
    assert "The agent of this table is an earlier one" in page.earlier_agent([now, before])


def test_searches_that_share_what_is_known_find_what_each_finds_alone(made_up, monkeypatch):
    shared = [arms.front(None, arm, 1, "digits") for arm in ("random", "greedy")]
    assert made_up.known
    for arm, before in zip(("random", "greedy"), shared, strict=True):
        alone = cases.Kept()
        monkeypatch.setattr(cases, "kept", lambda setting, kept=alone: kept)
        assert arms.front(None, arm, 1, "digits") == before


def test_the_page_pairs_each_arm_with_evolution_by_seed():
    ahead = {"evolution": 0.0, "agent": 0.01}
    runs = [
        {"arm": arm, "seed": seed, "best": {str(b): 0.5 + 0.1 * seed + ahead.get(arm, -0.02) for b in cases.BUDGETS}}
        for arm in arms.ARMS
        for seed in (0, 1)
    ]
    rows = {line.split(" | ")[0][2:]: line.split(" | ")[-1] for line in page.table(runs).splitlines() if "|" in line}
    assert rows["agent"] == "1.0 ± 0.0 |"
    assert rows["greedy"] == "-2.0 ± 0.0 |"
    without = page.table([run for run in runs if run["arm"] != "evolution"])
    assert next(line for line in without.splitlines() if line.startswith("| agent")).endswith("|  |")


def test_on_several_chips_what_counts_for_one_fits_it(made_up, monkeypatch):
    narrow = {"wide": (), "narrow": ("synapse-memory=250B",)}
    case = cases.Case("made up", lambda source: None, narrow, budgets=(0.7, 0.3))
    monkeypatch.setitem(cases.CASES, "made up", case)
    found = arms.front(None, "greedy", 0, "made up")
    assert found["evaluations"] == 2 * 2 * 8
    assert set(found["best"]) == {"wide, 0.7", "wide, 0.3", "narrow, 0.7", "narrow, 0.3"}
    assert found["best"]["wide, 0.7"] > found["best"]["narrow, 0.7"]
    rows = page.table([{"arm": arm, "seed": 0, **found} for arm in ("greedy", "evolution")], case).splitlines()
    means = [100 * (found["best"][f"{chip}, 0.7"] + found["best"][f"{chip}, 0.3"]) / 2 for chip in narrow]
    assert rows[0] == "| 1 seed | wide | narrow | front | front, against evolution |"
    assert rows[2].startswith(f"| evolution | {means[0]:.1f} | {means[1]:.1f} | {sum(means) / 2:.1f}")


def test_the_agent_breaks_even_from_the_number_of_pairs_from_which_it_is_not_behind(monkeypatch):
    few, more = (
        cases.Case("made up", lambda source: None, {str(n): () for n in range(chips)}, budgets=(0.5, 0.17))
        for chips in (1, 2)
    )
    monkeypatch.setattr(page, "CASES", {"digits-2": few, "digits-4": more})
    monkeypatch.setattr(page, "figures_by_arm", lambda runs, case: {a: runs[0][a] for a in ("agent", *page.RIVALS)})

    def gap(*points):
        agent = {seed: [50.0 + each] for seed, each in enumerate(points)}
        return [{"agent": agent, **{arm: {seed: [50.0] for seed in agent} for arm in page.RIVALS}}]

    told = page.break_even({"digits-2": gap(-1.0), "digits-4": gap(0.5)})
    assert "| digits | 2 | -1.0 | -1.0 | -1.0 |\n| digits | 4 | 0.5 | 0.5 | 0.5 |" in told
    assert "- digits: even with evolution from 4 pairs on; " in told
    assert "behind greedy at up to 4;" in page.break_even({"digits-2": gap(1.0), "digits-4": gap(-0.1)})
    unsure, sure = gap(-0.3, 0.2, -0.2), gap(-0.3, -0.1, -0.2)  # by 0.10 ± 0.15, and by 0.20 ± 0.06
    assert "even with greedy from 2 pairs on;" in page.break_even({"digits-2": gap(1.0), "digits-4": unsure})
    assert "behind greedy at up to 4;" in page.break_even({"digits-2": gap(1.0), "digits-4": sure})


def test_the_figure_has_a_panel_a_network_and_a_curve_an_arm():
    best = {str(share): 0.5 for share in cases.BUDGETS}
    runs = [{"arm": arm, "seed": 0, "best": best} for arm in ("evolution", "greedy")]
    two = {"budgets": [{**run, "best": {"0.5": 0.5, "0.17": 0.4}} for run in runs]}
    drawn = page.figure({"digits": runs, "mnist": runs, "digits-2": two["budgets"]})
    assert [len(panel.series) for panel in drawn.panels] == [2, 2]
    assert drawn.panels[0].series[0].x == cases.BUDGETS


def test_a_page_of_few_budgets_alone_has_no_figure():
    runs = [{"arm": arm, "seed": 0, "best": {"0.5": 0.5, "0.17": 0.4}} for arm in ("agent", "evolution", "greedy")]
    assert page.figure({"digits-2": runs}).panels == ()
    few = page.page({"digits-2": runs}, {})
    assert "fronts.svg" not in few
    assert "even with greedy, carried" not in few  # which was not run
    whole = [{**run, "best": dict.fromkeys(map(str, cases.BUDGETS), 0.5)} for run in runs]
    told = page.page({"digits": whole, "mnist-deep": whole}, {})
    assert "(fronts.svg)" in told
    assert told.count(page.NOTES["mnist-deep"]) == 1


def test_after_fine_tuning_accuracies_are_paired_with_evolution_by_seed():
    def run(arm, seed, accuracy):
        return {"arm": arm, "seed": seed, "tuned": {s: {"accuracy": accuracy, "share": 0.98} for s in ("0.5", "0.17")}}

    runs = [run("evolution", seed, 0.9 + 0.01 * seed) for seed in (0, 1)]
    runs += [run("agent", seed, 0.91 + 0.01 * seed) for seed in (0, 1, 2)]
    agent, evolution = page.tuned_table({"digits": runs}).splitlines()[2:]
    assert agent.endswith("agent (2 seeds) | 91.5 ± 0.5 | 91.5 ± 0.5 | 1.0 ± 0.0 | 1.0 ± 0.0 | 0 of 4 |")
    assert "|  |  | 0 of 4 |" in evolution


def test_the_best_of_a_front_are_fine_tuned_within_their_budgets(made_up, monkeypatch):
    short = Recipe(epochs=2, batch=10, learning_rate=5e-3)
    found = tuned.tuned(None, "greedy", 0, TuningPlan(short, short))["tuned"]
    assert set(found) == {"0.5", "0.17"}
    best = arms.front(None, "greedy", 0, "digits")["best"]
    assert {share: one["before"] for share, one in found.items()} == {share: best[share] for share in found}
    assert all(one["share"] > 0 and 0 <= one["accuracy"] <= 1 for one in found.values())
