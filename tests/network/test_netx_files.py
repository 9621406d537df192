"""Lava netx files."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from netx_builders import CUBA, conv_net, weights, write
from torch.nn import functional

import spear_deploy
from spear_deploy.backends.fixed_point import LOIHI2, LoihiExecution, quantize
from spear_deploy.errors import ModelError
from spear_deploy.exporters.lava.integers import integers_of
from spear_deploy.exporters.lava.netx import NetxExporter
from spear_deploy.exporting import JudgedIntegers
from spear_deploy.hardware import check, load_profile
from spear_deploy.network import Simulation, load_any, write_nir
from spear_deploy.network.editing import graph_of

CASES = Path(__file__).parents[3] / "shared" / "cases" / "lava"


def test_convolutions_and_dense_layers_run_by_the_cuba_equation(tmp_path):
    model = load_any(conv_net(tmp_path / "a.net"), time_steps=20, input_shape=(2, 5, 5))
    assert model.encoding == "spikes"
    assert any("integer arithmetic" in notice for notice in model.notices)
    torch.manual_seed(0)
    x = (torch.rand(20, 6, 2, 5, 5) < 0.3).double()
    found = Simulation(model.graph, torch.float64)(x)
    conv, dense = (torch.from_numpy(w).double() for w in (weights(4, 1, 3, 2), weights(5, 48, seed=1) - 40))
    bias = torch.tensor([4.0, 0, -6, 2]).double()
    u = v = torch.zeros(6, 4, 3, 4).double()
    w = torch.zeros(6, 5).double()
    for t in range(20):
        u = 0.75 * u + functional.conv2d(x[t], conv, stride=(2, 1), padding=(1, 0), groups=2)
        v = 0.875 * v + u + bias.reshape(-1, 1, 1)
        first = (v > 80).double()
        v = v * (1 - first)
        w = 0.875 * w + first.flatten(1) @ dense.T
        second = (w > 80).double()
        w = w * (1 - second)
        assert torch.equal(found.outputs["0_cuba"][t], first)
        assert torch.equal(found.output[t], second)
    assert 0 < found.output.mean() < 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weight": weights(5, 47)}, "layer 2: takes 47 inputs, found 48"),
        ({"neuron": CUBA | {"type": b"SDNN"}}, "layer 2: neurons of type 'SDNN' are not supported"),
        ({"neuron": CUBA | {"refDelay": 3}}, "neuron refDelay = 3 is not supported, only 1"),
        ({"neuron": CUBA | {"vDecay": 5000}}, r"neuron vDecay must lie in \[0, 4096\], found 5000"),
        ({"neuron": CUBA | {"vThMant": 0}}, "thresholds must be positive, found 0"),
        ({"neuron": {"type": b"CUBA"}}, "damaged"),
        ({"weight": np.full((5, 48), np.nan)}, "2_dense: weight must be finite, found nan"),
        ({"delay": np.arange(5.0)}, "its axons have 5 different delays"),
        ({"weight": {"real": weights(5, 48), "imag": weights(5, 48)}}, "complex weights are not supported"),
    ],
)
def test_what_cannot_be_run_exactly_is_refused(tmp_path, change, message):
    path = conv_net(tmp_path / "a.net", **change)
    with pytest.raises(ModelError, match=message):
        load_any(path, time_steps=5, input_shape=(2, 5, 5))


def test_a_sound_file_is_loaded_from_python_with_what_it_does_not_say(tmp_path):
    path = conv_net(tmp_path / "a.net")
    model = spear_deploy.load_model(path, time_steps=20, input_shape=(2, 5, 5))
    assert (model.time_steps, model.network.input_shape) == (20, (2, 5, 5))
    assert len(model.network.layers) == 2
    with pytest.raises(
        ModelError, match=r"a\.net: this netx file, as lava-dl's, does not say for how many time steps it runs"
    ):
        spear_deploy.load_model(path)


def test_what_the_format_does_not_hold_has_to_be_given(tmp_path):
    path = conv_net(tmp_path / "a.net")
    with pytest.raises(ModelError, match="give `time_steps`"):
        load_any(path, input_shape=(2, 5, 5))
    with pytest.raises(ModelError, match="give `input_shape`"):
        load_any(path, time_steps=5)
    with pytest.raises(ModelError, match="layer 0: type 'concat' is not supported; supported: average, conv"):
        load_any(write(tmp_path / "b.net", ("concat", {"weight": weights(2, 3)})), time_steps=5, input_shape=(2,))
    with pytest.raises(ModelError, match="the first layer is a pool, and the file does not say its input"):
        load_any(write(tmp_path / "p.net", ("pool", {"weight": weights(2, 3)})), time_steps=5)
    with h5py.File(tmp_path / "c.net", "w") as file:
        file.create_group("layer")
    with pytest.raises(ModelError, match="holds no layers"):
        load_any(tmp_path / "c.net", time_steps=5)


def test_a_uniform_axon_delay_is_kept(tmp_path):
    first, second = ({"shape": [3], "weight": weights(3, n), "neuron": CUBA} for n in (2, 3))
    late = write(tmp_path / "late.net", ("dense", first | {"delay": np.full(3, 2.0)}), ("dense", second))
    prompt = write(tmp_path / "prompt.net", ("dense", first), ("dense", second))
    x = torch.ones(12, 1, 2).double()
    late, prompt = (load_any(path, time_steps=12) for path in (late, prompt))
    found, expected = (Simulation(model.graph, torch.float64)(x).output for model in (late, prompt))
    assert expected.sum() > 0
    assert torch.equal(found[2:], expected[:-2])


@pytest.mark.cases
@pytest.mark.skipif(not CASES.is_dir(), reason="the folder of real networks is not beside the checkout")
def test_the_oxford_network_spikes_as_loihis_integers_do_up_to_their_rounding(tmp_path):
    model = load_any(CASES / "oxford_network.net", time_steps=1900)
    events = np.load(CASES / "oxford_input.npy")
    x = torch.zeros(1900, 1, 200, dtype=torch.float64)
    x[events[:, 2].astype(int), 0, events[:, 0].astype(int)] = 1
    with torch.no_grad():
        trace = Simulation(model.graph, torch.float64)(x)
        write_nir(model, tmp_path / "again.nir")
        again = Simulation(load_any(tmp_path / "again.nir").graph, torch.float64)(x)
    assert all(torch.equal(trace.outputs[layer], again.outputs[layer]) for layer in trace.outputs)
    total, source = 0, x[:, 0].numpy().astype(np.int64)
    with h5py.File(CASES / "oxford_network.net") as file:
        for index in (0, 1):
            weight = file[f"layer/{index}/weight"][()].astype(np.int64)
            decay, threshold = (int(file[f"layer/{index}/neuron/{key}"][()]) for key in ("vDecay", "vThMant"))
            v, spikes = np.zeros(len(weight), dtype=np.int64), np.zeros((1900, len(weight)), dtype=np.int64)
            for t in range(1900):
                v = np.sign(v) * ((np.abs(v) * (4096 - decay)) >> 12) + ((weight @ source[t]) << 6)
                spikes[t] = v > (threshold << 6)
                v[spikes[t] == 1] = 0
            found = int(trace.outputs[f"{index}_cuba"].sum())
            assert found == pytest.approx(spikes.sum(), rel=0.005)
            total, source = total + int(spikes.sum()), spikes
    assert total == 12_772  # what Lava's own fixed-point simulation counts


def cuba(values, *, current, membrane, threshold=80.0):
    """Spikes of CUBA neurons for inputs `[T, B, *shape]`, by the equation."""
    u = v = torch.zeros_like(values[0])
    found = []
    for value in values:
        u = (1 - current / 4096) * u + value
        v = (1 - membrane / 4096) * v + u
        found.append((v > threshold).double())
        v = v * (1 - found[-1])
    return torch.stack(found)


def test_input_blocks_pools_and_averages_run_by_the_cuba_equation(tmp_path):
    first = {"shape": [2, 4, 4], "weight": np.array([60.0]), "bias": np.array([2.0]), "neuron": CUBA}
    pool = {"shape": [2, 2, 2], "weight": np.full((1, 1, 2, 2), 30.0), "kernelSize": [2, 2], "stride": [2, 2]}
    pool |= {"padding": [0, 0], "neuron": CUBA}
    dense = {"shape": [6], "weight": weights(6, 8), "neuron": CUBA}
    last = ("average", {"shape": [3]})
    blocks = (("input", first), ("pool", pool), ("flatten", {"shape": [8]}), ("dense", dense), last)
    model = load_any(write(tmp_path / "a.net", *blocks), time_steps=15)
    assert (model.network.input_shape, model.classes, model.population) == ((2, 4, 4), 3, 2)
    assert model.untrained == {"0_input", "1_pool"}  # one weight for all
    x = (torch.rand(15, 6, 2, 4, 4, generator=torch.Generator().manual_seed(1)) < 0.4).double()
    found = Simulation(model.graph, torch.float64)(x).outputs
    settings = {"current": 1024, "membrane": 512}
    u = v = torch.zeros(6, 2, 4, 4).double()
    early = []
    for step in x:
        u = 0.75 * u + 60 * step
        v = 0.875 * v + u + 2
        early.append((v > 80).double())
        v = v * (1 - early[-1])
    early = torch.stack(early)
    pooled = cuba(30 * early.reshape(15, 6, 2, 2, 2, 2, 2).sum((4, 6)), **settings)
    assert torch.equal(found["0_cuba"], early)
    assert torch.equal(found["1_cuba"], pooled)
    assert torch.equal(
        found["3_cuba"], cuba(pooled.flatten(2) @ torch.from_numpy(weights(6, 8)).double().T, **settings)
    )
    assert 0 < found["3_cuba"].mean() < 1


SLAYER = {"type": b"CUBA", "iDecay": 1024, "vDecay": 512, "vThMant": 60, "refDelay": 1, "gradedSpike": False}


def transposed(shape, kernel, *, groups=1, bias=True, **options):
    """A block as slayer writes it, and torch's own layer with the same weights."""
    each = {"stride": [1, 1], "padding": [0, 0], "dilation": [1, 1], **options}
    content = {"shape": shape, "weight": kernel, "groups": groups, "neuron": SLAYER, "kernelSize": kernel.shape[2:]}
    content |= {"bias": weights(shape[0], seed=4)} if bias else {}
    return content | each, each


@pytest.mark.parametrize(
    ("shape", "kernel", "groups", "options", "added"),
    [
        ((4, 9, 9), (2, 4, 3, 3), 1, {"stride": [2, 2]}, (0, 0)),
        ((4, 8, 9), (2, 4, 3, 3), 1, {"stride": [2, 2], "padding": [1, 0], "dilation": [1, 1]}, (1, 0)),
        ((4, 6, 13), (2, 2, 3, 2), 2, {"stride": [1, 3], "dilation": [1, 3]}, (0, 0)),
        ((6, 4, 4), (2, 3, 1, 1), 2, {}, (0, 0)),
    ],
)
@pytest.mark.parametrize("bias", [True, False])
def test_transposed_convolutions_run_as_torchs_own_by_the_cuba_equation(
    tmp_path, shape, kernel, groups, options, added, bias
):
    kernel = weights(*kernel, seed=7) - 20
    content, each = transposed(shape, kernel, groups=groups, bias=bias, **options)
    model = load_any(write(tmp_path / "a.net", ("convT", content)), time_steps=12, input_shape=(2, 4, 4))
    x = (torch.rand(12, 5, 2, 4, 4, generator=torch.Generator().manual_seed(1)) < 0.4).double()
    found = Simulation(model.graph, torch.float64)(x).output
    kernel = torch.from_numpy(kernel).double()
    u = v = torch.zeros(5, *shape).double()
    for t, step in enumerate(x):
        each = {key: tuple(value) for key, value in each.items()}
        u = 0.75 * u + functional.conv_transpose2d(step, kernel, **each, output_padding=added, groups=groups)
        v = 0.875 * v + u + (torch.from_numpy(content["bias"]).double().reshape(-1, 1, 1) if bias else 0)
        spikes = (v > 60).double()
        v = v * (1 - spikes)
        assert torch.equal(found[t], spikes)
    assert 0 < found.mean() < 1


def test_unpooling_repeats_each_value_over_its_window(tmp_path):
    content, _ = transposed((2, 8, 8), np.full((1, 1, 2, 2), 50.0, np.float32), bias=False, stride=[2, 2])
    model = load_any(write(tmp_path / "a.net", ("unpool", content)), time_steps=12, input_shape=(2, 4, 4))
    assert model.untrained == {"0_conv"}  # one weight for all windows
    x = (torch.rand(12, 5, 2, 4, 4, generator=torch.Generator().manual_seed(1)) < 0.4).double()
    found = Simulation(model.graph, torch.float64)(x).output
    assert torch.equal(
        found, cuba(50 * x.repeat_interleave(2, 3).repeat_interleave(2, 4), current=1024, membrane=512, threshold=60)
    )
    assert 0 < found.mean() < 1


def test_integers_of_a_transposed_convolution_are_run_as_they_are_and_not_written_again(tmp_path):
    content, _ = transposed((4, 9, 9), weights(2, 4, 3, 3, seed=7) - 20, stride=[2, 2])
    fully = {"shape": [5], "weight": weights(5, 324, seed=1) - 40, "neuron": CUBA | {"vThMant": 900}}
    blocks = (("convT", content), ("flatten", {"shape": [324]}), ("dense", fully))
    model = load_any(write(tmp_path / "a.net", *blocks), time_steps=12, input_shape=(2, 4, 4))
    x = (torch.rand(12, 5, 2, 4, 4, generator=torch.Generator().manual_seed(1)) < 0.4).double()
    chosen = quantize(model, LOIHI2, calibration=x)
    assert [layer.scale for layer in chosen.layers] == [1.0, 1.0]
    wanted, found = (LoihiExecution(each).run(x).outputs for each in (integers_of(model.network, None), chosen))
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)
    assert all(0 < float(output.mean()) < 1 for output in found.values())
    (reason,) = NetxExporter(integers=JudgedIntegers(chosen, "loihi2", "", "")).refuses(model)
    assert "lava-dl's netx runs no transposed convolution" in reason


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"shape": [4, 12, 9]}, "layer 0: gives 9 to 10 rows or columns of 4, the file says 12"),
        ({"shape": [4, 9, 8]}, "layer 0: gives 9 to 10 rows or columns of 4, the file says 8"),
        ({"shape": [3, 9, 9]}, "layer 0: has weights from 2 to 4 channels, found 2 and 3"),
        ({"shape": [324]}, r"layer 0: leads from a map to a map, found \(2, 4, 4\) and \(324,\)"),
        ({"shape": [4, 1 << 30, 9], "stride": [1 << 28, 2]}, "the file says 1073741824"),
        ({"weight": weights(3, 4, 3, 3)}, "has weights from 3 to 4 channels, found 2 and 4"),
    ],
)
def test_a_transposed_convolution_that_does_not_fit_is_refused_by_its_sizes(tmp_path, change, message):
    content, _ = transposed((4, 9, 9), weights(2, 4, 3, 3, seed=7), stride=[2, 2])
    with pytest.raises(ModelError, match=message):
        load_any(write(tmp_path / "a.net", ("convT", content | change)), time_steps=5, input_shape=(2, 4, 4))


def test_recurrence_is_one_step_late(tmp_path):
    again = weights(4, 4, seed=3) - 60
    content = {"shape": [4], "weight": weights(4, 3), "weight_rec": again, "neuron": CUBA}
    model = load_any(write(tmp_path / "a.net", ("dense_rec", content)), time_steps=15)
    x = (torch.rand(15, 6, 3, generator=torch.Generator().manual_seed(1)) < 0.6).double()
    found = Simulation(model.graph, torch.float64)(x).output
    into, back = torch.from_numpy(weights(4, 3)).double(), torch.from_numpy(again).double()
    u = v = spikes = torch.zeros(6, 4).double()
    for t in range(15):
        u = 0.75 * u + x[t] @ into.T + spikes @ back.T
        v = 0.875 * v + u
        spikes = (v > 80).double()
        v = v * (1 - spikes)
        assert torch.equal(found[t], spikes)
    assert 0 < found.mean() < 1


def test_integers_that_a_file_brings_are_run_as_they_are(tmp_path):
    """Scales of our own would differ from them in some spikes, because decays are rounded at every step."""
    model = load_any(conv_net(tmp_path / "a.net"), time_steps=40, input_shape=(2, 5, 5))
    x = (torch.rand(40, 50, 2, 5, 5, generator=torch.Generator().manual_seed(2)) < 0.3).double()
    chosen = quantize(model, LOIHI2, calibration=x)
    assert [layer.scale for layer in chosen.layers] == [1.0, 1.0]
    wanted = LoihiExecution(integers_of(model.network, None)).run(x).outputs
    found = LoihiExecution(chosen).run(x).outputs
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)
    unmarked = model.with_graph(graph_of(model.graph.nodes, model.graph.edges))
    rescaled = LoihiExecution(quantize(unmarked, LOIHI2, calibration=x))
    assert any(not torch.equal(output, wanted[name]) for name, output in rescaled.run(x).outputs.items())


def test_integers_that_the_chip_cannot_hold_are_rounded_like_any_others(tmp_path):
    content = {"shape": [3], "weight": 10 * weights(3, 2), "neuron": CUBA}
    model = load_any(write(tmp_path / "a.net", ("dense", content)), time_steps=5)
    assert quantize(model, LOIHI2).layers[0].scale != 1.0
    assert check(model.network, load_profile("loihi2"), analog_input=False).fits
