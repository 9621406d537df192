import itertools

import nir
import numpy as np
import pytest
import torch
from random_networks import Builder, events, images, neurons, random_models

from spear_deploy.backends.fixed_point import quantize
from spear_deploy.backends.lava import run_lava, run_lava_fixed
from spear_deploy.errors import BackendError
from spear_deploy.network import Model, ReadOut, Simulation, fan_out, node_of

pytestmark = pytest.mark.lava
LIMIT_S = 120


def simulate(model, inputs):
    with torch.no_grad():
        return {name: output.numpy() for name, output in Simulation(model.graph, torch.float64)(inputs).outputs.items()}


def assert_same(model, inputs, run):
    expected = simulate(model, inputs[:, : run.samples])
    assert list(run.outputs) == model.network.layers
    for name, output in expected.items():
        if model.network.neurons[name].spikes:
            np.testing.assert_array_equal(run.outputs[name], output, err_msg=name)
        else:  # the order of a sum differs: a few units in the last place
            np.testing.assert_allclose(run.outputs[name], output, rtol=1e-12, atol=1e-12, err_msg=name)
    return expected


@pytest.mark.parametrize("seed", range(8))
def test_lava_and_torch_give_the_same_spikes_in_every_layer(seed):
    model = random_models(seed, chains=4)
    source = images if seed % 2 else events
    inputs = source(seed, model.time_steps, 5)

    run = run_lava(model, inputs, time_limit_s=LIMIT_S)

    expected = assert_same(model, inputs, run)
    assert run.samples == 5
    assert sum(output.any() for output in expected.values()) > len(expected) / 2


def test_lava_runs_with_as_many_synapses_as_the_network_has():
    rng = np.random.default_rng(9)
    chain = Builder(rng).conv("conv", 4, stride=2).spiking("lif")
    chain.add("pool", nir.SumPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0])))
    chain.conv("grouped", 4, groups=2, padding=1).spiking("lif2").flatten().linear("out", 5).spiking("lif3")
    model = chain.model(3)

    run = run_lava(model, events(9, 3, 3), time_limit_s=LIMIT_S)

    for connection in model.network.connections:
        np.testing.assert_array_equal(
            run.fan_out[connection], fan_out(model.network, connection).numpy(), err_msg=str(connection)
        )


def test_a_membrane_read_out_is_the_membrane_of_every_step():
    rng = np.random.default_rng(1)
    chain = Builder(rng, (6,)).linear("a", 8).spiking("lif").linear("b", 3)
    model = chain.spiking("readout", alpha=True, arrays=True, offset=True, spikes=False).model(5)
    inputs = images(1, 5, 4, (6,))

    run = run_lava(model, inputs, time_limit_s=LIMIT_S)

    assert run.outputs["readout"].shape == (5, 4, 3)
    assert_same(model, inputs, run)


def test_two_ways_into_one_layer_meet_in_the_same_step_whatever_their_depth():
    rng = np.random.default_rng(2)
    nodes = {
        "input": nir.Input(np.array([6])),
        "a": nir.Linear(rng.normal(0, 1, (8, 6))),
        "lif_a": node_of(neurons(rng, (8,))),
        "b": nir.Linear(rng.normal(0, 1, (8, 8))),
        "lif_b": node_of(neurons(rng, (8,))),
        "deep": nir.Linear(rng.normal(0, 1, (4, 8))),
        "middle": nir.Linear(rng.normal(0, 1, (4, 8))),
        "short": nir.Linear(rng.normal(0, 1, (4, 6))),
        "lif_c": node_of(neurons(rng, (4,))),
        "output": nir.Output(np.array([4])),
    }
    chain = ["input", "a", "lif_a", "b", "lif_b", "deep", "lif_c", "output"]
    edges = [*itertools.pairwise(chain)]
    edges += [("lif_a", "middle"), ("middle", "lif_c"), ("input", "short"), ("short", "lif_c")]
    model = Model(nir.NIRGraph(nodes, edges, type_check=False), 6, read_out=ReadOut.COUNT)
    inputs = images(2, 6, 5, (6,))

    run = run_lava(model, inputs, time_limit_s=LIMIT_S)

    expected = assert_same(model, inputs, run)
    assert expected["lif_c"].any()


def test_overlapping_pools_merge_their_synapses_into_one_weight_and_it_is_counted_once():
    rng = np.random.default_rng(3)
    chain = Builder(rng).conv("conv", 2).spiking("lif")
    chain.add("pool", nir.SumPool2d(np.array([3, 3]), np.array([1, 1]), np.array([1, 1])))
    chain.conv("next", 2).spiking("lif2")
    model = chain.model(3)
    inputs = events(3, 3, 3)

    run = run_lava(model, inputs, time_limit_s=LIMIT_S)

    assert_same(model, inputs, run)
    for connection in model.network.connections:
        np.testing.assert_array_equal(run.fan_out[connection], fan_out(model.network, connection).numpy())


def test_only_as_many_samples_run_as_fit_into_the_budget_but_never_fewer_than_the_least():
    model = Builder(np.random.default_rng(4)).flatten().linear("dense", 8).spiking("lif").model(3)
    inputs = events(4, model.time_steps, 60)
    progress = []

    run = run_lava(
        model,
        inputs,
        time_limit_s=LIMIT_S,
        sample_budget_s=0.0,
        min_samples=30,
        on_progress=lambda done, total: progress.append((done, total)),
    )

    assert run.samples == 30
    assert progress[-1] == (30, 60)
    assert_same(model, inputs, run)


def test_a_run_names_the_versions_that_measured_it():
    model = Builder(np.random.default_rng(5), (4,)).linear("a", 3).spiking("lif").model(2)

    run = run_lava(model, images(5, 2, 2, (4,)), time_limit_s=LIMIT_S)

    assert run.versions["lava"] == "0.10.0"
    assert set(run.versions) == {"lava", "numpy", "python"}
    assert run.seconds > 0


def test_no_spike_in_flight_crosses_into_the_next_sample():
    """Feedback and a delay hold spikes when a sample ends: any order of the samples, and each alone, is the same."""
    chain = Builder(np.random.default_rng(8), (6,)).linear("a", 10, scale=1.5).recurrent("lif", alpha=True)
    model = chain.delay("late", 2).linear("b", 8, scale=1.5).recurrent("deep").linear("c", 4).spiking("out").model(5)
    inputs = events(8, 5, 7, (6,))
    order = np.random.default_rng(0).permutation(7)

    straight = run_lava(model, inputs, time_limit_s=LIMIT_S)
    permuted = run_lava(model, inputs[:, order], time_limit_s=LIMIT_S)
    alone = run_lava(model, inputs[:, 4:5], time_limit_s=LIMIT_S)

    expected = assert_same(model, inputs, straight)
    for name, output in straight.outputs.items():
        np.testing.assert_array_equal(output[:, order], permuted.outputs[name])
        np.testing.assert_array_equal(output[:, 4:5], alone.outputs[name])
    assert expected["lif"][-2:].any()
    assert expected["deep"][-1].any()


def test_a_membrane_that_feeds_another_layer_does_so_in_lava_as_in_torch():
    chain = Builder(np.random.default_rng(6), (6,)).linear("a", 8).spiking("integrator", alpha=True, spikes=False)
    model = chain.linear("b", 5).spiking("lif").model(6)
    inputs = events(6, 6, 4, (6,))

    run = run_lava(model, inputs, time_limit_s=LIMIT_S)

    assert assert_same(model, inputs, run)["lif"].any()


def test_a_loop_through_two_layers_is_refused_because_lava_takes_two_steps_for_it():
    chain = Builder(np.random.default_rng(7), (6,)).linear("a", 8).spiking("one").linear("b", 8).spiking("two")
    model = chain.model(4)
    model.graph.nodes["back"] = nir.Linear(np.ones((8, 8)))
    looped = model.with_graph(
        nir.NIRGraph(model.graph.nodes, [*model.graph.edges, ("two", "back"), ("back", "one")], type_check=False)
    )
    with pytest.raises(BackendError, match="one -> two -> one: in Lava a loop through 2 layers takes 2 time steps"):
        run_lava(looped, events(7, 4, 2, (6,)), time_limit_s=LIMIT_S)
    with pytest.raises(BackendError, match="in Lava a loop through 2 layers"):
        run_lava_fixed(quantize(looped), events(7, 4, 2, (6,)), time_limit_s=LIMIT_S)
