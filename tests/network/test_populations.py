"""Several outputs for each class, as snnTorch's population codes have them."""

import pytest
import torch
from network_builders import Population
from snntorch import functional as snn_functional

from spear_deploy.errors import ModelError
from spear_deploy.measure import measure
from spear_deploy.network import (
    from_snntorch,
    load_model_file,
    read_nir,
    save_model_file,
    write_nir,
)

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


def test_a_population_is_kept_in_every_file(tmp_path):
    model = from_snntorch(Population(), input_shape=(8,), time_steps=T, classes=5)
    save_model_file(model, tmp_path / "net.pt")
    write_nir(model, tmp_path / "net.nir")
    assert load_model_file(tmp_path / "net.pt").classes == read_nir(tmp_path / "net.nir").classes == 5
    assert model.with_graph(model.graph).classes == 5


def test_classes_that_do_not_divide_the_outputs_are_refused():
    with pytest.raises(ModelError, match="classes=3: the network has 20 outputs, which they do not divide"):
        from_snntorch(Population(), input_shape=(8,), time_steps=T, classes=3)
