from dataclasses import replace

import h5py
import nir
import numpy as np
import pytest
import snntorch
import torch
from exporter_networks import chain, judged, neuron
from test_lava_script import recurrent_model
from test_onnx import conv_model
from test_registry import small_model
from torch import nn

from spear_deploy.backends.fixed_point import quantize
from spear_deploy.backends.fixed_point.formats import LOIHI2, held_by_netx
from spear_deploy.data import encode, load_data
from spear_deploy.errors import ExportError
from spear_deploy.exporters.lava import NetxExporter
from spear_deploy.exporting import assert_faithful, sample_inputs, simulate
from spear_deploy.network import Encoding, Reset, from_snntorch, load_model_file
from spear_deploy.network.load import load_any

NETX = held_by_netx(LOIHI2)


def exporter_of(model, chip=NETX):
    return NetxExporter(integers=judged(model, chip))


@pytest.fixture(scope="module")
def digits():
    return load_model_file("examples/digits.pt")


@pytest.fixture(scope="module")
def on_digits(digits):
    """The exporter with integers of the shipped network that netx can hold."""
    train = encode(load_data("digits").train.first(256), digits.encoding, digits.time_steps)
    return NetxExporter(integers=judged(digits, NETX, samples=train.inputs))


@pytest.fixture(scope="module")
def written(digits, on_digits, tmp_path_factory):
    path = tmp_path_factory.mktemp("netx") / "digits.net"
    on_digits.write(digits, path)
    return path


def block_network(seed):
    """Convolutions and dense layers one after the other, as netx has them."""
    rng = np.random.default_rng(seed)
    layers, channels, size = [], 2, 6
    for index in range(rng.integers(0, 3)):
        stride = int(rng.choice([1, 2]))
        made = int(rng.choice([2, 4]))
        weight, bias = rng.normal(0, 0.4, (made, channels, 3, 3)), rng.normal(0, 0.1, made)
        layers.append((f"conv{index}", nir.Conv2d(None, weight, (stride, stride), (1, 1), (1, 1), 1, bias)))
        channels, size = made, (size - 1) // stride + 1
        layers.append((f"lif{index}", neuron((channels, size, size), rng)))
    layers.append(("flatten", nir.Flatten({"input": np.array([channels, size, size])}, 0, -1)))
    layers.append(("dense", nir.Linear(rng.normal(0, 0.5, (5, channels * size * size)))))
    layers.append(("out", neuron((5,), rng, alpha=bool(rng.random() < 0.5))))
    encoding = Encoding.DIRECT if rng.random() < 0.5 else Encoding.SPIKES
    return chain((2, 6, 6), *layers, encoding=encoding, time_steps=int(rng.choice([1, 4, 8])))


@pytest.mark.parametrize("seed", range(50))
def test_a_random_network_of_blocks_comes_back_with_every_spike(seed):
    model = block_network(seed)
    assert assert_faithful(exporter_of(model), model).layers


def test_the_layout_is_that_of_lava_dl(written):
    """Keys, shapes and types of a file that slayer wrote, oxford_network.net of lava-dl's tutorials."""
    with h5py.File(written) as file:
        layers = file["layer"]
        assert [layers[str(index)]["type"][0] for index in range(5)] == [
            b"conv",
            b"conv",
            b"conv",
            b"flatten",
            b"dense",
        ]
        neuron_keys = {"type", "iDecay", "vDecay", "vThMant", "refDelay", "gradedSpike"}
        assert set(layers["0/neuron"]) == neuron_keys
        assert layers["0/neuron/type"][()] == b"CUBA"
        assert layers["4/weight"].shape == (10, 256)
        assert layers["4/weight"].dtype == np.float32
        assert set(layers["4"]) >= {"shape", "weight", "bias", "inFeatures", "outFeatures", "neuron"}
        assert (layers["4/inFeatures"][()], layers["4/outFeatures"][()]) == (256, 10)
        assert list(layers["0/shape"]) == [16, 8, 8]


def test_a_leaky_membrane_without_current_forgets_the_current_at_once(written):
    """lava-dl reads du = iDecay - 1, and Loihi adds the 1 again: 4096 of 4096 decays."""
    with h5py.File(written) as file:
        assert file["layer/0/neuron/iDecay"][()] == 4096
        assert file["layer/0/neuron/vDecay"][()] == 2048  # beta 0.5


def test_weights_of_both_signs_are_even_and_fit_nine_bits(written):
    with h5py.File(written) as file:
        for index in (0, 1, 2, 4):
            weight = file[f"layer/{index}/weight"][()]
            assert (weight % 2 == 0).all()
            assert weight.min() >= -256
            assert weight.max() <= 254


def test_digits_are_recognised_as_well_in_netx_integers(digits, on_digits):
    test = load_data("digits").test
    inputs = encode(test, digits.encoding, digits.time_steps).as_float64()
    integers, floats = on_digits.expected(digits, inputs), simulate(digits, inputs, inputs.dtype)
    right = [(each["8_leaky"].sum(0).argmax(1) == test.y).double().mean().item() for each in (integers, floats)]
    assert abs(right[0] - right[1]) <= 0.005


def test_our_importer_loads_it_as_a_network(written):
    model = load_any(written, time_steps=4, input_shape=(1, 8, 8))
    assert [neuron.shape for neuron in model.network.neurons.values()] == [(16, 8, 8), (32, 4, 4), (64, 2, 2), (10,)]


def reset_model(**options):
    rng = np.random.default_rng(0)
    dense = nir.Affine(rng.normal(0, 1, (3, 4)), rng.normal(0, 1, 3))
    return chain((4,), ("dense", dense), ("out", neuron((3,), rng, **options)))


def hearing_itself(*, steps=0, seed=4, alpha=True):
    """A recurrent layer of synaptic currents, its loop late by further steps."""
    rng = np.random.default_rng(seed)
    back = {"back": nir.Linear(rng.normal(0, 0.5, (8, 8)))}
    edges = [("hidden", "back"), ("back", "hidden")]
    if steps:
        back["wait"] = nir.Delay(np.full(8, (steps + 1) * 1e-4))
        edges = [("hidden", "wait"), ("wait", "back"), ("back", "hidden")]
    layers = [("dense", nir.Linear(rng.normal(0, 0.8, (8, 6)))), ("hidden", neuron((8,), rng, alpha=alpha))]
    layers += [("dense2", nir.Linear(rng.normal(0, 0.6, (5, 8)))), ("out", neuron((5,), rng))]
    return chain((6,), *layers, extra=back, extra_edges=edges, encoding=Encoding.SPIKES)


def late(steps, *, before=True):
    """Axons that are late, of the input or of neurons."""
    rng = np.random.default_rng(2)
    wait = ("wait", nir.Delay(np.full(6 if before else 8, steps * 1e-4)))
    first, second = (nir.Linear(rng.normal(0, 0.8, shape)) for shape in ((8, 6), (5, 8)))
    hidden = [("dense", first), ("hidden", neuron((8,), rng))]
    layers = [wait, *hidden] if before else [*hidden, wait]
    return chain((6,), *layers, ("dense2", second), ("out", neuron((5,), rng)), encoding=Encoding.SPIKES, time_steps=12)


def looped():
    """Two layers that hear each other."""
    rng = np.random.default_rng(5)
    layers = [("dense", nir.Linear(rng.normal(0, 0.8, (8, 6)))), ("first", neuron((8,), rng))]
    layers += [("dense2", nir.Linear(rng.normal(0, 0.6, (5, 8)))), ("second", neuron((5,), rng))]
    back = {"back": nir.Linear(rng.normal(0, 0.5, (8, 5)))}
    return chain((6,), *layers, extra=back, extra_edges=[("second", "back"), ("back", "first")])


@pytest.mark.parametrize("alpha", [True, False])
def test_recurrence_is_written_as_lava_dl_has_it_and_read_back_to_the_last_spike(tmp_path, alpha):
    model = hearing_itself(alpha=alpha)
    exporter = exporter_of(model)
    assert assert_faithful(exporter, model).spikes
    exporter.write(model, tmp_path / "net.net")
    with h5py.File(tmp_path / "net.net") as file:
        assert file["layer/0/type"][()].tolist() == [b"dense_rec"]
        assert file["layer/0/weight_rec"].shape == (8, 8)
        assert (file["layer/0/weight_rec"][()] % 1 == 0).all()
    read = load_any(tmp_path / "net.net", time_steps=6)
    assert len(read.network.feedback) == 1


def test_an_integrator_with_a_bias_that_hears_itself_is_read_back_to_the_last_spike():
    torch.manual_seed(2)
    options = {"reset_mechanism": "zero", "reset_delay": False, "init_hidden": True, "threshold": 0.8}
    hidden, out = snntorch.RLeaky(1.0, linear_features=8, **options), snntorch.Leaky(1.0, **options)
    net = nn.Sequential(nn.Linear(6, 8), hidden, nn.Linear(8, 5), out)
    model = from_snntorch(net, input_shape=(6,), time_steps=6, encoding="spikes")
    assert assert_faithful(exporter_of(model), model).spikes


@pytest.mark.parametrize("steps", [1, 3, 62])
def test_axons_that_are_late_are_written_and_read_back_to_the_last_spike(tmp_path, steps):
    model = late(steps, before=False)
    exporter = exporter_of(model)
    assert assert_faithful(exporter, model).spikes
    exporter.write(model, tmp_path / "net.net")
    with h5py.File(tmp_path / "net.net") as file:
        assert file["layer/0/delay"][()].tolist() == [steps] * 8
        assert "delay" not in file["layer/1"]
    assert list(load_any(tmp_path / "net.net", time_steps=6).network.delays.values()) == [steps]


def test_more_than_62_steps_are_refused():
    assert (
        "netx has delays of up to 62 steps, this one has 63" in exporter_of(late(63, before=False)).refuses(late(63))[0]
    )


def negative_alone(seed=3):
    """Two layers, the weights into the second of one sign."""
    rng = np.random.default_rng(seed)
    weight = -rng.random((4, 8)) / 8
    first, dense = nir.Linear(rng.random((8, 5))), nir.Affine(weight, np.full(4, 0.9))
    layers = (("first", first), ("hidden", neuron((8,), rng)), ("dense", dense), ("out", neuron((4,), rng)))
    return chain((5,), *layers, encoding=Encoding.SPIKES)


@pytest.mark.parametrize("bits", [8, 5, 4])
@pytest.mark.parametrize("seed", [3, 14])
def test_negative_weights_alone_are_chosen_as_netx_holds_them(bits, seed):
    """lava-dl takes a zero among them for a second sign, and a matrix of both signs has even weights."""
    model = negative_alone(seed)
    made = NetxExporter(integers=judged(model, NETX, weight_bits=bits))
    assert made.refuses(model) == ()
    weights = made.integers.quantized.layers[1].synapses[0].nodes[-1].weight
    assert -256 < weights.min() < weights.max() <= 0
    assert not (weights % 2 ** (9 - bits)).any()


def test_a_file_read_as_a_model_runs_on_the_chip_in_the_integers_that_it_holds(tmp_path):
    """Whatever stands there: -256, the smallest that a weight can be, is none that was clipped."""
    model = small_model(encoding=Encoding.SPIKES)
    integers = judged(model, NETX)
    hidden, out = integers.quantized.layers
    weight = out.synapses[0].nodes[-1].weight.copy()
    weight[0, 0], weight[1, 1] = -256, 254
    out = replace(out, synapses=(replace(out.synapses[0], nodes=(nir.Linear(weight),)),))
    changed = replace(integers, quantized=replace(integers.quantized, layers=(hidden, out)))
    NetxExporter(integers=changed).write(model, tmp_path / "net.net")
    read = load_any(tmp_path / "net.net", time_steps=model.time_steps)
    held = quantize(read, LOIHI2, calibration=sample_inputs(model)).layers
    for found, wanted in zip(held, (hidden, out), strict=True):
        assert np.array_equal(found.synapses[0].nodes[-1].weight, wanted.synapses[0].nodes[-1].weight)
        assert np.array_equal(found.vth, wanted.vth)


def test_256_below_0_without_a_positive_weight_is_refused_as_lava_would_clip_it():
    model = negative_alone()
    integers = judged(model, NETX)
    hidden, out = integers.quantized.layers
    weight = out.synapses[0].nodes[-1].weight.copy()
    weight[0, 0] = -256
    synapses = (replace(out.synapses[0], nodes=(nir.Linear(weight),)),)
    changed = replace(integers.quantized, layers=(hidden, replace(out, synapses=synapses)))
    (reason,) = NetxExporter(integers=replace(integers, quantized=changed)).refuses(model)
    assert reason.startswith("out: netx has no -256 where no weight is positive")


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (recurrent_model(), "hidden: netx puts a bias into the membrane"),
        (looped(), "first: netx has one chain of layers, without branches and loops over several"),
        (hearing_itself(steps=1), "hidden: netx has recurrence through one dense matrix, a step late"),
        (late(63), "hidden: netx has delays behind neurons only"),
        (conv_model(), "lif2: netx has one convolution or one dense matrix before a layer, no pools"),
        (reset_model(reset=Reset.SUBTRACT), "out: netx has neurons that spike and reset to zero only"),
        (reset_model(spikes=False), "out: netx has neurons that spike"),
        (reset_model(arrays=True), "out: netx has one decay and one threshold a layer"),
        (reset_model(alpha=True), "out: netx puts a bias into the membrane"),
    ],
)
def test_what_netx_cannot_say_is_refused_with_the_reason_and_the_way_out(model, reason):
    found = "\n".join(exporter_of(model).refuses(model))
    assert reason in found
    assert "export the script (lava) instead" in found


@pytest.mark.parametrize(
    "change",
    [
        lambda file: file.__delitem__("layer"),
        lambda file: file.attrs.__delitem__("layers"),
        lambda file: file.attrs.__delitem__("input_signed"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path, change):
    path = tmp_path / "net.net"
    exporter_of(small_model()).write(small_model(), path)
    with h5py.File(path, "r+") as file:
        change(file)
    with pytest.raises(ExportError, match=r"net\.net: cannot be read back"):
        exporter_of(small_model()).run(path, sample_inputs(small_model()))
