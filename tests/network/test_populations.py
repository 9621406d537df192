"""Several outputs for each class, as snnTorch's population codes have them."""

import pytest
import torch
from network_builders import Population, leaky, run_by_snntorch
from snntorch import functional as snn_functional
from torch import nn

from spear_deploy.errors import ModelError
from spear_deploy.measure import measure
from spear_deploy.network import (
    ReadOut,
    Simulation,
    from_snntorch,
    load_model_file,
    read_nir,
    save_model_file,
    write_nir,
)
from spear_deploy.network.load import load_any

T, B = 6, 30


def run(net, x):
    with torch.no_grad():
        return net.double().eval()(x)


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(3)


def inputs():
    return 3 * torch.rand(T, B, 8, dtype=torch.float64)


def test_a_population_code_gives_the_accuracy_of_snntorch():
    net, x = Population(), inputs()
    labels = torch.randint(0, 5, (B,))
    model = from_snntorch(net, input_shape=(8,), time_steps=T, encoding="rate", classes=5)
    expected = snn_functional.acc.accuracy_rate(run(net, x), labels, population_code=True, num_classes=5)
    assert (model.classes, model.network.classes) == (5, 20)
    assert measure(model, x, labels, analog_input=True, dtype=torch.float64).accuracy == pytest.approx(float(expected))
    assert 0 < expected < 1


def test_votes_by_an_average_pool_over_flat_outputs_are_the_outputs():
    """nn.AvgPool1d on [B, N], which torch takes for channels: as SpikingJelly's VotingLayer has it."""
    torch.manual_seed(3)
    hidden, last = leaky(threshold=0.3), leaky(threshold=0.3)
    net = nn.Sequential(nn.Linear(6, 12), hidden, nn.Linear(12, 20), last, nn.AvgPool1d(4, 4))
    x = 2 * torch.rand(5, 30, 6, dtype=torch.float64)
    model = from_snntorch(net, input_shape=(6,), time_steps=5)
    assert (model.classes, model.read_out) == (5, ReadOut.MEMBRANE)
    with torch.no_grad():
        torch.testing.assert_close(Simulation(model.graph, torch.float64)(x).output, run_by_snntorch(net, x))


def test_a_population_is_kept_in_every_file(tmp_path):
    model = from_snntorch(Population(), input_shape=(8,), time_steps=T, classes=5)
    save_model_file(model, tmp_path / "net.pt")
    write_nir(model, tmp_path / "net.nir")
    assert load_model_file(tmp_path / "net.pt").classes == read_nir(tmp_path / "net.nir").classes == 5
    assert model.with_graph(model.graph).classes == 5


def test_classes_that_do_not_divide_the_outputs_are_refused():
    with pytest.raises(ModelError, match="classes=3: the network has 20 outputs, which they do not divide"):
        from_snntorch(Population(), input_shape=(8,), time_steps=T, classes=3)


def maps(**use):
    net = nn.Sequential(nn.Conv2d(1, 3, 3), leaky(), nn.Conv2d(3, 3, 1), leaky())
    return from_snntorch(net, input_shape=(1, 6, 6), time_steps=T, **use)


def test_places_of_maps_that_are_read_as_classes_are_told(tmp_path):
    model = maps()
    assert model.classes == 48
    told = "its output is maps, 3 x 4 x 4, and each of the 48 places is read as a class; save it with classes=3"
    assert [notice.startswith(told) for notice in model.notices] == [True]
    save_model_file(model, tmp_path / "model.pt")
    assert load_model_file(tmp_path / "model.pt").notices == model.notices
    assert model.with_graph(model.graph).notices == model.notices
    assert not load_any(tmp_path / "model.pt", objective="reconstruction").notices


@pytest.mark.parametrize("use", [{"classes": 3}, {"objective": "regression"}])
def test_maps_that_are_classes_or_values_are_as_meant(use):
    assert not maps(**use).notices


def test_the_class_of_maps_is_the_one_that_spikes_most():
    model, x = maps(classes=3), 3 * torch.rand(T, B, 1, 6, 6, dtype=torch.float64)
    output = Simulation(model.graph, torch.float64)(x).output
    assert torch.equal(model.answers(output), output.sum((0, 3, 4)).argmax(1))
