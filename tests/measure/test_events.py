"""What happened in a batch, against numpy's own counts."""

import numpy as np
import pytest
import torch

from spear_deploy.measure.events import Events


@pytest.mark.parametrize("on_cpu", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.uint8, torch.bool])
@pytest.mark.parametrize("steps", [1, 3, 300])
def test_events_are_counted_by_neuron_and_kept_in_bits_as_numpy_does(monkeypatch, dtype, steps, on_cpu):
    monkeypatch.setattr(Events, "_on_cpu", on_cpu)  # a GPU's way gives the same wherever it is run
    values = (torch.rand((steps, 4, 3, 5), generator=torch.Generator().manual_seed(0)) < 0.6).to(dtype)
    events, fired = Events.of(values), values.numpy().reshape(steps, 4, 15) != 0
    assert np.array_equal(events.of_neurons(), fired.sum((0, 1)))
    assert np.array_equal(events.bits(2), np.packbits(fired[:, :2], axis=2))


def test_any_value_that_is_not_zero_is_an_event_and_a_static_image_is_looked_at_once():
    image = torch.tensor([[0.0, -0.0, -3.0, 1e-30, float("nan"), 0.5]])
    shown = image.expand(7, 1, 6)
    assert Events.of(shown).seen.shape == (1, 1, 6)
    assert Events.of(shown).of_neurons().tolist() == [0, 0, 7, 7, 7, 7]


def test_spikes_are_taken_as_they_are_without_a_copy():
    spikes = (torch.rand((2, 3, 4)) < 0.5).float()
    assert Events.of(spikes, spikes=True).seen.data_ptr() == spikes.data_ptr()
