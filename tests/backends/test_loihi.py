"""Execution in integers, against plain Python arithmetic and against the float simulation."""

from dataclasses import replace

import nir
import numpy as np
import pytest
import torch
from random_networks import Builder, events, images, random_models

from spear_deploy.backends.fixed_point import loihi_loop
from spear_deploy.backends.fixed_point.fake_quantized import fake_quantized
from spear_deploy.backends.fixed_point.loihi import LoihiExecution, States
from spear_deploy.backends.fixed_point.quantize import quantize
from spear_deploy.backends.fixed_point.quantized import input_integers, mantissa_matrix
from spear_deploy.errors import BackendError
from spear_deploy.network import Simulation

LIMIT = 1 << 23


def toward_zero(value, factor):
    """Value * factor / 4096, rounded towards zero, in Python's own integers."""
    product = abs(value) * factor >> 12
    return product if value >= 0 else -product


def step_by_step(layer, matrix, source):
    """U, v and spikes of one layer `[T, N]` for its source's spikes `[T, M]`, neuron by neuron."""
    exponent = layer.synapses[0].exponent
    sums = source @ matrix.toarray().T
    sums = sums << exponent if exponent >= 0 else sums >> -exponent
    size = sums.shape[1]
    axon = [0] * size if layer.axon is None else [int(w * 2.0**layer.axon_exponent // 1) for w in layer.axon.ravel()]
    found = np.zeros((3, *sums.shape), dtype=np.int64)
    for n in range(size):
        u = v = 0
        for t in range(len(sums)):
            u = toward_zero(u, 4096 - int(layer.du.ravel()[n]) - 1) + ((int(sums[t, n]) + axon[n]) << 6)
            if u > LIMIT:
                u -= 2 * LIMIT
            elif u <= -LIMIT:
                u += 2 * LIMIT
            v = toward_zero(v, 4096 - int(layer.dv.ravel()[n])) + u + int(layer.bias.ravel()[n])
            v = min(max(v, 1 - LIMIT), LIMIT - 1)
            spike = v > int(layer.vth.ravel()[n]) << 6
            v = 0 if spike else v
            found[:, t, n] = u, v, spike
    return found


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("alpha", [False, True], ids=["LIF", "CubaLIF"])
def test_every_state_is_what_integer_arithmetic_gives(seed, alpha):
    chain = Builder(np.random.default_rng(seed), (12,)).linear("dense", 9)
    model = chain.spiking("lif", alpha=alpha, arrays=bool(seed % 2), offset=True).model(12)
    inputs = events(seed, 12, 2, (12,))
    quantized = quantize(model, calibration=inputs)
    if seed > 2:  # louder than the chip allows: currents wrap, membranes saturate
        (layer,) = quantized.layers
        loud = replace(layer, synapses=(replace(layer.synapses[0], exponent=layer.synapses[0].exponent + 2 * seed),))
        quantized = replace(quantized, layers=(loud,))
    (layer,) = quantized.layers
    states = States()

    run = LoihiExecution(quantized).run(inputs, watch=states)
    unwatched = LoihiExecution(quantized).run(inputs)

    assert torch.equal(unwatched.output, run.output)
    matrix = mantissa_matrix(model.network, layer.synapses[0])
    for sample in range(2):
        u, v, spikes = step_by_step(layer, matrix, inputs[:, sample].numpy().astype(np.int64))
        np.testing.assert_array_equal(states.u["lif"][:, sample], u)
        np.testing.assert_array_equal(states.v["lif"][:, sample], v)
        np.testing.assert_array_equal(run.output[:, sample], spikes)
    assert run.output.any()
    if seed > 2:
        assert states.v["lif"].abs().max() > LIMIT // 2


def test_a_network_that_the_chip_can_hold_exactly_fires_as_in_floating_point():
    rng = np.random.default_rng(0)
    chain = Builder(rng, (10,)).linear("dense", 16).spiking("lif").linear("out", 5).spiking("out_lif")
    for name in ("dense", "out"):  # multiples of 1/64, the largest exactly 127 of them
        weight = rng.integers(-127, 128, chain.nodes[name].weight.shape)
        weight[0, 0] = 127
        chain.nodes[name].weight = weight / 64
        chain.nodes[name].bias = rng.integers(-8, 9, len(weight)) / 64
    for name in ("lif", "out_lif"):
        chain.nodes[name].metadata |= {"beta": np.array(0.5), "gain": np.array(1.0)}
        chain.nodes[name].tau = np.full(chain.nodes[name].tau.shape, 2e-4)
        chain.nodes[name].r = np.full(chain.nodes[name].r.shape, 2.0)
        chain.nodes[name].v_threshold = np.full(chain.nodes[name].tau.shape, 1.0)
    model = chain.model(5)
    inputs = events(0, 5, 40, (10,))

    ours = LoihiExecution(quantize(model, calibration=inputs, clips=[1.0])).run(inputs)

    with torch.no_grad():
        floating = Simulation(model.graph, torch.float64)(inputs)
    for name, output in floating.outputs.items():
        assert output.any()
        np.testing.assert_array_equal(ours.outputs[name], output)


@pytest.mark.parametrize("subtract", [False, True], ids=["zero", "subtract"])
@pytest.mark.parametrize("reset_delay", [False, True], ids=["at once", "delayed"])
@pytest.mark.parametrize("recurrent", [False, True], ids=["feed-forward", "recurrent"])
def test_integers_fire_as_the_fake_quantised_network(subtract, reset_delay, recurrent):
    """Each reset and every place of a bias shows: counts within 0.5 %, places within 3 %."""
    places = counts = total = 0
    for seed in range(4):
        rng = np.random.default_rng(seed)
        chain = Builder(rng, (20,)).linear("dense", 30)
        options = {"alpha": seed % 2 == 1, "subtract": subtract, "reset_delay": reset_delay}
        add = chain.recurrent if recurrent else chain.spiking
        add("lif", **options)
        model = chain.linear("out", 10).spiking("out_lif", **options).model(20)
        inputs = events(seed, 20, 50, (20,))
        quantized = quantize(model, calibration=inputs)
        ours = LoihiExecution(quantized).run(inputs)
        with torch.no_grad():
            fake = Simulation(fake_quantized(model, quantized).graph, torch.float64)(inputs)
        for name, output in fake.outputs.items():
            places += int((ours.outputs[name] != output).sum())
            counts += abs(int(ours.outputs[name].sum()) - int(output.sum()))
            total += int(output.sum())
    assert total > 10_000
    assert counts <= 0.005 * total
    assert places <= 0.03 * total


@pytest.mark.parametrize("seed", range(8))
def test_the_compiled_loop_sends_what_the_steps_one_by_one_send(monkeypatch, seed):
    model = random_models(seed, chains=2) if seed < 4 else _subtracting(seed)
    inputs = events(seed, model.time_steps, 30) if seed < 4 else events(seed, 20, 50, (20,))
    quantized = quantize(model, calibration=inputs)
    compiled = LoihiExecution(quantized).run(inputs)
    monkeypatch.setattr("spear_deploy.backends.fixed_point.loihi.where_installed", lambda module: None)
    stepwise = LoihiExecution(quantized).run(inputs)
    assert any(output.any() for output in compiled.outputs.values())
    for name, output in compiled.outputs.items():
        assert torch.equal(output, stepwise.outputs[name])
        assert output.stride() == stepwise.outputs[name].stride()


loop_for = loihi_loop._loop_for


@pytest.mark.parametrize("own_bias", [False, True], ids=["no bias", "bias of each"])
@pytest.mark.parametrize("own_decay", [False, True], ids=["decay of all", "decay of each"])
def test_what_all_neurons_share_is_read_once_and_gives_the_same(monkeypatch, own_decay, own_bias):
    chain = Builder(np.random.default_rng(3)).conv("conv", 4).spiking("lif", arrays=own_decay)
    if not own_bias:
        chain.nodes["conv"].bias[:] = 0
    model = chain.model(6)
    inputs = events(3, 6, 20, model.network.input_shape)
    quantized = quantize(model, calibration=inputs)
    kinds = []
    monkeypatch.setattr(loihi_loop, "_loop_for", lambda *kind, **own: (kinds.append(own), loop_for(*kind, **own))[1])
    compiled = LoihiExecution(quantized).run(inputs)
    assert {tuple(own.values()) for own in kinds} == {(own_decay, own_bias)}
    monkeypatch.setattr("spear_deploy.backends.fixed_point.loihi.where_installed", lambda module: None)
    assert compiled.output.any()
    assert torch.equal(compiled.output, LoihiExecution(quantized).run(inputs).output)


def _subtracting(seed):
    """Constants of each neuron's own, resets by subtraction, at once or a step late."""
    chain = Builder(np.random.default_rng(seed), (20,)).linear("dense", 30)
    options = {"alpha": seed % 2 == 1, "subtract": True, "reset_delay": seed % 2 == 0, "arrays": True, "offset": True}
    return chain.spiking("lif", **options).linear("out", 10).spiking("out_lif", **options).model(20)


def test_samples_do_not_depend_on_what_runs_beside_them():
    model = random_models(5, chains=2)
    inputs = events(5, model.time_steps, 30)
    execution = LoihiExecution(quantize(model, calibration=inputs))
    whole = execution.run(inputs)
    execution.at_once = 7
    parts = execution.run(inputs)
    alone = execution.run(inputs[:, 11:12])
    for name, output in whole.outputs.items():
        assert torch.equal(output, parts.outputs[name])
        assert torch.equal(output[:, 11:12], alone.outputs[name])


def test_a_static_image_gives_the_same_however_it_is_laid_out():
    model = Builder(np.random.default_rng(1)).conv("conv", 4).spiking("lif").model(4)
    inputs = images(1, 4, 5)
    execution = LoihiExecution(quantize(model, calibration=inputs))
    assert torch.equal(execution.run(inputs).output, execution.run(inputs.contiguous()).output)


def test_values_are_refused_where_the_network_was_quantised_for_spikes():
    model = Builder(np.random.default_rng(1), (4,)).linear("dense", 4).spiking("lif").model(3)
    execution = LoihiExecution(quantize(model, calibration=events(0, 3, 5, (4,))))
    with pytest.raises(BackendError, match=r"input of spikes .* have to show such values"):
        execution.run(events(0, 3, 5, (4,)) * 0.5)


def test_values_beyond_the_samples_of_the_levels_are_sent_as_the_most_that_a_spike_carries():
    model = Builder(np.random.default_rng(1), (4,)).linear("dense", 4).spiking("lif").model(3)
    seen = images(0, 3, 5, (4,))
    integers = quantize(model, calibration=seen)
    farther = seen * 3
    assert integers.levels.of_one * float(farther.max()) > 255
    reach = 255 / integers.levels.of_one
    execution = LoihiExecution(integers)
    assert torch.equal(execution.run(farther).output, execution.run(farther.clamp(max=reach)).output)


@pytest.mark.parametrize(("low", "least", "most"), [(-1.0, -127, 127), (0.0, 0, 255)])
def test_one_bit_of_a_graded_spike_is_the_sign_where_samples_show_negative_values(low, least, most):
    """Levels and ends of what is sent come from one width: eight bits carry -127 to 127, or 0 to 255."""
    model = Builder(np.random.default_rng(1), (4,)).linear("dense", 4).spiking("lif").model(3)
    seen = images(0, 3, 5, (4,)).clamp(min=0.01, max=0.99)
    seen[:, 0, 0], seen[:, 0, 1] = low, 1.0
    integers = quantize(model, calibration=seen)
    assert input_integers(integers, seen).aminmax() == (min(least, 0.0), most)
    assert input_integers(integers, torch.tensor([-9.0, 9.0])).tolist() == [least, most]


def test_inputs_of_another_shape_are_refused():
    model = Builder(np.random.default_rng(1), (4,)).linear("dense", 4).spiking("lif").model(3)
    execution = LoihiExecution(quantize(model, calibration=events(0, 3, 5, (4,))))
    with pytest.raises(BackendError, match=r"takes inputs \[T, B, 4\], found \[3, 5, 7\]"):
        execution.run(torch.zeros(3, 5, 7))


def test_sums_beyond_what_float32_holds_are_exact_too():
    """The weights are those of no 8-bit chip; odd sums above 2^24 would lose their last bit in float32."""
    chain = Builder(np.random.default_rng(0), (300,)).linear("dense", 6, bias=False).spiking("li", spikes=False)
    model = chain.model(2)
    inputs = events(0, 2, 10, (300,))
    quantized = quantize(model, calibration=inputs)
    (layer,) = quantized.layers
    weight = np.random.default_rng(1).integers(2**16, 2**17, (6, 300)) * 2 + 1
    synapses = replace(layer.synapses[0], nodes=(nir.Linear(weight.astype(np.float64)),), exponent=0)
    states = States()
    wide = replace(quantized.format, state_bits=32)
    LoihiExecution(replace(quantized, format=wide, layers=(replace(layer, synapses=(synapses,)),))).run(
        inputs, watch=states
    )
    expected = (inputs.numpy().astype(np.int64) @ weight.T) << 6
    assert 2**24 < expected.max() >> 6 < 2**25
    np.testing.assert_array_equal(states.u["li"].numpy().astype(np.int64), expected)


def test_a_run_leaves_the_precision_of_torch_s_products_as_it_was():
    matmul = getattr(torch.backends.mkldnn, "matmul", None)
    before = getattr(matmul, "fp32_precision", None)
    model = random_models(3, chains=2)
    inputs = events(3, model.time_steps, 5)
    LoihiExecution(quantize(model, calibration=inputs)).run(inputs)
    assert getattr(matmul, "fp32_precision", None) == before


@pytest.mark.parametrize("louder", [0, 6], ids=["as scaled", "wrapping"])
@pytest.mark.parametrize("seed", range(6))
def test_watched_states_and_unwatched_runs_fire_alike(seed, louder):
    """Watched, biases are added where the chip adds them; unwatched, before the sum where that is exact."""
    model = random_models(400 + seed, chains=2)
    inputs = (images if seed % 2 else events)(seed, model.time_steps, 20)
    quantized = quantize(model, calibration=inputs)
    layers = tuple(
        replace(layer, synapses=tuple(replace(s, exponent=s.exponent + louder) for s in layer.synapses))
        for layer in quantized.layers
    )
    execution, states = LoihiExecution(replace(quantized, layers=layers)), States()
    watched, unwatched = execution.run(inputs, watch=states), execution.run(inputs)
    for name, output in watched.outputs.items():
        assert torch.equal(output, unwatched.outputs[name])
    if louder:
        assert max(float(v.abs().max()) for v in states.v.values()) == LIMIT - 1
