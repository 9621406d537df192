from dataclasses import replace

import numpy as np
import pytest
from random_networks import Builder, events, images, random_models

from spear_deploy.backends.fixed_point.loihi import LoihiExecution, States
from spear_deploy.backends.fixed_point.quantize import quantize
from spear_deploy.backends.lava import run_lava_fixed

pytestmark = pytest.mark.lava
LIMIT_S = 120


def assert_bit_exact(quantized, inputs):
    """U, v and output of every neuron and step, ours against Lava's."""
    states = States()
    ours = LoihiExecution(quantized).run(inputs, watch=states)
    lava = run_lava_fixed(quantized, inputs, time_limit_s=LIMIT_S, watch=True)
    for name, output in ours.outputs.items():
        np.testing.assert_array_equal(states.u[name].numpy(), lava.states[name][0], err_msg=f"u of {name}")
        np.testing.assert_array_equal(states.v[name].numpy(), lava.states[name][1], err_msg=f"v of {name}")
        np.testing.assert_array_equal(output.numpy(), lava.outputs[name], err_msg=f"output of {name}")
    return ours, states


@pytest.mark.parametrize("seed", range(8))
def test_loihi_execution_equals_lava_bit_for_bit(seed):
    model = random_models(100 + seed, chains=4)
    source = images if seed % 2 else events
    inputs = source(seed, model.time_steps, 5)

    ours, _ = assert_bit_exact(quantize(model, calibration=inputs), inputs)

    assert sum(bool(output.any()) for output in ours.outputs.values()) > len(ours.outputs) / 2


@pytest.mark.parametrize("seed", range(3))
def test_currents_that_wrap_and_membranes_that_saturate_do_so_as_in_lava(seed):
    model = random_models(200 + seed, chains=3)
    inputs = events(seed, model.time_steps, 4)
    quantized = quantize(model, calibration=inputs)
    loud = replace(
        quantized,
        layers=tuple(
            replace(layer, synapses=tuple(replace(s, exponent=s.exponent + 5 + seed) for s in layer.synapses))
            for layer in quantized.layers
        ),
    )

    _, states = assert_bit_exact(loud, inputs)

    assert max(float(v.abs().max()) for v in states.v.values()) == 2**23 - 1


def test_lava_s_own_neuron_and_ours_with_arrays_fire_alike():
    chain = Builder(np.random.default_rng(7), (6,)).linear("a", 20, scale=2).spiking("lif", alpha=True)
    model = chain.linear("b", 4).spiking("out").model(6)
    inputs = events(7, 6, 6, (6,))
    quantized = quantize(model, calibration=inputs)

    builtin = run_lava_fixed(quantized, inputs, time_limit_s=LIMIT_S)
    arrays = run_lava_fixed(quantized, inputs, time_limit_s=LIMIT_S, watch=True)

    for name, output in builtin.outputs.items():
        np.testing.assert_array_equal(output, arrays.outputs[name])
        np.testing.assert_array_equal(output, LoihiExecution(quantized).run(inputs).outputs[name].numpy())
    assert builtin.outputs["out"].any()


def test_recurrent_samples_do_not_hear_each_other():
    chain = Builder(np.random.default_rng(8), (6,)).linear("a", 10, scale=1.5)
    model = chain.recurrent("lif", alpha=True).linear("b", 4).spiking("out").model(5)
    inputs = events(8, 5, 8, (6,))
    quantized = quantize(model, calibration=inputs)
    order = np.random.default_rng(0).permutation(8)

    straight = run_lava_fixed(quantized, inputs, time_limit_s=LIMIT_S)
    permuted = run_lava_fixed(quantized, inputs[:, order], time_limit_s=LIMIT_S)

    alone = run_lava_fixed(quantized, inputs[:, 5:6], time_limit_s=LIMIT_S)
    for name, output in straight.outputs.items():
        np.testing.assert_array_equal(output[:, order], permuted.outputs[name])
        np.testing.assert_array_equal(output[:, 5:6], alone.outputs[name])
    assert straight.outputs["lif"][-1].any()  # spikes are in flight when a sample ends
