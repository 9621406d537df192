"""The evidence of pools before neurons: both arms begin with one network's weights, and the page shows the figures."""

from dataclasses import replace

import torch

from benchmarks import tutorial_pools
from benchmarks.evidence.store import results
from benchmarks.tutorial_pools import ARMS, PAGE, RAW, TUTORIALS, model, network, page, pairs, table, weights
from spear_deploy.hardware import load_profile
from spear_deploy.network import Simulation
from spear_deploy.targets.adapt import adapt


def kept():
    found = {name: results(RAW, name) for name in TUTORIALS}
    return {name: runs for name, runs in found.items() if runs}


def test_the_page_shows_what_the_raw_figures_say():
    assert PAGE.read_text() == page(kept())
    assert all(pairs(runs) for runs in kept().values())


def test_both_arms_have_the_same_weights_and_only_one_has_pools_of_currents():
    small = replace(TUTORIALS["mnist"], widths=(2, 3))
    torch.manual_seed(0)
    net = network(small)
    as_it_is, by_hand = (model(small, net, arm) for arm in ARMS)
    assert weights(as_it_is) == weights(by_hand)
    changes = [adapt(each, load_profile("loihi2"), torch.rand(4, 3, 1, 28, 28)).changes for each in (as_it_is, by_hand)]
    assert [len(found) for found in changes] == [2, 0]


def test_a_pool_moved_by_hand_gives_the_spikes_of_a_pool_moved_by_adapt():
    small = replace(TUTORIALS["mnist"], widths=(2, 3))
    torch.manual_seed(0)
    net, x = network(small), torch.rand(4, 3, 1, 28, 28)
    found = adapt(model(small, net, "adapt"), load_profile("loihi2"), x)
    assert all("behind it" in change.after for change in found.changes)
    outputs = [Simulation(each.graph)(3 * x).output for each in (found.model, model(small, net, "by hand"))]
    assert torch.equal(*outputs)


def test_a_difference_is_of_the_same_seed(monkeypatch):
    run = {"samples": 10, "synops": 5.0, "trained": 0.5, "verdict": {"ok": True}, "adaptations": [], "weights": "w"}
    runs = [
        run | {"seed": seed, "arm": arm, "accuracy": accuracy}
        for seed, both in {0: (0.9, 0.8), 1: (0.5, 0.6), 2: (0.7, 0.7)}.items()
        for arm, accuracy in zip(ARMS, both, strict=True)
    ]
    monkeypatch.setattr(tutorial_pools, "_became", lambda found: "")
    text = table(runs)
    assert "| +10.00 |" in text
    assert "Mean difference +0.00 points, standard error 5.77." in text
