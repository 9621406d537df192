"""What was judged is what is shipped: files for a chip hold the integers that `simulate` runs, and no others."""

import json
from dataclasses import replace

import h5py
import nir
import numpy as np
import pytest
import snntorch as snn
import torch
from exporter_networks import judged
from test_registry import small_model
from test_writing import record, run
from torch import nn

import spear_deploy
from spear_deploy.backends.fixed_point import LOIHI1, LOIHI2, LoihiExecution
from spear_deploy.backends.fixed_point.backend import ChipBackend
from spear_deploy.backends.fixed_point.formats import held_by
from spear_deploy.backends.fixed_point.weight_bits import WeightBits
from spear_deploy.cli import main
from spear_deploy.data import Dataset, encode, load_data
from spear_deploy.errors import ExportError
from spear_deploy.exporters.fixed_nir import integers_in
from spear_deploy.exporters.lava import LavaExporter, NetxExporter
from spear_deploy.exporters.lava.netx import read_integers
from spear_deploy.exporters.nir import NirExporter
from spear_deploy.exporting import assert_faithful, sample_inputs, simulate
from spear_deploy.jobs.simulate import SimulateConfig
from spear_deploy.network import from_snntorch, load_any, read_nir

LAYERS = ("1_leaky", "3_leaky")

OWN_CHIP = """
inherits = "loihi2"
name = "ours"
[neurons]
decay_bits = { value = 8, unit = "bit", status = "estimated", source = "ours" }
[synapses]
weight_bits = { value = 5, unit = "bit", status = "estimated", source = "ours" }
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A network with one weight so large that scales chosen without samples silence its last layer."""
    path = tmp_path_factory.mktemp("outlier")
    torch.manual_seed(0)
    x = (torch.rand(300, 20, 12) > 0.6).numpy()
    np.savez(path / "o.npz", x_train=x, x_test=x[:100])

    def leaky():
        return snn.Leaky(beta=0.9, init_hidden=True, reset_mechanism="zero", reset_delay=False)

    net = nn.Sequential(nn.Linear(12, 40, bias=False), leaky(), nn.Linear(40, 7, bias=False), leaky())
    net[2].weight.data *= 3
    net[2].weight.data[0, 0] = -200.0
    usage = {"input_shape": (12,), "time_steps": 20, "encoding": "spikes", "data": "o.npz"}
    spear_deploy.save_model(net, path / "o.pt", **usage)
    (path / "ours.toml").write_text(OWN_CHIP)
    return path


def simulated(folder, chip, bits=None, file_format=None):
    """Spikes of each layer on the first 32 test samples, as `simulate` runs them."""
    model, data = load_any(folder / "o.pt"), load_data(str(folder / "o.npz"))
    train, test = (encode(part, model.encoding, model.time_steps).inputs for part in (data.train, data.test.first(32)))
    backend = ChipBackend(held_by(file_format, chip), train[:, :256], WeightBits(bits))
    return {name: int(values.sum()) for name, values in backend.prepare(model).run(test).outputs.items()}


def exported(folder, out, *options, code=0):
    assert run(folder / "o.pt", "--out", out, *options) == code
    return {entry["format"]: entry for entry in record(out)}


def spikes(entry):
    return {name: layer["spikes"] for name, layer in entry["verification"]["layers"].items()}


def test_a_netx_file_fires_as_simulate_does_in_the_integers_that_netx_can_hold(folder, tmp_path):
    entry = exported(folder, tmp_path, "--to", "netx", "--format", "netx", "--no-verify")["netx"]
    names, held = read_integers(tmp_path / "o.net")
    test = encode(load_data(str(folder / "o.npz")).test.first(32), "spikes", 20)
    fired = [int(values.sum()) for values in LoihiExecution(held).run(test.inputs).outputs.values()]
    assert dict(zip(names, fired, strict=True)) == simulated(folder, LOIHI2, file_format="netx")
    assert min(fired) > 0
    with h5py.File(tmp_path / "o.net") as file:
        assert dict(zip(names, file.attrs["scales"], strict=True)) == entry["integers"]["scales"]


def test_simulate_runs_the_integers_that_netx_can_hold(folder, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["simulate", str(folder / "o.pt"), "--on", "loihi", "--samples", "32", "--format", "netx", "--json"])
    assert not ended.value.code
    layers = json.loads(capsys.readouterr().out)["results"]["chip"]["layers"]
    found = {layer["layer"]: round(32 * layer["spikes"]) for layer in layers}
    assert found == simulated(folder, LOIHI2, file_format="netx")


def test_integers_that_netx_cannot_hold_are_refused_and_never_rounded_again(folder, tmp_path, capsys):
    entries = exported(folder, tmp_path, "--to", "nir,netx", code=1)
    assert capsys.readouterr().err.splitlines()[-1] == "NOT OK: asked for, and refused: netx"
    assert any("3_leaky: netx has no weight exponent" in reason for reason in entries["netx"]["refused"])
    assert not (tmp_path / "o.net").exists()
    exported(folder, tmp_path / "family", "--to", "lava", "--no-verify")  # one of its two formats is enough


def test_a_weight_exponent_is_multiplied_into_weights_that_stay_in_netxs_range():
    model = small_model()
    integers = judged(model, held_by("netx", LOIHI2))
    shifted = replace(integers, quantized=with_exponent(integers.quantized, -1))
    assert shifted.sha256 != integers.sha256
    assert assert_faithful(NetxExporter(integers=shifted), model).spikes
    out_of_range = replace(integers, quantized=with_exponent(integers.quantized, 1))
    assert NetxExporter(integers=out_of_range).refuses(model)[0].startswith("out: netx has no weight exponent")


def test_a_reason_that_holds_of_several_layers_is_told_once():
    model = small_model()
    integers = judged(model, held_by("netx", LOIHI2))
    far_out = replace(integers, quantized=with_exponent(integers.quantized, 8))
    (reason,) = NetxExporter(integers=far_out).refuses(model)
    assert reason.startswith("hidden, out: netx has no weight exponent")


def with_exponent(quantized, exponent):
    """Mantissas divided by 2^exponent; 1 more where that is positive, so that some weights leave the range."""
    layers = []
    for layer in quantized.layers:
        synapses = [
            replace(
                each, exponent=exponent, nodes=(nir.Linear(each.nodes[-1].weight * 2.0**-exponent + (exponent > 0)),)
            )
            for each in layer.synapses
        ]
        layers.append(replace(layer, synapses=tuple(synapses)))
    return replace(quantized, layers=tuple(layers))


@pytest.mark.parametrize(
    ("options", "chip", "bits", "file_format"),
    [
        ([], LOIHI2, None, None),
        (["--format", "netx"], LOIHI2, None, "netx"),
        (["--weight-bits", "6"], LOIHI2, 6, None),
        (["--target", "loihi1", "--adapt"], LOIHI1, None, None),
    ],
)
def test_a_fixed_nir_file_holds_the_integers_that_simulate_runs(folder, tmp_path, options, chip, bits, file_format):
    entry = exported(folder, tmp_path, "--to", "nir", "--fixed", *options)["nir"]
    assert spikes(entry) == simulated(folder, chip, bits, file_format)
    assert entry["verification"]["inputs"].endswith("o.npz, first 32 test samples")
    assert entry["verification"]["reference"].startswith("the integers of loihi")
    assert "o.npz, all 255 training samples" in entry["verification"]["reference"]
    held = integers_in(read_nir(tmp_path / "o.nir"))
    assert {layer.name: layer.scale for layer in held.layers} == entry["integers"]["scales"]


def test_an_own_chip_with_narrower_numbers_is_written_in_them(folder, tmp_path):
    target = ["--target", folder / "ours.toml", "--format", "netx"]
    entry = exported(folder, tmp_path, "--to", "netx", *target, "--no-verify")["netx"]
    assert entry["integers"]["target"] == "ours"
    with h5py.File(tmp_path / "o.net") as file:
        assert file["layer/0/neuron/vDecay"][()] % 16 == 0  # 8 bits, in Loihi's 12
        assert (file["layer/0/weight"][()] % 16 == 0).all()  # 5 bits, in Loihi's 9
    _, held = read_integers(tmp_path / "o.net")
    exported(folder, tmp_path, "--to", "nir", "--fixed", *target)
    test = encode(load_data(str(folder / "o.npz")).test.first(32), "spikes", 20)
    fired = [int(values.sum()) for values in LoihiExecution(held).run(test.inputs).outputs.values()]
    assert fired == list(spikes(record(tmp_path)[-1]).values())


def test_without_samples_no_integers_are_made_up(folder, tmp_path, capsys):
    model = load_any(folder / "o.pt")
    spear_deploy.network.save_model_file(small_model(), tmp_path / "net.pt")
    assert run(tmp_path / "net.pt", "--to", "nir", "--fixed", "--out", tmp_path / "out") == 2
    assert "integers are chosen on training samples" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    for exporter in (NirExporter(fixed=True), LavaExporter(fixed=True), NetxExporter()):
        assert "holds a chip's integers, and none are given" in exporter.refuses(model)[0]


def test_the_reason_why_there_are_no_integers_is_that_of_the_network(folder, tmp_path):
    net = nn.Sequential(nn.Linear(12, 4, bias=False), snn.Leaky(beta=0.9, init_hidden=True, reset_mechanism="none"))
    usage = {"input_shape": (12,), "time_steps": 20, "encoding": "spikes", "data": str(folder / "o.npz")}
    spear_deploy.save_model(net, tmp_path / "never.pt", **usage)
    assert run(tmp_path / "never.pt", "--to", "nir,netx", "--out", tmp_path / "out") == 1
    (refused,) = [entry for entry in record(tmp_path / "out") if entry["format"] == "netx"]
    (reason,) = refused["refused"]
    assert reason.startswith("a netx file holds a chip's integers, and there are none: 1_leaky: the chip resets")
    assert "none are given" not in reason


def test_a_file_that_is_silent_where_the_network_fires_is_never_equal(folder):
    """Scales chosen without samples, as exports once did: its own integers agree with themselves, in silence."""
    from spear_deploy.backends.fixed_point import quantize
    from spear_deploy.exporting import JudgedIntegers

    model = load_any(folder / "o.pt")
    test = encode(load_data(str(folder / "o.npz")).test, "spikes", 20).as_float64()
    blind = JudgedIntegers(quantize(model, held_by("netx", LOIHI2)), "loihi2", "loihi", "nothing")
    with pytest.raises(ExportError, match=r"silent in these integers, but not in the network: 3_leaky \(784 spikes\)"):
        assert_faithful(NetxExporter(integers=blind), model, test)


def test_the_script_holds_the_samples_that_it_is_proven_on(folder, tmp_path):
    assert run(folder / "o.pt", "--to", "lava", "--fixed", "--out", tmp_path, "--no-verify") == 0
    test = encode(load_data(str(folder / "o.npz")).test.first(32), "spikes", 20)
    with np.load(tmp_path / "o_lava.npz") as arrays:
        assert np.array_equal(arrays["inputs"], test.as_float64().numpy())


@pytest.mark.lava
def test_the_fixed_script_fires_in_lava_as_simulate_does(folder, tmp_path):
    entry = exported(folder, tmp_path, "--to", "lava", "--fixed", "--weight-bits", "6")["lava"]
    assert entry["verification"]["equal"]
    assert spikes(entry) == simulated(folder, LOIHI2, 6)
    assert json.loads((tmp_path / "export.json").read_text())["exports"][0]["integers"]["arithmetic"].startswith(
        "loihi"
    )


def test_counts_that_a_chip_clips_are_clipped_in_its_integers_and_in_the_proof():
    torch.manual_seed(0)
    x = torch.poisson(torch.full((60, 12, 6), 0.8)).numpy()
    data = Dataset.of_arrays(x_train=x[:40], x_test=x[40:])
    net = nn.Sequential(
        nn.Linear(6, 20), snn.Leaky(beta=0.5, init_hidden=True, reset_mechanism="zero", reset_delay=False)
    )
    net[0].weight.data *= 4
    model = from_snntorch(net, input_shape=(6,), time_steps=12, encoding="counts")
    seen = spear_deploy.simulate(model, "loihi1", data, ("chip",), SimulateConfig(adapt=True))
    found = spear_deploy.export(model, ("nir", "onnx"), data, chip="loihi1", adapt=True, options={"fixed": True})
    held = {entry.format: spikes(entry.model_dump()) for entry in found.entries}
    measured = seen.simulated.results["chip"].measurement.layers
    assert held["nir"] == {name: round(20 * layer.spikes) for name, layer in measured.items()}
    clipped = simulate(seen.model, torch.as_tensor(x[40:]).clamp(max=1).transpose(0, 1).double(), torch.float32)
    assert held["onnx"] == {name: int(values.sum()) for name, values in clipped.items()}


@pytest.mark.parametrize("exporter", [NetxExporter, lambda **given: NirExporter(fixed=True, **given)])
@pytest.mark.parametrize("bits", [8, 5])
def test_values_beyond_those_that_levels_were_chosen_on_are_cut_alike_in_every_file(exporter, bits):
    chip = replace(held_by("netx", LOIHI2), graded_bits=bits)
    made = exporter(integers=judged(small_model(), chip))
    assert assert_faithful(made, small_model(), 3 * sample_inputs(small_model())).spikes


@pytest.mark.lava
def test_the_fixed_script_cuts_them_too():
    made = LavaExporter(fixed=True, integers=judged(small_model()))
    assert assert_faithful(made, small_model(), 3 * sample_inputs(small_model())).spikes
