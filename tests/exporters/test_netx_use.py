"""What our netx files say of themselves beside lava-dl's layers, and what becomes of it when they are read."""

from dataclasses import replace

import h5py
import numpy as np
import pytest
import torch
from exporter_networks import judged
from test_netx import NETX, block_network
from test_registry import small_model

from spear_deploy.backends.fixed_point import LOIHI2, LoihiExecution, quantize
from spear_deploy.backends.fixed_point.formats import LOIHI1
from spear_deploy.errors import BackendError, ModelError
from spear_deploy.exporters.lava import NetxExporter
from spear_deploy.network import Encoding, load_any, load_model_file, save_model_file, write_nir
from spear_deploy.network.model import INPUT_LEVELS
from spear_deploy.network.read_out import ReadOut


def values_of(model, kind, samples=8):
    """Samples `[T, B, *input_shape]` of values as an encoding has them."""
    rng = np.random.default_rng(3)
    shape = (model.time_steps, samples, *model.network.input_shape)
    made = {
        "counts": lambda: rng.poisson(1.5, shape),
        "sequence": lambda: rng.normal(0, 0.7, shape),
        "direct": lambda: np.broadcast_to(rng.random(shape[1:]), shape).copy(),
    }
    return torch.from_numpy(np.asarray(made[kind](), dtype=np.float64))


def written(model, inputs, path):
    """The integers of the file that was written."""
    integers = judged(model, NETX, samples=inputs)
    exporter = NetxExporter(integers=integers)
    assert exporter.refuses(model) == ()
    exporter.write(model, path)
    return integers


@pytest.mark.parametrize("kind", ["counts", "sequence", "direct"])
@pytest.mark.parametrize("seed", range(4))
def test_a_file_of_values_read_again_does_to_the_last_spike_what_was_exported(tmp_path, kind, seed):
    model = replace(block_network(seed), encoding=Encoding(kind))
    inputs = values_of(model, kind)
    integers = written(model, inputs, tmp_path / "net.net")
    read = load_any(tmp_path / "net.net")
    found = LoihiExecution(quantize(read, LOIHI2, calibration=inputs)).run(inputs).outputs
    wanted = integers.run(inputs)
    assert list(found) == list(wanted)  # the layers' own names
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)
    assert sum(float(output.sum()) for output in wanted.values()) > 0


def test_the_chip_gets_the_integers_in_the_file_times_inputs_in_its_levels(tmp_path):
    """Worked out from the file alone, by Loihi's equation, for its first layer."""
    model = replace(small_model(), encoding=Encoding.SEQUENCE)
    inputs = values_of(model, "sequence")
    written(model, inputs, tmp_path / "net.net")
    with h5py.File(tmp_path / "net.net") as file:
        of_one, weight = float(file.attrs["input_levels"]), file["layer/0/weight"][()].astype(np.int64)
        bias, decay, threshold = (file[f"layer/0/{key}"][()] for key in ("bias", "neuron/vDecay", "neuron/vThMant"))
    sent = np.clip(np.rint(inputs.numpy() * of_one), -127, 127).astype(np.int64)
    v, spikes = np.zeros((inputs.shape[1], len(weight)), dtype=np.int64), []
    for step in sent:
        v = np.sign(v) * ((np.abs(v) * (4096 - int(decay))) >> 12) + ((step @ weight.T) << 6) + (bias.astype(int) << 6)
        spikes.append(v > (int(threshold) << 6))
        v[spikes[-1]] = 0
    read = load_any(tmp_path / "net.net")
    found = LoihiExecution(quantize(read, LOIHI2, calibration=inputs)).run(inputs).outputs["hidden"]
    assert np.array_equal(found.numpy() != 0, np.stack(spikes))
    assert 0 < found.mean() < 1


def test_a_file_says_how_its_network_is_used(tmp_path):
    use = {"population": 3, "binning": "count", "objective": "regression:scale=8", "data": "net.npz"}
    model = replace(small_model(encoding=Encoding("delta:threshold=0.2")), **use)
    written(model, values_of(model, "counts").clamp(max=1), tmp_path / "net.net")
    read = load_any(tmp_path / "net.net")
    for key in (*use, "time_steps", "encoding"):
        assert getattr(read, key) == getattr(model, key)
    assert read.network.dt_s == model.network.dt_s
    assert read.network.input_shape == (4,)
    assert read.read_out is ReadOut.COUNT
    asked = load_any(tmp_path / "net.net", time_steps=9, encoding="spikes", objective="classification")
    assert (asked.time_steps, asked.encoding, asked.objective) == (9, "spikes", "classification")
    with pytest.raises(ModelError, match=r"net\.net: its time step is 0\.0001 s, not 0\.001 s"):
        load_any(tmp_path / "net.net", dt_s=1e-3)


def test_who_runs_the_file_elsewhere_is_told_what_its_layers_do_not_say():
    model = replace(small_model(encoding=Encoding.COUNTS), population=3)
    counts = values_of(model, "counts")
    told = NetxExporter(integers=judged(model, NETX, samples=counts)).notices(model)
    levels = int(255 // (4 * counts.max()))
    assert told == (
        f"send each input times {levels}, rounded and cut to 0 to 255 (in lava-dl with input_message_bits=8)",
        "3 outputs, one after the other, stand for each answer: add up their spikes",
    )
    of_spikes = small_model(encoding=Encoding.SPIKES)
    assert NetxExporter(integers=judged(of_spikes, NETX)).notices(of_spikes) == ()


def test_a_population_is_no_block_because_lava_dl_refuses_a_file_with_one(tmp_path):
    """lava-dl 0.6.0, netx/hdf5.py: 'average' raises NotImplementedError."""
    model = replace(small_model(encoding=Encoding.SPIKES), population=3)
    written(model, values_of(model, "counts").clamp(max=1), tmp_path / "net.net")
    with h5py.File(tmp_path / "net.net") as file:
        assert [file[f"layer/{index}/type"][0] for index in range(len(file["layer"]))] == [b"dense", b"dense"]


def test_a_file_that_says_levels_and_no_encoding_is_read_with_the_one_that_is_given(tmp_path):
    """As earlier versions wrote them."""
    model = replace(small_model(), encoding=Encoding.COUNTS)
    inputs = values_of(model, "counts")
    integers = written(model, inputs, tmp_path / "net.net")
    with h5py.File(tmp_path / "net.net", "r+") as file:
        for key in ("encoding", "population", "binning", "objective", "dt_s"):
            del file.attrs[key]
    read = load_any(tmp_path / "net.net", encoding="counts")
    found = LoihiExecution(quantize(read, LOIHI2, calibration=inputs)).run(inputs).outputs
    assert all(torch.equal(found[name], wanted) for name, wanted in integers.run(inputs).items())


def test_levels_stay_with_the_network_in_other_files(tmp_path):
    model = replace(small_model(), encoding=Encoding.SEQUENCE)
    inputs = values_of(model, "sequence")
    integers = written(model, inputs, tmp_path / "net.net")
    read = load_any(tmp_path / "net.net")
    write_nir(read, tmp_path / "net.nir")
    save_model_file(read, tmp_path / "net.pt")
    for again in (load_any(tmp_path / "net.nir"), load_model_file(tmp_path / "net.pt")):
        found = LoihiExecution(quantize(again, LOIHI2, calibration=inputs)).run(inputs).outputs
        assert all(torch.equal(found[name], wanted) for name, wanted in integers.run(inputs).items())


def test_a_chip_whose_spikes_carry_no_values_refuses_a_file_of_values(tmp_path):
    model = replace(small_model(), encoding=Encoding.COUNTS)
    inputs = values_of(model, "counts")
    written(model, inputs, tmp_path / "net.net")
    with pytest.raises(BackendError, match="the input holds event counts, and the chip's spikes carry none"):
        quantize(load_any(tmp_path / "net.net"), LOIHI1, calibration=inputs)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("input_levels", -3.0, "an input of 1 cannot become -3 in spikes of 8 bits"),
        ("input_levels", np.nan, "an input of 1 cannot become nan"),
        ("graded_bits", 400, "in spikes of 400 bits"),
        ("graded_bits", h5py.Empty("i"), "a damaged HDF5 file"),
        ("encoding", "morse", "'morse': no such encoding"),
        ("population", 2, "outputs cannot be 2 for each class"),
        ("time_steps", 0, "a network runs for at least 1 time step, found 0"),
        ("time_steps", [3, 4], "not a netx file, or damaged"),
        ("input_shape", [5], "layer 0: takes 4 inputs, found 5"),
        ("dt_s", -1.0, "dt"),
    ],
)
def test_what_cannot_be_said_is_refused(tmp_path, key, value, message):
    model = replace(small_model(), encoding=Encoding.COUNTS)
    written(model, values_of(model, "counts"), tmp_path / "net.net")
    with h5py.File(tmp_path / "net.net", "r+") as file:
        file.attrs[key] = value
    with pytest.raises(ModelError, match=rf"net\.net: .*{message}"):
        load_any(tmp_path / "net.net")


@pytest.mark.parametrize("text", ["", "[1.0]", "[-1.0, false, 8]", "[1.0, false, true]", "7"])
def test_damaged_levels_in_another_file_are_told_in_a_line(tmp_path, text):
    model = replace(small_model(), encoding=Encoding.COUNTS)
    inputs = values_of(model, "counts")
    written(model, inputs, tmp_path / "net.net")
    read = load_any(tmp_path / "net.net")
    read.graph.metadata[INPUT_LEVELS] = text
    write_nir(read, tmp_path / "net.nir")
    with pytest.raises(BackendError, match="input: the file does not say what inputs become on the chip"):
        quantize(load_any(tmp_path / "net.nir"), LOIHI2, calibration=inputs)


@pytest.mark.parametrize("names", [["hidden"], ["hidden", "hidden"], ["hidden", "1_dense"], ["hidden", "1_cuba", "x"]])
def test_names_that_do_not_tell_layers_apart_are_left_out(tmp_path, names):
    model = small_model()
    written(model, values_of(model, "direct"), tmp_path / "net.net")
    with h5py.File(tmp_path / "net.net", "r+") as file:
        file.attrs["layers"] = names
    assert list(load_any(tmp_path / "net.net").network.layers) == ["0_cuba", "1_cuba"]
