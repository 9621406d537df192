import math

import numpy as np
import pytest
import torch
from made_networks import Chain, plain
from torch.nn import functional as F

from spear_deploy.data import EncodedSplit, SplitName
from spear_deploy.network import Simulation
from spear_deploy.training import Recipe, fine_tune


def rates(recipe, steps):
    parameter = torch.nn.Parameter(torch.ones(1))
    optimiser = recipe.optimiser_of([parameter])
    schedule = recipe.schedule_of(optimiser, steps)
    seen = []
    for _ in range(steps):
        seen.append(optimiser.param_groups[0]["lr"])
        parameter.grad = torch.zeros(1)
        optimiser.step()
        schedule.step()
    return seen


def test_the_rate_falls_along_a_cosine():
    assert rates(Recipe(learning_rate=0.2), 8) == pytest.approx(
        [0.1 * (1 + math.cos(math.pi * step / 8)) for step in range(8)]
    )


def test_a_warm_up_scales_the_first_steps_of_the_cosine():
    warm, plain_rates = rates(Recipe(warm_up=0.25), 16), rates(Recipe(), 16)
    assert [one / other for one, other in zip(warm, plain_rates, strict=True)] == pytest.approx(
        [0.25, 0.5, 0.75, 1.0, *[1.0] * 12]
    )


def test_sgd_steps_as_its_equation_says():
    """v <- .9 v + g + decay w; w <- w - rate v (Sutskever et al., ICML 2013, as torch documents it)."""
    parameter = torch.nn.Parameter(torch.tensor([2.0], dtype=torch.float64))
    optimiser = Recipe(learning_rate=0.1, optimiser="sgd", weight_decay=0.5).optimiser_of([parameter])
    weight, velocity = 2.0, 0.0
    for gradient in (1.0, -0.5, 0.25):
        parameter.grad = torch.tensor([gradient], dtype=torch.float64)
        optimiser.step()
        velocity = 0.9 * velocity + gradient + 0.5 * weight
        weight -= 0.1 * velocity
    assert parameter.item() == pytest.approx(weight)


def test_an_optimiser_that_is_not_known_is_refused_with_those_that_are():
    with pytest.raises(ValueError, match="'lion'; known: adam, sgd"):
        Recipe(optimiser="lion").optimiser_of([])


def count_loss(step, labels):
    return (step - F.one_hot(labels, step.shape[1])).square().sum(1).mean()


SPIKING = plain().model()
MEMBRANES = Chain((3,), 3).linear("fc1", 12).neurons("a").linear("fc2", 4).membranes("out").model(read_out="membrane")


@pytest.mark.parametrize(("model", "loss"), [(SPIKING, count_loss), (MEMBRANES, F.cross_entropy)])
def test_tet_is_the_mean_of_the_losses_of_single_steps(model, loss):
    """One step of SGD on it moves weights as the gradient of the losses, step by step, says."""
    generator = torch.Generator().manual_seed(0)
    inputs, labels = torch.rand((5, 8, 3), generator=generator), torch.arange(8) % 4
    data = EncodedSplit(SplitName.TRAIN, inputs, labels, analog=True)
    trained = fine_tune(model, data, Recipe(1, 8, 0.1, optimiser="sgd", each_step=True), seed=0)
    simulation = Simulation(model.graph)
    torch.stack([loss(step, labels) for step in simulation(inputs).output.flatten(2)]).mean().backward()
    moved = 0.0
    for name, node in model.graph.nodes.items():
        if hasattr(node, "weight"):
            gradient = simulation.module(name).weight.grad.numpy() * (node.weight != 0)
            assert np.allclose(trained.graph.nodes[name].weight, node.weight - 0.1 * gradient, atol=1e-6)
            moved = max(moved, np.abs(gradient).max())
    assert moved > 1e-3
