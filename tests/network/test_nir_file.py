import h5py
import nir
import pytest
import torch
from network_builders import run_by_snntorch, small_cnn

from spear_deploy.errors import ModelError
from spear_deploy.network import Simulation, from_snntorch, read_nir, write_nir


@pytest.fixture
def written(tmp_path):
    path = tmp_path / "net.nir"
    write_nir(from_snntorch(small_cnn(), input_shape=(1, 8, 8), time_steps=10, data="digits"), path)
    return path


@pytest.mark.parametrize("reset", ["zero", "subtract", "none"])
@pytest.mark.parametrize("delay", [True, False])
def test_a_network_comes_back_from_nir_with_every_spike(tmp_path, reset, delay):
    net = small_cnn(reset_mechanism=reset, reset_delay=delay)
    write_nir(from_snntorch(net, input_shape=(1, 8, 8), time_steps=10), tmp_path / "net.nir")
    x = torch.rand(10, 20, 1, 8, 8, dtype=torch.float64)
    back = read_nir(tmp_path / "net.nir")
    expected = run_by_snntorch(net, x)
    assert expected.sum() > 0
    assert torch.equal(Simulation(back.graph, torch.float64)(x).output, expected)


def test_the_use_of_the_network_is_kept(written):
    model = read_nir(written)
    assert (model.time_steps, model.encoding, model.read_out, model.data) == (10, "direct", "count", "digits")


def test_plain_nir_reads_what_we_write(written):
    graph = nir.read(written)
    assert {type(node).__name__ for node in graph.nodes.values()} == {
        *("Input", "Output", "Conv2d", "AvgPool2d", "Flatten", "Affine", "LIF")
    }
    assert graph.nodes["1_leaky"].metadata["reset"] == "subtract"


@pytest.mark.parametrize("kept", [0, 100, 0.5, 0.95])
def test_a_truncated_file_is_refused(written, kept):
    content = written.read_bytes()
    written.write_bytes(content[: kept if isinstance(kept, int) else int(kept * len(content))])
    with pytest.raises(ModelError, match=r"net\.nir: "):
        read_nir(written)


def _delete(file, key):
    del file[key]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: _delete(f, "node"), "not a NIR file"),
        (lambda f: _delete(f, "node/type"), "not a NIR file"),
        (lambda f: _delete(f, "node/nodes/0_conv2d/weight"), "not a NIR file"),
        (lambda f: f["node/nodes/0_conv2d/weight"].__setitem__((0, 0, 0, 0), float("nan")), "0_conv2d: weight"),
        (lambda f: f["node/nodes/1_leaky/tau"].__setitem__(..., 1e-9), "1_leaky: time constants must be at least dt"),
        (lambda f: f["node/nodes/1_leaky/type"].__setitem__((), "Exec"), "not a NIR file"),
        (lambda f: _delete(f, "node/nodes/output"), "there is no node 'output'"),
    ],
)
def test_a_damaged_file_is_refused(written, change, message):
    with h5py.File(written, "r+") as file:
        change(file)
    with pytest.raises(ModelError, match=message):
        read_nir(written)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ModelError, match=r"nothing\.nir: no such NIR file"):
        read_nir(tmp_path / "nothing.nir")
