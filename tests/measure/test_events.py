"""What happened in a batch, against numpy's own counts."""

import numpy as np
import pytest
import torch

from spear_deploy.measure.events import Events
from spear_deploy.measure.reached import Reached


@pytest.fixture(params=["compiled", "torch", "elsewhere"])
def way(request, monkeypatch):
    """How events are counted: in one pass, without Numba, and as on a GPU, whose way gives the same where it is run."""
    if request.param == "torch":
        monkeypatch.setattr("spear_deploy.measure.events._loop", lambda: None)
    if request.param == "elsewhere":
        monkeypatch.setattr(Events, "_on_cpu", False)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.uint8, torch.bool])
@pytest.mark.parametrize("steps", [1, 3, 300])
def test_events_are_counted_by_neuron_and_kept_in_bits_as_numpy_does(dtype, steps):
    values = (torch.rand((steps, 4, 3, 5), generator=torch.Generator().manual_seed(0)) < 0.6).to(dtype)
    events, fired = Events.of(values), values.numpy().reshape(steps, 4, 15) != 0
    assert np.array_equal(events.of_neurons(), fired.sum((0, 1)))
    assert np.array_equal(events.bits(2), np.packbits(fired[:, :2], axis=2))


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("most", [9, 5_000_000, 1 << 40])
def test_what_events_reach_is_summed_exactly_also_where_it_is_more_than_float32_or_32_bits_hold(most):
    rng = np.random.default_rng(0)
    fired = rng.random((3, 4, 19)) < 0.6
    synapses = rng.integers(0, most, (2, 19))
    values = torch.from_numpy(fired.astype(np.float32))
    events = Events.of(values, reached=Reached([torch.from_numpy(each) for each in synapses]))
    found = np.stack([each.numpy() for each in events.operations()])
    assert np.array_equal(found, np.einsum("tbn,kn->ktb", fired, synapses))
    assert np.array_equal(events.of_neurons(), fired.sum((0, 1)))


@pytest.mark.usefixtures("way")
def test_a_slice_of_a_batch_is_counted_where_it_lies():
    values = (torch.rand((5, 9, 2, 7), generator=torch.Generator().manual_seed(1)) < 0.5).float()
    part = values[:, 3:6]
    assert np.array_equal(Events.of(part).of_neurons(), part.numpy().sum((0, 1)).reshape(-1))


def test_any_value_that_is_not_zero_is_an_event_and_a_static_image_is_looked_at_once():
    image = torch.tensor([[0.0, -0.0, -3.0, 1e-30, float("nan"), 0.5]])
    shown = image.expand(7, 1, 6)
    assert Events.of(shown).seen.shape == (1, 1, 6)
    assert Events.of(shown).of_neurons().tolist() == [0, 0, 7, 7, 7, 7]


def test_spikes_are_taken_as_they_are_without_a_copy():
    spikes = (torch.rand((2, 3, 4)) < 0.5).float()
    assert Events.of(spikes, spikes=True).seen.data_ptr() == spikes.data_ptr()
