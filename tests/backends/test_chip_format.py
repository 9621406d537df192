import numpy as np
import pytest
from made_task import chip
from random_networks import Builder, events

from spear_deploy.backends.fixed_point import LOIHI1, LOIHI2, LoihiExecution, States, format_of, quantize
from spear_deploy.backends.fixed_point.quantized import mantissa_matrix
from spear_deploy.backends.lava import run_lava_fixed
from spear_deploy.backends.lava.job import fixed_job
from spear_deploy.errors import BackendError, ProfileError
from spear_deploy.hardware import load_profile


def profile(folder, **figures):
    return load_profile(str(chip(folder, **figures)))


def recurrent(seed=0):
    chain = Builder(np.random.default_rng(seed), (12,)).linear("dense", 10, scale=1.5).recurrent("rec", alpha=True)
    return chain.linear("out", 4).spiking("out_lif").model(8)


def test_the_shipped_chips_compute_in_the_integers_of_their_names():
    assert format_of(load_profile("loihi1")) == LOIHI1
    assert format_of(load_profile("loihi2")) == LOIHI2
    assert format_of(load_profile("generic-45nm")) is None


def test_a_chip_with_four_bit_weights_holds_four_bit_weights(tmp_path):
    narrow = format_of(profile(tmp_path, synapses_weight_bits=(4, "bit")))
    quantized = quantize(recurrent(), narrow, calibration=events(0, 8, 20, (12,)))
    for layer in quantized.layers:
        for found in layer.synapses:
            assert found.weight_bits == 4
            held = mantissa_matrix(quantized.network, found).data
            assert (held % 32 == 0).all()
            assert len(np.unique(held)) <= 16
    axon = quantized.layers[0].axon
    assert axon.any()
    assert (axon % 32 == 0).all()  # an axon that is always on is a synapse as well


def test_widths_and_abilities_of_a_chip_of_ones_own_replace_those_of_its_arithmetic(tmp_path):
    own = profile(
        tmp_path,
        neurons_decay_bits=(8, "bit"),
        neurons_threshold_bits=(12, "bit"),
        neurons_bias_bits=(9, "bit"),
        neurons_resets=('["zero"]', "names"),
        io_graded_bits=(6, "bit"),
    )
    found = format_of(own)
    assert (found.decay_bits, found.threshold_bits, found.bias_mantissa_bits, found.graded_bits) == (8, 12, 9, 6)
    assert not found.subtract
    assert found.state_bits == LOIHI2.state_bits
    layers = quantize(recurrent(), found, calibration=events(0, 8, 20, (12,))).layers
    assert max(layer.vth.max() for layer in layers) < 2**12
    assert max(layer.dv.max() for layer in layers) < 2**8


@pytest.mark.parametrize(
    ("figures", "message"),
    [
        ({"synapses_weight_bits": (16, "bit")}, "made-up: a weight can have 2 to 8 bits here, found 16"),
        ({"neurons_state_bits": (16, "bit")}, "made-up: a state can have 23 to 32 bits here, found 16"),
        ({"neurons_threshold_bits": (18, "bit")}, "give neurons.threshold_bits at most 17"),
        ({"neurons_arithmetic": ('"lohi"', "name")}, "neurons.arithmetic: 'lohi' is not known; valid: loihi1"),
    ],
)
def test_a_width_that_cannot_be_computed_is_refused_with_the_chip_s_name(tmp_path, figures, message):
    with pytest.raises(ProfileError, match=message):
        format_of(profile(tmp_path, **figures))


@pytest.mark.parametrize(
    ("bits", "held", "narrow", "made"),
    [
        # multiples of 2^(9 - bits) between -256 and 254; of one sign of 2^(8 - bits) up to 256
        (8, (-256, 254), [(-3, 3), (-256, 253), (-255, 254)], (-256, 254)),
        (4, (-256, 224), [(-256, 223), (-8, 7)], (-256, 224)),
        (8, (0, 255), [(0, 254), (1, 255)], (0, 255)),
    ],
)
def test_a_range_of_weights_that_the_arithmetic_does_not_keep_to_is_refused(tmp_path, bits, held, narrow, made):
    width = {"synapses_weight_bits": (bits, "bit")}
    assert format_of(profile(tmp_path, **width, synapses_weight_range=(list(held), "integer"))).weight_bits == bits
    for low, high in narrow:
        with pytest.raises(ProfileError, match=f"weight_range is {low} to {high}, but .* of {made[0]} to {made[1]};"):
            format_of(profile(tmp_path, **width, synapses_weight_range=([low, high], "integer")))


def test_lava_refuses_states_of_another_width_than_its_own(tmp_path):
    wide = format_of(profile(tmp_path, neurons_state_bits=(28, "bit")))
    quantized = quantize(recurrent(), wide, calibration=events(0, 8, 20, (12,)))
    with pytest.raises(BackendError, match="Lava computes with states of 24 bits and decays of 12, the chip with 28"):
        fixed_job(quantized)


@pytest.mark.lava
def test_decays_of_eight_bits_are_the_same_in_lava_s_twelve(tmp_path):
    coarse = format_of(profile(tmp_path, neurons_decay_bits=(8, "bit"), synapses_weight_bits=(5, "bit")))
    inputs = events(3, 8, 6, (12,))
    quantized = quantize(recurrent(3), coarse, calibration=inputs)
    states = States()
    ours = LoihiExecution(quantized).run(inputs, watch=states)
    lava = run_lava_fixed(quantized, inputs, time_limit_s=120, watch=True)
    for name, output in ours.outputs.items():
        np.testing.assert_array_equal(states.u[name].numpy(), lava.states[name][0])
        np.testing.assert_array_equal(states.v[name].numpy(), lava.states[name][1])
        np.testing.assert_array_equal(output.numpy(), lava.outputs[name])
    assert ours.output.any()
