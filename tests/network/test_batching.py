from types import SimpleNamespace

import numpy as np
import pytest
import torch
from network_builders import small_cnn

from spear_deploy.measure import measure, measurement
from spear_deploy.network import batches, batching, from_snntorch, samples_at_once


def sized(neurons, input_size):
    return SimpleNamespace(neurons={"a": SimpleNamespace(beta=np.ones(neurons))}, input_shape=(input_size,))


def test_slices_cover_all_samples():
    assert [(part.start, part.stop) for part in batches(7, 3)] == [(0, 3), (3, 6), (6, 7)]


@pytest.mark.parametrize(("neurons", "input_size", "expected"), [(10, 1, 10), (1, 50, 2), (10_000, 1, 1), (1, 1, 100)])
def test_so_many_samples_are_run_together_as_states_of_layers_or_input_may_stand_in_memory(
    monkeypatch, neurons, input_size, expected
):
    monkeypatch.setattr(batching, "STATES_AT_ONCE", 1000)
    assert samples_at_once(sized(neurons, input_size), 10) == expected


def test_a_gpu_runs_as_many_images_of_a_vgg16_together_as_pay_where_a_cpu_runs_three():
    vgg16 = sized(276_490, 3 * 32 * 32)
    together = [samples_at_once(vgg16, 4, torch.device(name)) for name in ("cpu", "cuda")]
    assert together == [3, 100]


@pytest.mark.parametrize("size", [3, 7, 20])
def test_no_figure_depends_on_how_many_samples_are_run_at_a_time(monkeypatch, size):
    model = from_snntorch(small_cnn(), input_shape=(1, 8, 8), time_steps=5)
    inputs = (torch.rand(5, 60, 1, 8, 8, generator=torch.Generator().manual_seed(0)) < 0.4).to(torch.uint8)
    labels = torch.arange(60) % 10
    whole = measure(model, inputs, labels, analog_input=False)
    monkeypatch.setattr(measurement, "samples_at_once", lambda network, time_steps, device: size)
    found = measure(model, inputs, labels, analog_input=False)
    assert (found.accuracy, found.synops, found.layers) == (whole.accuracy, whole.synops, whole.layers)
    assert (found.per_sample == whole.per_sample).all()
    assert (found.peak_step_synops == whole.peak_step_synops).all()
    assert (found.predictions == whole.predictions).all()
    assert all((found.record.bits[name] == bits).all() for name, bits in whole.record.bits.items())
