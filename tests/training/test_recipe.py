import math

import numpy as np
import pytest
import torch
from made_networks import Chain, plain
from torch.nn import functional as F

from spear_deploy.data import EncodedSplit, SplitName
from spear_deploy.measure import accuracy_on
from spear_deploy.network import Simulation
from spear_deploy.training import Recipe, fine_tune


def rates(recipe, steps):
    parameter = torch.nn.Parameter(torch.ones(1))
    optimiser = recipe.optimiser_of([("weight", parameter)])
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
    optimiser = Recipe(learning_rate=0.1, optimiser="sgd", weight_decay=0.5).optimiser_of([("weight", parameter)])
    weight, velocity = 2.0, 0.0
    for gradient in (1.0, -0.5, 0.25):
        parameter.grad = torch.tensor([gradient], dtype=torch.float64)
        optimiser.step()
        velocity = 0.9 * velocity + gradient + 0.5 * weight
        weight -= 0.1 * velocity
    assert parameter.item() == pytest.approx(weight)


@pytest.mark.parametrize(("name", "theirs"), [("adam", torch.optim.Adam), ("sgd", torch.optim.SGD)])
def test_steps_and_states_are_those_of_torchs_optimiser_to_the_last_bit(name, theirs):
    steps = {}
    for ours in (True, False):
        weight = torch.nn.Parameter(torch.randn(20, 30, generator=torch.Generator().manual_seed(0)))
        recipe = Recipe(optimiser=name, weight_decay=0.01)
        momentum = {"momentum": 0.9} if name == "sgd" else {}
        optimiser = (
            recipe.optimiser_of([("weight", weight)])
            if ours
            else theirs([weight], lr=recipe.learning_rate, weight_decay=0.01, **momentum)
        )
        schedule = recipe.schedule_of(optimiser, 12)
        for _ in range(12):
            optimiser.zero_grad()
            (weight**3).sum().backward()
            optimiser.step()
            schedule.step()
            optimiser.load_state_dict(optimiser.state_dict())
        steps[ours] = weight.detach(), optimiser.state_dict()
    assert torch.equal(steps[True][0], steps[False][0])
    assert str(steps[True][1]) == str(steps[False][1])


def test_adam_moves_the_weights_of_a_wide_layer_by_as_much_less_as_it_is_wider():
    """What a neuron hears moves by the sum of its weights' steps: alike, whether 200 or 2,000 inputs."""
    heard = {}
    for fan_in in (200, 1000, 4000):
        torch.manual_seed(0)
        weight, bias = torch.nn.Parameter(torch.zeros(8, fan_in, 1, 1)), torch.nn.Parameter(torch.zeros(8))
        optimiser = Recipe(learning_rate=0.01).optimiser_of([("conv.weight", weight), ("conv.bias", bias)])
        weight.grad, bias.grad = torch.ones_like(weight), torch.ones_like(bias)
        optimiser.step()
        heard[fan_in] = -float(weight.detach().sum(1).mean())
        assert bias.detach().numpy() == pytest.approx(-0.01 * np.ones(8), rel=1e-4)
    assert heard[200] == pytest.approx(200 * 0.01, rel=1e-4)
    assert heard[1000] == pytest.approx(heard[4000], rel=1e-4)
    assert heard[4000] == pytest.approx(288 * 0.01, rel=1e-4)


def test_constants_of_neurons_are_no_weights_however_many_there_are():
    constants = torch.nn.Parameter(torch.zeros(8, 40, 40))
    optimiser = Recipe(learning_rate=0.01).optimiser_of([("neurons.scale", constants)])
    assert [group["lr"] for group in optimiser.param_groups] == [0.01]


def test_a_wide_network_is_not_wiped_out_by_a_fine_tune():
    """One with layers of 1,500 and 500, on noisy copies of one image a class, at the rate of deploy's fine-tunes."""
    chain = Chain((40,))
    for name, outputs in (("first", 1500), ("second", 500), ("last", 10)):
        chain.linear(name, outputs, bias=False, zeros=0.0).neurons(f"{name}_lif")
    labels = torch.arange(240) % 10
    images = torch.rand((10, 40), generator=torch.Generator().manual_seed(0))[labels]
    noise = torch.rand((240, 40), generator=torch.Generator().manual_seed(1))
    train = EncodedSplit(SplitName.TRAIN, (images + 0.3 * noise).expand(3, 240, 40), labels, analog=True)
    before = fine_tune(chain.model(3), train, Recipe(epochs=3, batch=24, learning_rate=5e-4), seed=0)
    after = fine_tune(before, train, Recipe(epochs=2, batch=24, learning_rate=5e-3), seed=0)
    assert accuracy_on(before, train) > 0.3
    assert accuracy_on(after, train) > accuracy_on(before, train)


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
