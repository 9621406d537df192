"""The main job on networks whose channels hang together: sums, recurrence, constants of each neuron."""

from dataclasses import replace

import nir
import numpy as np
import pytest
from made_networks import Chain
from made_task import CLASSES, SHAPE, STEPS, write_task

from spear_deploy.hardware import load_profile, parse_budgets
from spear_deploy.jobs.deploy.deploy import deploy
from spear_deploy.jobs.deploy.request import DeployRequest
from spear_deploy.jobs.progress import Silent
from spear_deploy.network import Reset, load_any
from spear_deploy.search import TuningPlan
from spear_deploy.training import Recipe

RECIPE = Recipe(epochs=2, batch=16, learning_rate=5e-3)
PLAN = TuningPlan(RECIPE, replace(RECIPE, epochs=8))


def with_a_residual_sum():
    chain = Chain(SHAPE, seed=2).conv("conv1", 8).neurons("lif1").conv("conv2", 8).neurons("lif2", "conv2", "lif1")
    return chain.flatten().linear("fc", CLASSES).neurons("out")


def with_all_to_all_recurrence():
    chain = Chain(SHAPE, seed=2).conv("conv1", 6, stride=2).neurons("lif1").flatten().linear("fc1", 16).neurons("lif2")
    chain.linear("back", 16, bias=False)
    chain.edges.append(("back", "lif2"))
    chain.last = "lif2"
    return chain.linear("fc2", CLASSES).neurons("out")


def with_self_recurrence():
    chain = Chain(SHAPE, seed=2).conv("conv1", 8, stride=2).neurons("lif1")
    chain.add("back", nir.Scale(chain.rng.uniform(-0.3, 0.3, chain.shape)))
    chain.edges.append(("back", "lif1"))
    chain.last = "lif1"
    return chain.flatten().linear("fc", CLASSES).neurons("out")


def with_constants_of_each_neuron():
    chain = Chain(SHAPE, seed=2).conv("conv1", 8).neurons("lif1", each_its_own=True).conv("conv2", 8, stride=2)
    chain.neurons("lif2", each_its_own=True, reset=Reset.SUBTRACT).flatten()
    return chain.linear("fc", CLASSES).neurons("out", each_its_own=True)


HARD = {
    with_a_residual_sum: "loihi2",
    with_all_to_all_recurrence: "loihi2",
    with_self_recurrence: "spinnaker2",
    with_constants_of_each_neuron: "loihi2",
}
"""Each with its target: one that computes in integers as well, or one judged in floating point."""


@pytest.mark.slow
@pytest.mark.lava
@pytest.mark.parametrize(("make", "target"), HARD.items())
def test_forty_percent_of_the_synops_are_kept_and_lava_agrees(make, target, tmp_path):
    model = write_task(tmp_path, make().model(STEPS, data="samples.npz"))
    request = DeployRequest(
        model=model,
        targets=(load_profile(target),),
        out=tmp_path / "run",
        budgets=parse_budgets(["40%"]),
        lre_samples=8,
        evaluations=8,
        finalists=1,
        plan=PLAN,
    )
    (report,) = deploy(request, Silent()).values()
    assert set(report.agreement) == {"torch_lava"} | ({"chip_lava-fixed"} if target == "loihi2" else set())
    for name, agreement in report.agreement.items():
        assert agreement.equal, name
        assert agreement.layers == list(report.pruned.keep_ratios)
    assert 0 < report.measured[report.verdict.basis].synops <= report.budget.synops
    pruned = load_any(tmp_path / "run" / "pruned.pt").network
    dense = load_any(model).network
    for layer, ratio in report.pruned.keep_ratios.items():
        assert np.size(pruned.neurons[layer].beta) == round(ratio * np.size(dense.neurons[layer].beta))
    assert min(report.pruned.keep_ratios.values()) < 1
