import nir
import numpy as np
import pytest
import torch
from random_networks import Builder, events, images, random_models

from spear_deploy.backends.fixed_point.fake_quantized import fake_quantized
from spear_deploy.backends.fixed_point.formats import LOIHI1, LOIHI2, Format
from spear_deploy.backends.fixed_point.loihi import LoihiExecution, States
from spear_deploy.backends.fixed_point.paths import weight_of
from spear_deploy.backends.fixed_point.quantize import CLIPS, quantize
from spear_deploy.backends.fixed_point.quantized import InputLevels, mantissa_matrix
from spear_deploy.backends.fixed_point.rounding import best_scale
from spear_deploy.errors import BackendError, ProfileError
from spear_deploy.hardware import load_profile
from spear_deploy.network import Encoding, Model, Simulation, bias_current, synapse_matrix
from spear_deploy.targets.adapt import adapt


def dense(seed=0, **options):
    return Builder(np.random.default_rng(seed), (12,)).linear("dense", 10).spiking("lif", **options)


def only_layer(chain, **options):
    model = chain.model(8)
    quantized = quantize(model, calibration=events(0, 8, 20, chain_input(model)), **options)
    return quantized.layers[-1], model


def chain_input(model):
    return model.network.input_shape


def weights_of(layer, number=0):
    found = layer.synapses[number]
    (node,) = [node for node in found.nodes if hasattr(node, "weight")]
    return weight_of(node), found.exponent


@pytest.mark.parametrize(("bits", "step"), [(8, 2), (6, 8), (4, 32)])
def test_weights_of_both_signs_lie_on_the_grid_that_their_bits_leave(bits, step):
    layer, _ = only_layer(dense(), weight_bits={"lif": bits})
    mantissas, _ = weights_of(layer)
    assert (mantissas % step == 0).all()
    assert mantissas.min() >= -256
    assert mantissas.max() <= 256 - step
    assert len(np.unique(mantissas)) > min(10, 2**bits / 2)


def test_weights_of_one_sign_use_the_bit_of_the_sign():
    chain = dense()
    chain.nodes["dense"].weight = np.abs(chain.nodes["dense"].weight)
    mantissas, _ = weights_of(only_layer(chain)[0])
    assert (mantissas % 2 == 1).any()
    assert 0 <= mantissas.min() <= mantissas.max() <= 255


@pytest.mark.parametrize("alpha", [False, True], ids=["LIF", "CubaLIF"])
def test_one_scale_serves_threshold_feed_forward_and_recurrent_weights(alpha):
    chain = Builder(np.random.default_rng(3), (12,)).linear("dense", 10).recurrent("lif", alpha=alpha)
    chain.nodes["lif_back"].weight *= 0.1  # of another size, hence of another exponent
    layer, model = only_layer(chain)
    network = model.network
    exponents = set()
    for found in layer.synapses:
        meant = synapse_matrix(network, found.connection).toarray()
        held = mantissa_matrix(network, found).toarray() * 2.0**found.exponent / layer.scale
        exponents.add(found.exponent)
        assert np.abs(held - meant).max() <= 0.02 * np.abs(meant).max()
    assert len(exponents) == 2
    np.testing.assert_allclose(layer.vth / layer.scale, network.neurons["lif"].threshold, rtol=1e-3)


def test_decays_are_rounded_to_4096ths_with_the_hidden_one_of_the_current():
    chain = dense(alpha=True)
    chain.nodes["lif"].metadata |= {"alpha": np.array(0.75), "beta": np.array(0.875)}
    chain.nodes["lif"].tau_syn[:] = 1e-4 / 0.25
    chain.nodes["lif"].tau_mem[:] = 1e-4 / 0.125
    chain.nodes["lif"].metadata["gain"] = np.array(1.0)
    chain.nodes["lif"].r = np.full(10, 8.0)
    chain.nodes["lif"].w_in = np.full(10, 4.0)
    layer, _ = only_layer(chain)
    assert (layer.du == 1023).all()
    assert (layer.dv == 512).all()


def test_a_neuron_without_synaptic_current_forgets_it_at_once():
    assert (only_layer(dense())[0].du == 4095).all()


def test_a_bias_of_the_membrane_is_shifted_as_the_input_is():
    layer, model = only_layer(dense())
    meant = bias_current(model.network, "lif")
    np.testing.assert_allclose(layer.bias / (64 * layer.scale), meant, atol=1e-3 * np.abs(meant).max())
    mantissas = layer.bias >> layer.bias_exponent
    assert np.abs(mantissas).max() <= 4095
    assert layer.bias_exponent.max() <= 7
    np.testing.assert_array_equal(mantissas << layer.bias_exponent, layer.bias)


def test_a_bias_behind_a_synaptic_current_comes_through_an_axon_not_through_the_membrane():
    layer, model = only_layer(dense(alpha=True))
    meant = bias_current(model.network, "lif")
    assert not layer.bias.any()
    assert layer.axon is not None
    held = np.floor(layer.axon * 2.0**layer.axon_exponent) / layer.scale
    np.testing.assert_allclose(held, meant, atol=0.01 * np.abs(meant).max())


def test_the_factor_of_an_average_pool_goes_into_the_weights_before_they_are_rounded():
    pool = nir.AvgPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0]))
    chain = Builder(np.random.default_rng(2)).conv("conv", 4).spiking("lif").add("pool", pool)
    layer, model = only_layer(chain.conv("next", 4).spiking("lif2"))
    found = layer.synapses[0]
    assert isinstance(found.nodes[0], nir.SumPool2d)
    mantissas, exponent = weights_of(layer)
    held = mantissas * 2.0**exponent / layer.scale
    np.testing.assert_allclose(held, model.graph.nodes["next"].weight / 4, rtol=0, atol=0.01 * held.max())


@pytest.mark.parametrize("pool", [nir.SumPool2d, nir.AvgPool2d])
@pytest.mark.parametrize(("size", "hop"), [(2, 2), (3, 1)])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("behind", [False, True], ids=["pool first", "pool behind"])
def test_a_pool_beside_a_convolution_leaves_the_connection_what_it_was(pool, size, hop, stride, behind):
    node = pool(np.array([size, size]), np.array([hop, hop]), np.array([0, 0]))
    chain = Builder(np.random.default_rng(4), (2, 9, 9))
    if not behind:
        chain.add("pool", node)
    chain.conv("conv", 4, stride=stride, groups=2)
    if behind:
        chain.add("pool", node)
    layer, model = only_layer(chain.spiking("lif"))
    found = layer.synapses[0]
    meant = synapse_matrix(model.network, found.connection).toarray()
    held = mantissa_matrix(model.network, found).toarray() * 2.0**found.exponent / layer.scale
    assert np.abs(held - meant).max() <= 0.02 * np.abs(meant).max()


def test_a_gain_that_differs_between_neurons_goes_into_the_weights():
    for options in ({"arrays": True}, {"arrays": False}):
        layer, model = only_layer(Builder(np.random.default_rng(5)).conv("conv", 4).spiking("lif", **options))
        found = layer.synapses[0]
        gain = model.network.neurons["lif"].gain.reshape(-1, 1)
        meant = gain * synapse_matrix(model.network, found.connection).toarray()
        held = mantissa_matrix(model.network, found).toarray() * 2.0**found.exponent / layer.scale
        assert np.abs(held - meant).max() <= 0.02 * np.abs(meant).max()


@pytest.mark.parametrize("seed", range(6))
def test_nothing_overflows_on_the_samples_seen(seed):
    model = random_models(300 + seed, chains=2)
    inputs = events(seed, model.time_steps, 20)
    quantized = quantize(model, calibration=inputs)
    states = States()
    LoihiExecution(quantized).run(inputs, watch=states)
    for layer in quantized.layers:
        assert states.u[layer.name].abs().max() < 0.75 * 2**23
        if layer.vth is not None:
            assert layer.vth.max() < 2**17
        else:
            assert states.v[layer.name].abs().max() < 0.75 * 2**23


def test_without_samples_no_input_at_all_can_overflow():
    chain = dense(alpha=True)
    quantized = quantize(chain.model(50, Encoding.SPIKES))
    states = States()
    for row in np.sign(chain.nodes["dense"].weight):
        worst = torch.from_numpy((row > 0).astype(float)).expand(50, 1, 12)
        LoihiExecution(quantized).run(worst, watch=states)
        assert states.u["lif"].abs().max() < 2**23


@pytest.mark.parametrize(("denominator", "levels"), [(16, 240), (255, 255), (100, 200)])
def test_pixels_become_integers_without_loss_where_eight_bits_allow_it(denominator, levels):
    pixels = torch.randint(0, denominator + 1, (1, 30, 12), generator=torch.Generator().manual_seed(0))
    pixels[0, 0, :3] = torch.tensor([0, 1, denominator])
    inputs = (pixels.double() / denominator).expand(4, 30, 12)
    assert quantize(dense().model(4), calibration=inputs).levels == InputLevels(levels, 0, 255)


def test_what_rounding_lost_is_reported():
    layer, _ = only_layer(dense(), clips=[1.0])
    rounding = layer.synapses[0].rounding
    assert 0 < rounding.mean < rounding.worst <= 1 / 250
    coarse, _ = only_layer(dense(), weight_bits={"lif": 4})
    assert coarse.synapses[0].rounding.worst > 5 * rounding.worst


def test_the_searched_scale_loses_less_than_the_largest_weight_on_the_largest_mantissa():
    weight = np.random.default_rng(6).normal(0, 1, (10, 12))

    def error(clips):
        scale = best_scale([weight], 200.0, Format(weight_bits=4), clips)
        grid = scale * weight / 2.0 ** np.arange(-8, 8)[:, None, None]
        back = np.clip(np.rint(grid / 32) * 32, -256, 224) * 2.0 ** np.arange(-8, 8)[:, None, None] / scale
        return ((back - weight) ** 2).sum(axis=(1, 2)).min()

    assert error(CLIPS) < error([1.0])


def test_a_few_large_weights_are_clipped_where_they_would_cost_all_others():
    chain = dense(7)
    chain.nodes["dense"].weight[0, 0] = 40.0
    layer, model = only_layer(chain)
    inputs = events(1, 8, 100, (12,))
    rounding = layer.synapses[0].rounding
    assert rounding.clipped >= 1
    assert rounding.vanished <= 0.05 * rounding.weights
    with torch.no_grad():
        floating = Simulation(model.graph, torch.float64)(inputs).output
    quantized = quantize(model, calibration=events(0, 8, 20, (12,)))
    fired = LoihiExecution(quantized).run(inputs).output
    assert (fired != floating).sum() <= 0.02 * floating.sum()


def test_a_fake_quantised_network_is_its_own_rounding():
    pool = nir.AvgPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0]))
    chain = Builder(np.random.default_rng(2)).conv("conv", 4).spiking("lif", arrays=False).add("pool", pool)
    chain.flatten().linear("dense", 8).recurrent("rec", alpha=True).linear("out", 3).spiking("li", spikes=False)
    model = chain.model(4)
    inputs = images(0, 4, 10)
    quantized = quantize(model, calibration=inputs)
    fake = fake_quantized(model, quantized)
    for layer in quantized.layers:
        for found in layer.synapses:
            meant = synapse_matrix(fake.network, found.connection).toarray()
            meant = meant * fake.network.neurons[layer.name].gain.reshape(-1, 1)
            units = quantized.levels.of_one if found.graded else 1.0
            held = mantissa_matrix(model.network, found).toarray() * 2.0**found.exponent / layer.scale * units
            np.testing.assert_allclose(held, meant, atol=1e-12)


def test_a_decay_finer_than_the_chip_s_is_refused():
    chain = dense()
    chain.nodes["lif"] = nir.LIF(tau=np.full(10, 2.0), r=np.ones(10), v_leak=np.zeros(10), v_threshold=np.ones(10))
    with pytest.raises(BackendError, match=r"^lif: the membrane loses 5e-05 .* finest decay is 1/4096"):
        only_layer(chain)


def test_subtraction_is_refused_on_a_chip_whose_neurons_only_reset_to_zero():
    model = dense(subtract=True).model(3)
    with pytest.raises(BackendError, match=r"^lif: the chip resets the membrane to zero"):
        quantize(model, LOIHI1)
    assert quantize(model, LOIHI2).layers


def test_an_input_of_values_is_refused_on_a_chip_whose_spikes_carry_none():
    with pytest.raises(BackendError, match=r"^input: the input holds values"):
        quantize(dense().model(3), LOIHI1, calibration=images(0, 3, 4, (12,)))


@pytest.mark.parametrize(
    ("encoding", "way_out"), [("counts", "clipped to 1"), ("sequence", "first layer run on the host")]
)
def test_the_way_out_of_values_in_the_input_is_what_adapting_does(encoding, way_out):
    model = dense().model(3, Encoding(encoding))
    seen = 4 * images(0, 3, 4, (12,)).round(decimals=1)
    with pytest.raises(BackendError, match=rf"{way_out}.*`adapt=True`$"):
        quantize(model, LOIHI1, calibration=seen)
    done = adapt(model, load_profile("loihi1"), seen)
    assert ("clipped to 1" in done.changes[0].after) == (encoding == "counts") == (not done.host_first)


def test_a_layer_without_threshold_that_feeds_another_is_refused():
    chain = Builder(np.random.default_rng(0), (4,)).linear("a", 4).spiking("li", spikes=False)
    model = chain.linear("b", 3).spiking("lif").model(3)
    with pytest.raises(BackendError, match=r"^li -> lif: a layer without threshold"):
        quantize(model, calibration=events(0, 3, 5, (4,)))


def test_a_weight_of_more_than_eight_bits_is_no_format():
    with pytest.raises(ProfileError, match="a weight can have 2 to 8 bits here, found 9"):
        Format(weight_bits=9)


def test_a_model_of_values_without_samples_is_taken_to_have_eight_bit_pixels():
    chain = dense()
    model = chain.model(3)
    assert isinstance(model, Model)
    assert quantize(model).levels == InputLevels(255, 0, 255)
