"""A front's searches have equal numbers of evaluations, on a network that takes no time."""

import pytest
import torch
from made_networks import Chain

from benchmarks import fronts
from spear_deploy.data import EncodedSplit, SplitName
from spear_deploy.search import CandidateFactory, Prediction


class AsRecalibrated:
    needs_pruned_synops = False

    def predict(self, features):
        value = features.recalibrated_synops
        return Prediction(value, value, value)


@pytest.fixture(scope="module")
def given():
    chain = Chain((3,), 2)
    for number in range(3):
        chain = chain.linear(f"fc{number}", 12).neurons(f"lif{number}")
    images = torch.rand((20, 3), generator=torch.Generator().manual_seed(0))
    split = EncodedSplit(SplitName.TRAIN, images.expand(5, 20, 3), torch.arange(20) % 4, analog=True)
    return CandidateFactory(chain.linear("read", 4).neurons("out").model(), split), AsRecalibrated(), split


@pytest.fixture
def made_up(given, monkeypatch):
    kept = fronts.Kept()
    monkeypatch.setattr(fronts, "searched", lambda setting, pipeline, estimator: given)
    monkeypatch.setattr(fronts, "_kept", lambda setting: kept)
    monkeypatch.setattr(fronts, "EVALUATIONS", 8)
    return kept


@pytest.mark.parametrize("arm", fronts.ARMS)
def test_every_arm_has_the_same_number_of_evaluations_its_training_included(made_up, arm):
    found = fronts.front(None, arm, 0)
    assert found["evaluations"] == (6 if arm == "uniform" else 6 * 8)
    best = [found["best"][str(share)] for share in fronts.BUDGETS]
    assert best == sorted(best, reverse=True)  # what keeps a budget keeps every larger one


def test_the_agent_is_the_same_for_the_same_seed(made_up):
    assert fronts.front(None, "agent", 3) == fronts.front(None, "agent", 3)


def test_figures_of_an_agent_that_saw_another_state_are_told_as_such(made_up):
    now = {"arm": "agent", **fronts.front(None, "agent", 0)}
    before = {name: value for name, value in now.items() if name != "state"}
    assert fronts.earlier_agent([now, {"arm": "greedy"}]) == ""
    assert "The agent of this table is an earlier one" in fronts.earlier_agent([now, before])


def test_searches_that_share_what_is_known_find_what_each_finds_alone(made_up, monkeypatch):
    shared = [fronts.front(None, arm, 1) for arm in ("random", "greedy")]
    assert made_up.known
    for arm, before in zip(("random", "greedy"), shared, strict=True):
        alone = fronts.Kept()
        monkeypatch.setattr(fronts, "_kept", lambda setting, kept=alone: kept)
        assert fronts.front(None, arm, 1) == before


def test_the_page_pairs_each_arm_with_evolution_by_seed():
    ahead = {"evolution": 0.0, "agent": 0.01}
    runs = [
        {"arm": arm, "seed": seed, "best": {str(b): 0.5 + 0.1 * seed + ahead.get(arm, -0.02) for b in fronts.BUDGETS}}
        for arm in fronts.ARMS
        for seed in (0, 1)
    ]
    rows = {line.split(" | ")[0][2:]: line.split(" | ")[-1] for line in fronts.table(runs).splitlines() if "|" in line}
    assert rows["agent"] == "1.0 ± 0.0 |"
    assert rows["greedy"] == "-2.0 ± 0.0 |"


def test_on_several_chips_what_counts_for_one_fits_it(made_up, monkeypatch):
    narrow = {"wide": (), "narrow": ("synapse-memory=100B",)}
    case = fronts.Case("made up", lambda source: None, narrow, budgets=(0.7, 0.3))
    found = fronts.front(None, "greedy", 0, case)
    assert found["evaluations"] == 2 * 2 * 8
    assert set(found["best"]) == {"wide, 0.7", "wide, 0.3", "narrow, 0.7", "narrow, 0.3"}
    assert found["best"]["wide, 0.7"] > found["best"]["narrow, 0.7"]
    rows = fronts.table([{"arm": arm, "seed": 0, **found} for arm in ("greedy", "evolution")], case).splitlines()
    means = [100 * (found["best"][f"{chip}, 0.7"] + found["best"][f"{chip}, 0.3"]) / 2 for chip in narrow]
    assert rows[0] == "| 1 seed | wide | narrow | front | front, against evolution |"
    assert rows[2].startswith(f"| evolution | {means[0]:.1f} | {means[1]:.1f} | {sum(means) / 2:.1f}")
