import pytest
import torch
from made_networks import ALL, analog_input

from spear_deploy.data import EncodedSplit, SplitName
from spear_deploy.measure import accuracy_on, measure_split


@pytest.mark.parametrize("name", sorted(ALL))
def test_accuracy_alone_is_that_of_the_whole_measurement(name):
    model = ALL[name](3).model()
    x = analog_input(model, samples=40)
    data = EncodedSplit(SplitName.VALIDATION, x, torch.arange(40) % model.classes, analog=True)
    assert accuracy_on(model, data) == measure_split(model, data).accuracy
