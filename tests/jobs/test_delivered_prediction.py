"""What is predicted of the delivered network, from its structure, before anything is fine-tuned."""

import math
from types import SimpleNamespace

import nir
import numpy as np
import pytest
import torch
from scipy import stats

from spear_deploy.data import EncodedSplit, SplitName
from spear_deploy.hardware import SYNOPS, Limit, load_profile
from spear_deploy.jobs.deploy.delivered import predicted
from spear_deploy.network import Encoding, Model
from spear_deploy.network.neuron import Neuron, node_of
from spear_deploy.search import CandidateFactory, Prediction
from spear_deploy.search.bounds import RISK, closing_risk
from spear_deploy.search.tuning import BOUND_AIM
from spear_deploy.targets.target import Target

CLASSES, SAMPLES, AHEAD, BUDGET = 4, 40, 100, 1e6


def one_neuron_a_class():
    """Each hidden neuron answers to one class alone, so that every sample takes as many SynOps in the dense network."""
    neurons = node_of(Neuron(beta=np.zeros(CLASSES), gain=np.ones(CLASSES), threshold=np.full(CLASSES, 0.5)))
    nodes = {
        "input": nir.Input(np.array([CLASSES])),
        "fc1": nir.Linear(np.eye(CLASSES)),
        "hidden": neurons,
        "fc2": nir.Linear(np.ones((CLASSES, CLASSES))),
        "out": neurons,
        "output": nir.Output(np.array([CLASSES])),
    }
    edges = [*zip(nodes, list(nodes)[1:], strict=False)]
    return Model(nir.NIRGraph(nodes, edges, type_check=False), time_steps=3, encoding=Encoding.SPIKES)


def split(name):
    labels = torch.arange(SAMPLES) % CLASSES
    return EncodedSplit(name, torch.eye(CLASSES)[labels].expand(3, SAMPLES, CLASSES), labels, analog=False)


class FarTooMany:
    """An estimator by which every network takes more than any budget."""

    needs_pruned_synops = False

    def predict(self, features):
        return Prediction(1e9, 1e9, 1e9)


def predicted_of(keep, repairs):
    factory = CandidateFactory(one_neuron_a_class(), split(SplitName.TRAIN), recalibrates=False)
    validation = split(SplitName.VALIDATION)
    dense = factory.measure(factory.model, validation)
    target = Target(load_profile("loihi2"), None, (Limit(SYNOPS, BUDGET, "budget"),), dense, 1.0, validation, AHEAD)
    finals = [SimpleNamespace(final=object())] * (1 + repairs)
    choice = SimpleNamespace(winner=SimpleNamespace(ratios=np.array([keep])), tuned=finals, repairs=repairs)
    pruned = SimpleNamespace(choice=choice, constrained=True, problem=SimpleNamespace(activity_limits=()))
    (found,) = predicted(pruned, [FarTooMany()], target, SimpleNamespace(factory=factory))
    return found.value


@pytest.mark.parametrize("repairs", [0, 3])
def test_the_bound_that_holds_a_network_is_as_far_above_its_mean_as_its_own_samples_differ(repairs):
    share = 0.25  # of samples that the one neuron that is left answers to
    spread = math.sqrt((1 - share) / share * SAMPLES / (SAMPLES - 1))
    risk = closing_risk(repairs) if repairs else RISK / 2
    margin = stats.t.ppf(1 - risk, SAMPLES - 1) * spread * math.sqrt(1 / SAMPLES + 1 / AHEAD)
    assert predicted_of(0.25, repairs) == pytest.approx(BOUND_AIM * BUDGET / (1 + margin))


def test_a_network_whose_samples_all_take_as_much_is_predicted_at_its_budget():
    assert predicted_of(1.0, 0) == pytest.approx(BOUND_AIM * BUDGET)
