"""Channels that hang together in ways that are easily cut wrong: 40 % of them do what they did before."""

import pytest
import torch
from made_networks import (
    Chain,
    analog_input,
    depthwise,
    each_neuron_its_own,
    grouped,
    recurrent,
    recurrent_maps,
    residual,
    self_recurrent,
    several_skips,
)
from silencing import kept_by_layer, run, silence
from torch import nn

from benchmarks.networks.forms import DenselyConnected, Shared, leaky, trained
from spear_deploy.backends.lava import run_lava
from spear_deploy.network import from_snntorch
from spear_deploy.pruning import channel_groups, choose_channels, prune


def separable(seed):
    """As in MobileNets: a depthwise and a pointwise convolution, both with biases, no neurons between them."""
    chain = Chain((2, 6, 6), seed).conv("conv1", 6).neurons("a").conv("depth", 6, groups=6)
    return chain.conv("point", 5, kernel=1, padding=0).neurons("b").flatten().linear("fc", 4).neurons("c")


def separable_and_padded(seed):
    """The convolution behind the depthwise one sees zeros around what the biases give."""
    chain = Chain((2, 6, 6), seed).conv("conv1", 6).neurons("a").conv("depth", 6, groups=6)
    return chain.conv("wide", 5, stride=2).neurons("b").flatten().linear("fc", 4).neurons("c")


def separable_in_groups(seed):
    """The convolution behind the depthwise one has groups, and a dense layer reads the same channels flat."""
    chain = Chain((2, 6, 6), seed).conv("conv1", 6).neurons("a").conv("depth", 6, groups=6)
    chain.conv("pairs", 6, kernel=1, padding=0, groups=3).neurons("b").flatten().linear("fc", 4)
    chain.last, chain.shape = "depth", (6, 6, 6)
    return chain.flatten("flat").linear("skip", 4).neurons("c", "fc", "skip")


def separable_twice(seed):
    """Two depthwise convolutions and a padded one, then a sum of currents over windows."""
    chain = Chain((2, 6, 6), seed).conv("conv1", 6).neurons("a").conv("depth1", 6, groups=6)
    chain.conv("depth2", 6, groups=6).conv("wide", 5).pool("pool")
    return chain.neurons("b").flatten().linear("fc", 4).neurons("c")


def decoder(seed):
    """Maps of a flat layer of neurons, as autoencoders decode their code; the code is read by a dense layer too."""
    chain = Chain((5,), seed).linear("fc1", 8).neurons("a").linear("fc2", 24).neurons("b")
    chain.maps("maps", 6).conv("conv1", 6, groups=6).neurons("c").conv("conv2", 5).neurons("d").flatten()
    chain.linear("fc3", 4, "flatten")
    chain.last, chain.shape = "b", (24,)
    return chain.linear("skip", 4).neurons("e", "fc3", "skip")


def generator(seed):
    """Maps of currents: a dense layer and a convolution without neurons between, and added to maps of neurons."""
    chain = Chain((5,), seed).linear("fc1", 24).maps("maps1", 6).conv("conv1", 5).neurons("a").flatten()
    chain.linear("fc2", 20).maps("maps2", 5).neurons("b", "maps2", "a").conv("conv2", 6)
    return chain.neurons("c").flatten("flat").linear("fc3", 4).neurons("d")


class SharedSeparable(nn.Module):
    """A block of a depthwise and a padded convolution that stands in two places."""

    def __init__(self):
        super().__init__()
        self.first, self.lif1 = nn.Conv2d(2, 5, 3, padding=1), leaky(reset_delay=False)
        self.depth, self.wide = nn.Conv2d(5, 5, 3, padding=1, groups=5), nn.Conv2d(5, 5, 3, padding=1)
        self.lif2, self.lif3 = leaky(beta=0.8), leaky()
        self.fc, self.lif4 = nn.Linear(180, 4), leaky()

    def forward(self, x):
        x = self.lif2(self.wide(self.depth(self.lif1(self.first(x)))))
        return self.lif4(self.fc(self.lif3(self.wide(self.depth(x))).flatten(1)))


def shared_separable(seed):
    return Converted(SharedSeparable, (2, 6, 6), seed)


class Converted:
    """A network of snnTorch in the place of a chain."""

    def __init__(self, build, shape, seed):
        self.build, self.shape, self.seed = build, shape, seed

    def model(self, time_steps):
        torch.manual_seed(self.seed)
        return from_snntorch(self.build(), input_shape=self.shape, time_steps=time_steps)


def concatenated(seed):
    """As in DenseNets: blocks that see all before them, pools and norms on the way, a flat end."""
    return Converted(lambda: trained(DenselyConnected()), (2, 6, 6), seed)


def shared(seed):
    """One convolution and one pool in two places."""
    return Converted(Shared, (2, 8, 8), seed)


def resampled(seed):
    """A transposed convolution, enlarging, and padding that mirrors."""
    layers = [nn.ConvTranspose2d(6, 5, 3, stride=2), leaky(), nn.Upsample(scale_factor=2), nn.Conv2d(5, 6, 3, stride=2)]
    last = [nn.Conv2d(6, 4, 3, padding=1, padding_mode="reflect"), leaky()]
    return Converted(lambda: nn.Sequential(nn.Conv2d(2, 6, 3), leaky(), *layers, leaky(), *last), (2, 5, 5), seed)


HARD = {
    "concatenation": concatenated,
    "groups": grouped,
    "depthwise": depthwise,
    "depthwise and pointwise as one": separable,
    "depthwise before a padded convolution": separable_and_padded,
    "depthwise before groups and a dense layer": separable_in_groups,
    "two depthwise before a padded convolution": separable_twice,
    "depthwise and padded, shared": shared_separable,
    "shared weights": shared,
    "transposed, enlarged, mirrored": resampled,
    "maps of a flat layer": decoder,
    "maps of currents": generator,
    "residual sum": residual,
    "several skips": several_skips,
    "all-to-all recurrence": recurrent,
    "self-recurrence": self_recurrent,
    "recurrent maps": recurrent_maps,
    "beta and threshold of each neuron": each_neuron_its_own,
}


def forty_percent(network):
    """The channels to keep of every group that can be pruned."""
    groups = [group for group in channel_groups(network) if group.prunable]
    keep = choose_channels(network, groups, {group.name: 0.4 for group in groups})
    assert all(0.25 <= len(keep[group.name]) / group.size <= 0.5 for group in groups)
    return keep


@pytest.fixture(params=HARD)
def case(request):
    """A network, the channels to keep, its pruned form, and inputs on which every pruned layer spikes."""
    for seed in range(20):
        model = HARD[request.param](seed).model(time_steps=8)
        keep = forty_percent(model.network)
        pruned = model.with_graph(prune(model.network, channel_groups(model.network), keep))
        x = analog_input(model, samples=6)
        if all(spikes.any() for spikes in run(pruned.graph, x).values()):
            return model, keep, pruned, x
    raise ValueError(f"no seed makes every layer spike: {request.param}")


def test_forty_percent_spike_as_if_the_others_were_silent(case):
    model, keep, pruned, x = case
    kept = kept_by_layer(model.network, keep)
    expected, found = run(silence(model.network, kept), x), run(pruned.graph, x)
    assert list(found) == model.network.layers
    for layer, spikes in found.items():
        assert spikes.shape[2] == len(kept[layer])
        assert torch.equal(spikes, expected[layer][:, :, torch.from_numpy(kept[layer])]), layer


@pytest.mark.lava
def test_lava_agrees_spike_for_spike(case):
    *_, pruned, x = case
    lava = run_lava(pruned, x, time_limit_s=120)
    assert lava.samples == x.shape[1]
    for layer, spikes in run(pruned.graph, x).items():
        assert torch.equal(torch.from_numpy(lava.outputs[layer]), spikes.to(torch.float64)), layer
