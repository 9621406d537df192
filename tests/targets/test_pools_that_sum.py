"""Events of a moving dot, of which a window sees one a step: there a chip's sum stands for the largest current."""

import numpy as np
import pytest
import snntorch
import torch
from torch import nn

from spear_deploy.backends.fixed_point import LoihiExecution, quantize
from spear_deploy.backends.lava import run_lava, run_lava_fixed
from spear_deploy.data import Dataset, SplitName
from spear_deploy.hardware import load_profile
from spear_deploy.jobs.task import Task
from spear_deploy.network import Simulation, from_snntorch
from spear_deploy.targets.adapt import adapt
from spear_deploy.targets.adaptation_effect import effect_on

T = 16
LOIHI2 = load_profile("loihi2")


def moving_dots(samples, seed):
    """A dot that runs along one of four bands of 8 x 8 pixels, and noise (0.3 % of pixels)."""
    rng = np.random.default_rng(seed)
    x = rng.random((samples, T, 2, 8, 8)) < 0.003
    y, start, polarity = rng.integers(0, 4, samples), rng.integers(0, 8, samples), rng.integers(0, 2, samples)
    for step in range(T):
        x[np.arange(samples), step, polarity, 2 * y, (start + step) % 8] = True
    return x.astype(np.uint8), y


@pytest.fixture
def task():
    """Conv - MaxPool - Leaky on them, with weights below the threshold: one event alone is no spike."""
    torch.manual_seed(1)
    own = {"beta": 0.9, "init_hidden": True, "reset_mechanism": "zero", "reset_delay": False}
    conv, fc = nn.Conv2d(2, 6, 1, bias=False), nn.Linear(96, 4)
    nn.init.uniform_(conv.weight, 0.0, 0.6)
    nn.init.uniform_(fc.weight, -0.5, 1.0)
    net = nn.Sequential(conv, nn.MaxPool2d(2), snntorch.Leaky(**own), nn.Flatten(), fc, snntorch.Leaky(**own))
    model = from_snntorch(net, input_shape=(2, 8, 8), time_steps=T, encoding="spikes", read_out="count")
    (x, y), (x_test, y_test) = moving_dots(80, 0), moving_dots(20, 1)
    return Task(model, Dataset.of_arrays(x_train=x, y_train=y, x_test=x_test, y_test=y_test))


def outputs(model, x):
    with torch.no_grad():
        return Simulation(model.graph, torch.float64)(x).outputs


def test_the_sum_is_chosen_where_it_changes_fewer_spikes_and_what_it_does_is_told(task):
    adapted = adapt(task.model, LOIHI2, task.encoded(SplitName.TRAIN, 64).inputs)
    (change,) = adapted.changes
    assert "x the sum of currents (" in change.after
    by_spikes = adapt(task.model, LOIHI2).model  # without samples the pool moves behind the neuron
    x = task.test.as_float64()
    wanted, summed, moved = (outputs(model, x)[change.layer] for model in (task.model, adapted.model, by_spikes))
    assert wanted.sum() > 100
    assert (summed != wanted).sum() < (moved != wanted).sum() / 2
    effect = effect_on(LOIHI2, adapted.changes, task.model, adapted.model, task.test)
    more = 100 * float(summed.sum() / wanted.sum() - 1)
    assert effect.lines[0].startswith(f"2_leaky: the largest of currents became {change.after} (largest current of")
    assert effect.lines[0].endswith(f"; its spikes: {more:+z.2f} %")


@pytest.mark.lava
def test_lava_runs_the_sum_spike_for_spike(task):
    model = adapt(task.model, LOIHI2, task.encoded(SplitName.TRAIN, 64).inputs).model
    x = task.test.as_float64()[:, :6]
    lava = run_lava(model, x, time_limit_s=120)
    quantized = quantize(model, calibration=task.encoded(SplitName.TRAIN, 64).inputs)
    integers, fixed = LoihiExecution(quantized).run(x).outputs, run_lava_fixed(quantized, x, time_limit_s=120)
    for layer, spikes in outputs(model, x).items():
        assert spikes.any()
        assert np.array_equal(lava.outputs[layer], spikes.numpy()), layer
        assert np.array_equal(fixed.outputs[layer], integers[layer].numpy()), layer
