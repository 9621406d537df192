"""Latency and delta, held against snnTorch's spikegen, spike for spike."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from snntorch import spikegen

from spear_deploy.data import Split, SplitName, encode
from spear_deploy.data.stored import Packed
from spear_deploy.network import Encoding

T = 14


def split(x):
    return Split(SplitName.TRAIN, x, torch.zeros(len(x), dtype=torch.int64), "made up", np.arange(len(x)))


def values(shape=(70, 3, 4), seed=0):
    """Values of which some are 0, some 1, some at the thresholds."""
    x = torch.rand(shape, generator=torch.Generator().manual_seed(seed))
    x[0, 0, :3] = torch.tensor([0.0, 0.01, 1.0])
    return x


LATENCIES = [
    {},
    {"clip": True},
    {"tau": 0.3},
    {"tau": 0.3, "threshold": 0.2},
    {"tau": 0.7, "first_spike_time": 4},
    {"linear": True, "tau": 5},
    {"linear": True, "tau": 5, "clip": True, "threshold": 0.3},
    {"normalize": True},
    {"normalize": True, "tau": 3, "first_spike_time": 2},
    {"normalize": True, "linear": True},
    {"normalize": True, "linear": True, "clip": True, "threshold": 0.4, "first_spike_time": 1},
]


def named(kind, settings):
    parts = [key if value is True else f"{key}={value}" for key, value in settings.items()]
    return f"{kind}:{','.join(parts)}" if parts else kind


@pytest.mark.parametrize("settings", LATENCIES, ids=lambda each: named("latency", each))
def test_latencies_are_those_of_snntorch(settings):
    x = values()
    found = encode(split(x), named("latency", settings), T)
    expected = spikegen.latency(x, num_steps=T, **settings)
    assert torch.equal(found.inputs, expected)
    assert not found.analog
    assert found.inputs.sum() == x.numel() - (settings.get("clip", False) * (x < settings.get("threshold", 0.01)).sum())


@given(
    st.floats(0.01, 0.9), st.floats(0.05, 8.0), st.integers(0, 5), st.booleans(), st.booleans(), st.integers(0, 1000)
)
def test_latencies_of_any_settings_are_those_of_snntorch(threshold, tau, first, linear, clip, seed):
    x = values((5, 3, 4), seed)
    settings = {"threshold": threshold, "tau": tau, "first_spike_time": first, "linear": linear, "clip": clip}
    settings |= {"normalize": True}
    found = encode(split(x), named("latency", {key: value for key, value in settings.items() if value}), T)
    assert torch.equal(found.inputs, spikegen.latency(x, num_steps=T, **settings))


def test_what_a_sample_becomes_does_not_depend_on_those_beside_it():
    """Of snnTorch's it does: the latest spike of a batch is in the last step, whatever its values are."""
    x = values().clamp(min=0.3)
    together = encode(split(x), "latency:normalize", T).inputs
    alone = encode(split(x[5:6]), "latency:normalize", T).inputs
    assert torch.equal(together[:, 5:6], alone)
    assert not torch.equal(spikegen.latency(x, num_steps=T, normalize=True), together)


DELTAS = [{}, {"threshold": 0.4}, {"padding": True}, {"off_spike": True}, {"off_spike": True, "padding": True}]


@pytest.mark.parametrize("settings", DELTAS, ids=lambda each: named("delta", each))
def test_deltas_are_those_of_snntorch(settings):
    x = torch.randn((70, 6, 3, 2), generator=torch.Generator().manual_seed(1))
    found = encode(split(x), named("delta", settings), 6)
    expected = spikegen.delta(x.transpose(0, 1), **settings)
    assert torch.equal(found.inputs, expected)
    assert found.analog == settings.get("off_spike", False) == Encoding(named("delta", settings)).analog
    assert torch.equal(found.as_stored().float(), expected)
    assert torch.equal(found.take(slice(3, 9)).inputs, expected[:, 3:9])


def test_events_that_are_kept_packed_can_be_encoded_too():
    x = (torch.rand((5, 6, 3), generator=torch.Generator().manual_seed(1)) < 0.5).to(torch.uint8)
    found = encode(split(Packed.of(x.numpy())), "delta:threshold=1", 6)
    assert torch.equal(found.inputs, spikegen.delta(x.float().transpose(0, 1), threshold=1.0))
