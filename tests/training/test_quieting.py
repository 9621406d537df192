from dataclasses import replace

import numpy as np
import pytest
import torch
from made_networks import plain
from test_fine_tune import task, used

from spear_deploy.training import quieted
from spear_deploy.training.quieting import scaled


def test_a_quieted_network_uses_just_the_share_that_was_asked_for():
    model = plain().model()
    data = task((3,), model.time_steps)
    quiet = quieted(model, data, 0.9)
    assert 0.7 * used(model, data).synops < used(quiet, data).synops <= 0.9 * used(model, data).synops


def test_quieting_is_raising_thresholds():
    model = plain().model()
    quiet = quieted(model, task((3,), model.time_steps), 0.9)
    factors = {
        name: np.unique(np.round(quiet.graph.nodes[name].weight[node.weight != 0] / node.weight[node.weight != 0], 5))
        for name, node in model.graph.nodes.items()
        if hasattr(node, "weight")
    }
    assert factors["fc3"] == pytest.approx([1.0])  # the read-out stays
    assert factors["fc1"] == factors["fc2"] == pytest.approx(factors["fc1"][:1])
    assert 0.8 <= factors["fc1"][0] < 1


def test_synops_of_the_inputs_own_events_cannot_be_quieted():
    model = plain().model(encoding="spikes")
    data = task((3,), model.time_steps)
    spikes = torch.ones_like(data.inputs.contiguous())
    events = type(data)(data.name, spikes, data.labels, analog=False)
    assert quieted(model, events, 0.3) is None


def test_frozen_weights_are_not_scaled():
    model = replace(plain().model(), frozen=frozenset({"fc1"}))
    quiet = scaled(model, 0.9)
    assert np.array_equal(quiet.graph.nodes["fc1"].weight, model.graph.nodes["fc1"].weight)
    assert not np.array_equal(quiet.graph.nodes["fc2"].weight, model.graph.nodes["fc2"].weight)
