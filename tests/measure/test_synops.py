import nir
import numpy as np
import pytest
import torch
from every_synapse import walk_every_synapse
from made_networks import ALL, analog_input, plain, pooled, spike_input

from spear_deploy.measure import SynopsCounter, classify, measure, synops_from
from spear_deploy.measure.reached import _parts_below
from spear_deploy.network import Encoding, Simulation
from spear_deploy.report.measured import distribution


def run(model, x):
    with torch.no_grad():
        return Simulation(model.graph, torch.float64)(x).outputs


def counted(model, x, *, analog_input):
    return measure(model, x, torch.zeros(x.shape[1]), analog_input=analog_input, dtype=torch.float64)


@pytest.mark.parametrize("name", ALL)
def test_synops_equal_a_walk_of_every_synapse(name):
    model = ALL[name]().model()
    x = spike_input(model)
    expected = walk_every_synapse(model.graph, x, run(model, x), count_input=True)
    found = counted(model, x, analog_input=False)
    assert min(expected) > 0
    assert found.per_sample.tolist() == expected
    assert found.synops == np.mean(expected)
    assert found.synops_analog == 0
    assert sum(layer.synops for layer in found.layers.values()) == pytest.approx(found.synops, rel=1e-12)


@pytest.mark.parametrize("name", ALL)
def test_operations_of_some_layers_alone_equal_a_walk_of_the_synapses_from_there(name):
    model = ALL[name]().model()
    x = spike_input(model)
    outputs = run(model, x)
    events = counted(model, x, analog_input=False).events
    silent = {layer: torch.zeros_like(output) for layer, output in outputs.items()}
    by_input = np.mean(walk_every_synapse(model.graph, x, silent, count_input=True))
    assert synops_from(model.network, {model.network.input}, events) == pytest.approx(by_input, rel=1e-12)
    first = model.network.layers[0]
    alone = silent | {first: outputs[first]}
    by_first = np.mean(walk_every_synapse(model.graph, x, alone, count_input=False))
    assert synops_from(model.network, {first}, events) == pytest.approx(by_first, rel=1e-12)


@pytest.mark.parametrize("name", ALL)
def test_operations_of_analog_input_stand_apart(name):
    model = ALL[name]().model()
    x = analog_input(model)
    outputs = run(model, x)
    found = counted(model, x, analog_input=True)
    assert found.per_sample.tolist() == walk_every_synapse(model.graph, x, outputs, count_input=False)
    silent = {layer: torch.zeros_like(output) for layer, output in outputs.items()}
    assert found.synops_analog == np.mean(walk_every_synapse(model.graph, x, silent, count_input=True))
    assert found.synops_analog > 0


def test_an_average_pool_routes_as_a_sum_pool_does():
    model = pooled(kind=nir.AvgPool2d).model()
    x = spike_input(model)
    expected = walk_every_synapse(model.graph, x, run(model, x), count_input=True)
    assert counted(model, x, analog_input=False).per_sample.tolist() == expected


def test_an_image_shown_in_every_step_counts_in_every_step():
    model = plain().model(time_steps=3)
    shown = analog_input(model)
    copied = shown.clone().contiguous()
    assert shown.stride(0) == 0
    assert (
        counted(model, shown, analog_input=True).synops_analog
        == counted(model, copied, analog_input=True).synops_analog
    )


def test_batches_do_not_change_the_figures():
    model = plain().model()
    x = spike_input(model, samples=250)
    whole = counted(model, x, analog_input=False)
    single = [counted(model, x[:, at : at + 1], analog_input=False).synops for at in (0, 99, 100, 249)]
    assert whole.per_sample[[0, 99, 100, 249]].tolist() == single
    assert whole.samples == 250


def test_spikes_of_a_layer_are_a_mean_per_inference():
    model = plain().model()
    x = spike_input(model, samples=7)
    outputs = run(model, x)
    found = counted(model, x, analog_input=False).layers
    for name, output in outputs.items():
        assert found[name].spikes == pytest.approx(float(output.sum()) / 7)
        assert found[name].neurons == output.shape[2]


def test_membranes_are_no_spikes():
    model = plain().linear("fc4", 3).membranes("out").model(read_out="membrane")
    found = counted(model, spike_input(model), analog_input=False)
    assert found.layers["out"].spikes == 0
    assert found.layers["out"].synops > 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bool])
def test_ties_go_to_the_lowest_class(dtype):
    output = torch.zeros(4, 3, 5, dtype=dtype)
    output[0, 1, [2, 4]] = 1
    output[:2, 2, [3, 1]] = 1
    assert classify(output).tolist() == [0, 2, 1]


def test_the_largest_summed_membrane_is_the_class():
    output = torch.tensor([[[0.5, -2.0]], [[-0.75, 1.0]]])
    assert classify(output).tolist() == [0]


def test_accuracy_is_the_share_of_right_classes():
    model = plain().model()
    x = spike_input(model, samples=10)
    classes = classify(run(model, x)["c"])
    labels = classes.clone()
    labels[:3] = (labels[:3] + 1) % 4
    assert measure(model, x, labels, analog_input=False, dtype=torch.float64).accuracy == pytest.approx(0.7)


@pytest.mark.parametrize("name", ALL)
def test_the_busiest_step_is_the_largest_of_walks_of_single_steps(name):
    model = ALL[name]().model()
    x = spike_input(model)
    outputs = run(model, x)

    def walked(step):
        seen = {layer: output[step : step + 1] for layer, output in outputs.items()}
        return walk_every_synapse(model.graph, x[step : step + 1], seen, count_input=True)

    steps = np.array([walked(step) for step in range(len(x))])
    found = counted(model, x, analog_input=False)
    assert found.peak_step_synops.tolist() == steps.max(0).tolist()
    assert found.busiest_step_synops == steps.max()


def test_the_99th_percentile_is_the_least_value_that_99_percent_stay_within():
    model = plain().model()
    x = spike_input(model).repeat(1, 40, *[1] * (spike_input(model).ndim - 2))
    kept = torch.rand(x.shape, generator=torch.Generator().manual_seed(0)) < 0.7
    found = counted(model, x * kept, analog_input=False)
    within = [sum(found.per_sample <= value) >= 0.99 * found.samples for value in found.per_sample]
    assert found.p99_synops == min(found.per_sample[torch.tensor(within)])
    assert found.p99_synops < found.per_sample.max()
    told = distribution(found)
    within = [sum(found.per_sample <= value) >= 0.95 * found.samples for value in found.per_sample]
    assert (told.p99, told.p95) == (found.p99_synops, min(found.per_sample[torch.tensor(within)]))


def test_operations_beyond_what_float32_holds_are_counted_to_the_last_one():
    model = plain().model()
    layer = model.network.connections[1]
    reached = {each: torch.zeros(model.network.shapes[each.source]) for each in model.network.connections}
    reached[layer] = torch.full((9,), float((1 << 22) + 1), dtype=torch.float64)
    inputs = torch.zeros((5, 2, 3))
    outputs = {name: torch.ones((5, 2, *model.network.shapes[name])) for name in model.network.layers}
    found = SynopsCounter(model.network, reached).count(inputs, outputs, analog_input=True)
    assert found.by_step.tolist() == [[9 * ((1 << 22) + 1)] * 2] * 5


@pytest.mark.parametrize("encoding", ["sequence", "counts"])
def test_operations_of_values_that_change_over_time_stand_apart(encoding):
    model = pooled().model()
    noise = torch.randn((model.time_steps, 4, *model.network.input_shape), generator=torch.Generator().manual_seed(1))
    x = (noise if encoding == "sequence" else noise.abs().floor()).double()
    outputs = run(model, x)
    found = counted(model, x, analog_input=Encoding(encoding).analog)
    assert found.per_sample.tolist() == walk_every_synapse(model.graph, x, outputs, count_input=False)
    silent = {layer: torch.zeros_like(output) for layer, output in outputs.items()}
    assert found.synops_analog == np.mean(walk_every_synapse(model.graph, x, silent, count_input=True))


@pytest.mark.parametrize("most", [1, 5, 40])
def test_parts_end_before_the_neuron_that_would_reach_the_limit(most):
    """Against a walk neuron by neuron; one that reaches the limit alone is a part of its own."""
    counts = torch.from_numpy(np.random.default_rng(most).integers(0, most, 200).astype(np.float64))
    for limit in (1, 7, 30, 10_000):
        parts, total = [[]], 0.0
        for place, count in enumerate(counts.tolist()):
            if total + count >= limit and parts[-1]:
                parts, total = [*parts, []], 0.0
            parts[-1].append(place)
            total += count
        assert [list(range(part.start, part.stop)) for part in _parts_below(counts, limit)] == parts
