"""The loss of a regression: torch's mean squared error, in units of what varies."""

from dataclasses import replace

import pytest
import torch
from made_networks import Chain
from made_regression import STEPS, TUNED, arrays
from torch.nn import functional as F

from spear_deploy.data import Dataset, EncodedSplit, encode
from spear_deploy.measure import measure_split
from spear_deploy.network import Encoding, Objective, ReadOut
from spear_deploy.training import Recipe, TaskLoss, fine_tune, taught


def untrained():
    chain = Chain((TUNED,), seed=1).linear("fc1", 24).neurons("lif1").linear("out", 2).membranes("told")
    return chain.model(STEPS, Encoding.RATE, ReadOut.MEMBRANE)


def with_labels(labels):
    inputs = torch.zeros(3, len(labels), 1)
    return EncodedSplit("train", inputs, labels, analog=True)


def test_it_is_the_mean_squared_error_of_values_in_units_of_their_deviation():
    generator = torch.Generator().manual_seed(0)
    output, labels = (torch.rand(*shape, 2, generator=generator) for shape in ((3, 20), (20,)))
    labels[:, 1] *= 90
    deviation = torch.tensor(labels.numpy().std(0))
    for read_out, value in (
        (ReadOut.MEMBRANE, output.mean(0)),
        (ReadOut.LAST, output[-1]),
        (ReadOut.LARGEST, output.amax(0)),
    ):
        task = TaskLoss(Objective("regression:scale=4"), read_out, 1, deviation)
        torch.testing.assert_close(task(output, labels), F.mse_loss(4 * value / deviation, labels / deviation))


def test_the_deviation_is_that_of_the_training_labels_and_1_where_they_never_change():
    model = replace(untrained(), objective=Objective.REGRESSION)
    labels = torch.tensor([[1.0, 5.0], [3.0, 5.0]])
    assert TaskLoss.of(model, with_labels(labels)).spread.tolist() == [1, 1]
    assert TaskLoss.of(model, with_labels(3 * labels)).spread.tolist() == [3, 1]


def test_the_deviation_of_values_of_one_unit_is_that_of_all():
    model = replace(untrained(), objective=Objective.RECONSTRUCTION)
    labels = torch.tensor([[1.0, 5.0], [3.0, 5.0]])
    spread = TaskLoss.of(model, with_labels(labels)).spread
    assert spread.tolist() == pytest.approx([0.5**0.5] * 2, rel=2**-52)  # one ulp: torch's roots differ by processor


def test_a_fine_tune_learns_values_and_each_step_alone_teaches_them_too():
    content = arrays(train=200)
    mean, deviation = content["y_train"].mean(0), content["y_train"].std(0)
    data = Dataset.of_arrays(**content | {key: (content[key] - mean) / deviation for key in ("y_train", "y_test")})
    model = replace(untrained(), objective=Objective.REGRESSION)
    train, test = (encode(split, model.encoding, STEPS) for split in (data.train, data.test))
    before = measure_split(model, test).accuracy
    for each_step in (False, True):
        recipe = Recipe(epochs=40, batch=32, learning_rate=1e-2, each_step=each_step)
        assert measure_split(fine_tune(model, train, recipe, seed=0), test).accuracy > max(before, 0.5)


def test_a_network_learns_what_another_taught():
    model = replace(untrained(), objective=Objective("regression:scale=3"))
    output = torch.rand(STEPS, 7, 2)
    wanted = taught(model, output)
    torch.testing.assert_close(wanted, 3 * output.mean(0))
    assert float(TaskLoss(model.objective, model.read_out)(output, wanted)) < 1e-12
    classes = replace(model, objective=Objective.CLASSIFICATION, read_out=ReadOut.LAST)
    assert torch.equal(taught(classes, output), output[-1])  # what is read is what is taught
