"""Maps of a flat layer, as autoencoders and generators make them: exact, counted, pruned, rounded and exported."""

import nir
import numpy as np
import pytest
import snntorch
import torch
from made_networks import Chain, analog_input, spike_input
from network_builders import heaviside, leaky, run_by_snntorch, trained
from silencing import kept_by_layer, silence
from torch import nn

from spear_deploy.backends.fixed_point import LoihiExecution, quantize
from spear_deploy.backends.lava import run_lava
from spear_deploy.errors import ModelError
from spear_deploy.exporters.onnx import OnnxExporter
from spear_deploy.exporting import assert_faithful
from spear_deploy.hardware import check, load_profile
from spear_deploy.network import (
    Simulation,
    differences,
    from_nir,
    from_snntorch,
    load_model_file,
    portable,
    read_nir,
    save_model_file,
    to_snntorch,
    write_nir,
)
from spear_deploy.pruning import channel_groups, prune

T = 6


class View(nn.Module):
    """Maps by a function of tensors, with neurons before, behind or nowhere around."""

    def __init__(self, *, before, behind, maps=lambda x: x.view(-1, 6, 2, 2)):
        super().__init__()
        self.fc, self.before, self.behind = nn.Linear(7, 24), before, behind
        self.conv, self.lif2 = nn.ConvTranspose2d(6, 4, 2, stride=2), leaky(threshold=0.2)
        self.fc2, self.lif3, self.maps = nn.Linear(64, 5), leaky(threshold=0.1), maps

    def forward(self, x):
        return self.lif3(self.fc2(self.lif2(self.conv(self.behind(self.maps(self.before(self.fc(x)))))).flatten(1)))


class Autoencoder(nn.Module):
    """Maps, a flat code, maps."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(1, 4, 3, 2, 1), leaky(threshold=0.3), nn.Flatten(), nn.Linear(64, 8))
        self.code = leaky(threshold=0.2)
        self.decoder = nn.Sequential(
            *(nn.Linear(8, 64), leaky(threshold=0.2), nn.Unflatten(1, (4, 4, 4))),
            *(nn.ConvTranspose2d(4, 1, 3, 2, 1, 1), leaky(threshold=0.1)),
        )

    def forward(self, x):
        return self.decoder(self.code(self.encoder(x)))


class PositionsInALine(nn.Module):
    """As transformers have patches: the positions of maps on one axis."""

    def __init__(self):
        super().__init__()
        self.patch, self.lif1 = nn.Conv2d(1, 6, 2, 2), leaky(threshold=0.3)
        self.mix, self.lif2, self.fc, self.lif3 = nn.Conv1d(6, 6, 1), leaky(threshold=0.2), nn.Linear(24, 5), leaky()

    def forward(self, x):
        return self.lif3(self.fc(self.lif2(self.mix(self.lif1(self.patch(x)).flatten(2))).flatten(1)))


def none():
    return nn.Identity()


class AxisAdded(nn.Module):
    """A line of one channel, by `unsqueeze`."""

    def __init__(self):
        super().__init__()
        self.fc, self.lif1, self.conv, self.lif2 = (
            nn.Linear(7, 12),
            leaky(threshold=0.3),
            nn.Conv1d(1, 3, 3),
            leaky(threshold=0.2),
        )
        self.fc2, self.lif3 = nn.Linear(30, 5), leaky(threshold=0.1)

    def forward(self, x):
        return self.lif3(self.fc2(self.lif2(self.conv(self.lif1(self.fc(x)).unsqueeze(1))).flatten(1)))


NETWORKS = {
    "autoencoder": ((1, 8, 8), Autoencoder),
    "neurons before": ((7,), lambda: View(before=leaky(threshold=0.3), behind=none())),
    "neurons behind": ((7,), lambda: View(before=none(), behind=leaky(threshold=0.3))),
    "no neurons between": ((7,), lambda: View(before=none(), behind=none())),
    "reshape": (
        (7,),
        lambda: View(before=leaky(threshold=0.3), behind=none(), maps=lambda x: x.reshape(len(x), 6, 2, 2)),
    ),
    "unsqueezed": (
        (7,),
        lambda: View(
            before=leaky(threshold=0.3), behind=none(), maps=lambda x: x.unsqueeze(-1)[:, :, :, None].view(-1, 6, 2, 2)
        ),
    ),
    "in one dimension": (
        (6,),
        lambda: nn.Sequential(
            *(nn.Linear(6, 24), leaky(threshold=0.3), nn.Unflatten(1, (4, 6)), nn.ConvTranspose1d(4, 3, 4, 2)),
            *(leaky(threshold=0.2), nn.AvgPool1d(2), nn.Flatten(), nn.LazyLinear(5), leaky(threshold=0.1)),
        ),
    ),
    "normalised": (
        (7,),
        lambda: nn.Sequential(
            *(nn.Linear(7, 24), nn.Unflatten(1, (6, 2, 2)), trained(nn.BatchNorm2d(6)), leaky(threshold=0.3)),
            *(nn.ConvTranspose2d(6, 3, 2, 2), leaky(threshold=0.2), nn.Flatten(), nn.Linear(48, 5), leaky()),
        ),
    ),
    "an axis added": ((7,), AxisAdded),
    "positions in a line": ((1, 4, 4), PositionsInALine),
}


@pytest.fixture(params=NETWORKS)
def converted(request):
    torch.manual_seed(5)
    shape, build = NETWORKS[request.param]
    net = build()
    net(torch.zeros(1, *shape))
    return net, from_snntorch(net, input_shape=shape, time_steps=T)


class FoldedDecoder(nn.Module):
    """Time is folded into the batch where maps are made, as it is for convolutions."""

    def __init__(self):
        super().__init__()
        self.lif1, self.lif2 = (snntorch.Leaky(beta=0.9, threshold=0.3, spike_grad=heaviside) for _ in range(2))
        self.fc, self.conv = nn.Linear(7, 24), nn.ConvTranspose2d(6, 2, 2, stride=2)

    def forward(self, x):
        steps, batch = x.shape[:2]
        maps = over_time(self.lif1, self.fc(x)).view(steps * batch, 6, 2, 2)
        return over_time(self.lif2, self.conv(maps).view(steps, batch, 2, 4, 4))


def over_time(neuron, currents):
    mem, found = neuron.init_leaky(), []
    for step in currents:
        spikes, mem = neuron(step, mem)
        found.append(spikes)
    return torch.stack(found)


def test_time_may_be_folded_where_maps_are_made():
    torch.manual_seed(2)
    net = FoldedDecoder()
    model = from_snntorch(net, input_shape=(7,), time_steps=T, encoding="spikes")
    x = spike_input(model)
    expected = net.double()(x).detach()
    assert 0 < expected.mean() < 1
    assert torch.equal(outputs(model.graph, x)[model.network.read_out], expected)


def outputs(graph, x):
    with torch.no_grad():
        return Simulation(graph, torch.float64)(x).outputs


def test_it_gives_the_spikes_of_snntorch_through_every_file(converted, tmp_path):
    net, model = converted
    x = 2 * analog_input(model).double()
    expected = run_by_snntorch(net, x)
    assert 0 < expected.mean() < 1
    save_model_file(model, tmp_path / "net.pt")
    write_nir(model, tmp_path / "net.nir")
    for read in (model, load_model_file(tmp_path / "net.pt"), read_nir(tmp_path / "net.nir")):
        assert torch.equal(outputs(read.graph, x)[model.network.read_out], expected)
    assert torch.equal(run_by_snntorch(to_snntorch(model, dtype=torch.float64), x), expected)


@pytest.mark.lava
def test_pruning_equals_silencing_and_lava_agrees(converted):
    _, model = converted
    network, x = model.network, 2 * analog_input(model).double()
    groups = channel_groups(network)
    keep = {group.name: np.arange(0, group.size, 2) for group in groups if group.prunable}
    assert {group.name for group in groups if group.size > 1} - set(keep) <= {network.read_out}
    kept = kept_by_layer(network, keep)
    expected, pruned = outputs(silence(network, kept), x), model.with_graph(prune(network, groups, keep))
    found = outputs(pruned.graph, x)
    for layer, spikes in found.items():
        assert torch.equal(spikes, expected[layer][:, :, torch.from_numpy(kept[layer])]), layer
    lava = run_lava(pruned, x, time_limit_s=120).outputs
    assert all(torch.equal(torch.from_numpy(lava[name]), found[name]) for name in model.network.layers)


def test_it_is_rounded_for_a_chip_and_fits_there(converted):
    _, model = converted
    x = 2 * analog_input(model).double()
    wanted, found = outputs(model.graph, x), LoihiExecution(quantize(model, calibration=x)).run(x).outputs
    assert all((found[name].double() != wanted[name]).double().mean() < 0.08 for name in model.network.layers)
    assert check(model.network, load_profile("loihi2"), analog_input=True).fits


def test_onnx_does_the_same(converted):
    _, model = converted
    assert assert_faithful(OnnxExporter(), model).layers


def test_a_chip_of_maps_alone_does_not_make_them_of_a_flat_layer():
    model = Chain((6,)).linear("fc", 24).neurons("a").maps("maps", 6).conv("conv", 2).neurons("b").model()
    found = check(model.network, load_profile("speck2f"), analog_input=False).violations
    assert "maps: layer kind: unflatten, allowed conv2d, dense" in " ".join(each.text for each in found)


def test_another_reader_of_nir_would_leave_it_flat_which_is_said_and_refused():
    model = Chain((6,)).linear("fc", 24).neurons("a").maps("maps", 6).conv("conv", 2).neurons("b").model()
    assert differences(model.network)[-1].startswith("maps: it makes maps of a flat layer, which NIR has no node for")
    with pytest.raises(ModelError, match=r"maps: it makes maps of a flat layer, .*no portable form \(keep maps"):
        portable(model)


@pytest.mark.parametrize("shape", [[24], [6, 4, 1, 1], [6, -4], [[6, 4]], [0.5, 3.0]])
def test_a_shape_that_is_none_of_maps_is_refused_by_node(shape):
    chain = Chain((6,)).linear("fc", 24).neurons("a")
    damaged = nir.Flatten(np.array([24]), 0, 0, metadata={"unflatten": np.array(shape)})
    graph = chain.add("maps", damaged).neurons("b").graph()
    with pytest.raises(ModelError, match=r"maps: metadata unflatten must be the shape of maps"):
        from_nir(graph, time_steps=T)


def test_maps_that_do_not_hold_the_values_are_refused_by_node():
    chain = Chain((6,)).linear("fc", 24).neurons("a").maps("maps", 5)
    with pytest.raises(ModelError, match=r"maps: Unflatten cannot take the 24 that a gives"):
        chain.neurons("b").model()
