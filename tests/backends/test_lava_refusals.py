"""What is refused before Lava starts."""

from dataclasses import replace

import nir
import numpy as np
import pytest
import torch
from random_networks import neurons
from small_lava import LIMIT_S, inputs, small_model

from spear_deploy.backends.lava import run_lava
from spear_deploy.errors import BackendError
from spear_deploy.network import Model, Reset, node_of


def reset_layer(**changes):
    neuron = replace(neurons(np.random.default_rng(0), (6,)), **changes)
    nodes = {
        "input": nir.Input(np.array([4])),
        "dense": nir.Linear(np.ones((6, 4))),
        "hidden": node_of(neuron),
        "output": nir.Output(np.array([6])),
    }
    edges = [("input", "dense"), ("dense", "hidden"), ("hidden", "output")]
    return Model(nir.NIRGraph(nodes, edges, type_check=False), 3)


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"reset": Reset.NONE}, "never does"),
        ({"reset_value": np.full(6, 0.25)}, "resets it to 0.25"),
    ],
)
def test_a_reset_that_lava_does_not_know_is_refused_by_name(changes, rule):
    with pytest.raises(BackendError, match=f"^hidden: .*{rule}.*torch"):
        run_lava(reset_layer(**changes), inputs(), time_limit_s=LIMIT_S)


def test_a_loop_through_two_layers_is_refused_because_lava_takes_two_steps():
    model = reset_layer()
    rng = np.random.default_rng(0)
    nodes = dict(model.graph.nodes) | {
        "there": nir.Linear(np.eye(6)),
        "other": node_of(neurons(rng, (6,))),
        "back": nir.Linear(np.eye(6)),
    }
    loop = [("hidden", "there"), ("there", "other"), ("other", "back"), ("back", "hidden")]
    looped = Model(nir.NIRGraph(nodes, [*model.graph.edges, *loop], type_check=False), 3)
    with pytest.raises(BackendError, match=r"hidden -> other -> hidden: .*takes 2 time steps"):
        run_lava(looped, inputs(), time_limit_s=LIMIT_S)


def test_inputs_of_another_shape_are_refused():
    with pytest.raises(BackendError, match=r"takes inputs \[T, B, 4\], found \[3, 5, 7\]"):
        run_lava(small_model(), torch.zeros(3, 5, 7), time_limit_s=LIMIT_S)


def test_inputs_that_are_not_finite_are_refused():
    with pytest.raises(BackendError, match="must be finite"):
        run_lava(small_model(), inputs().fill_(float("nan")), time_limit_s=LIMIT_S)
