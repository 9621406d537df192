"""Files are sorted by class as often as not: what stands for all of their samples is not one class."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from made_networks import Chain

from spear_deploy.backends.registry import calibration_inputs
from spear_deploy.data import Dataset, EncodedSplit, SplitName
from spear_deploy.hardware import load_profile
from spear_deploy.jobs.check import check, measured
from spear_deploy.jobs.task import Task
from spear_deploy.measure import measure_split
from spear_deploy.network import Encoding
from spear_deploy.search import CandidateFactory

CLASSES, OF_EACH = 8, 200


def sorted_arrays(seed=0):
    """Images by class, of eight brightnesses."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(CLASSES), OF_EACH)
    brightness = (1 + labels) / CLASSES
    x = rng.random((len(labels), 1, 6, 6)) * brightness[:, None, None, None]
    return x.astype(np.float32), labels


@pytest.fixture(scope="module")
def train():
    x, labels = sorted_arrays()
    return EncodedSplit(SplitName.TRAIN, torch.as_tensor(x).expand(4, *x.shape), torch.as_tensor(labels), analog=True)


@pytest.fixture(scope="module")
def model():
    chain = Chain((1, 6, 6), seed=2).conv("conv1", 8).neurons("lif1").conv("conv2", 12, stride=2).neurons("lif2")
    return chain.flatten().linear("fc", CLASSES).neurons("lif3").model(4)


def test_the_probe_of_the_search_holds_every_class_as_often_as_the_data_do(train, model):
    factory = CandidateFactory(model, train)
    held = np.bincount(factory.probe.labels, minlength=CLASSES) / len(factory.probe)
    assert held == pytest.approx(1 / CLASSES)
    assert factory.probe_scale == pytest.approx(1, abs=0.02)


def test_recalibration_matches_the_currents_of_all_of_the_data(train, model):
    ratios = np.array([0.5, 0.5])
    by_class, mixed = (
        CandidateFactory(model, data).candidate(ratios).features.recalibrated_synops
        for data in (train, train.take(torch.randperm(len(train), generator=torch.Generator().manual_seed(1))))
    )
    assert by_class == pytest.approx(mixed, rel=0.05)


def test_the_integers_of_a_chip_are_chosen_on_every_class(train):
    chosen = calibration_inputs(train)[0]
    assert float(chosen.mean()) == pytest.approx(float(train.stored[0].mean()), rel=0.06)
    assert float(chosen.max()) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("encoding", [Encoding.DIRECT, Encoding.RATE])
def test_a_network_is_priced_on_every_class(model, encoding):
    x, labels = sorted_arrays(1)
    data = Dataset.of_arrays(x_train=x, y_train=labels, x_test=x, y_test=labels, x_val=x, y_val=labels)
    task = Task(replace(model, encoding=encoding), data)
    found = check(measured("net", task.model, task, samples=100), load_profile("loihi2"))
    assert found.row.cost.synops == pytest.approx(measure_split(task.model, task.test).synops, rel=0.03)
