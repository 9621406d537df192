from dataclasses import replace

import numpy as np
import pytest
import torch

from spear_deploy.data import Split, SplitName, encode, recoded
from spear_deploy.errors import DataError


def split(x, name=SplitName.TRAIN, first=0):
    x = torch.as_tensor(x, dtype=torch.float32)
    return Split(name, x, torch.arange(len(x)), "made up", np.arange(first, first + len(x)))


@pytest.fixture
def images():
    return split(torch.rand((12, 2, 4), generator=torch.Generator().manual_seed(3)))


def test_direct_shows_the_image_in_every_step_without_copying_it(images):
    encoded = encode(images, "direct", 7)
    assert encoded.analog
    assert encoded.inputs.shape == (7, 12, 2, 4)
    assert encoded.inputs.data_ptr() == images.x.data_ptr()
    assert all(torch.equal(step, images.x) for step in encoded.inputs)
    assert encoded.as_float64().dtype == torch.float64
    assert encoded.as_float64().stride(0) == 0


def test_rate_gives_spikes_as_often_as_the_value_says():
    values = torch.linspace(0, 1, 11).expand(400, 11)
    encoded = encode(split(values), "rate", 25)
    assert not encoded.analog
    assert set(encoded.inputs.unique().tolist()) == {0.0, 1.0}
    rates = encoded.inputs.mean((0, 1))
    error = (values[0] * (1 - values[0]) / 10_000).sqrt()
    assert ((rates - values[0]).abs() <= 4 * error).all()
    assert rates[0] == 0
    assert rates[-1] == 1


def test_rate_draws_the_same_spikes_for_a_sample_whatever_stands_beside_it(images):
    together = encode(images, "rate", 5, seed=4).inputs
    order = np.random.default_rng(0).permutation(12)
    shuffled = replace(images, x=images.x[order], y=images.y[order], index=images.index[order])
    assert torch.equal(encode(shuffled, "rate", 5, seed=4).inputs, together[:, order])
    assert torch.equal(encode(images.first(3), "rate", 5, seed=4).inputs, together[:, :3])
    alone = replace(images, x=images.x[7:8], y=images.y[7:8], index=images.index[7:8])
    assert torch.equal(encode(alone, "rate", 5, seed=4).inputs, together[:, 7:8])


def test_rate_draws_other_spikes_for_another_seed_split_or_sample(images):
    drawn = encode(images, "rate", 5, seed=4).inputs
    assert not torch.equal(encode(images, "rate", 5, seed=5).inputs, drawn)
    assert not torch.equal(encode(replace(images, name=SplitName.TEST), "rate", 5, seed=4).inputs, drawn)
    same_image_twice = split(images.x[:1].expand(2, 2, 4))
    first, second = encode(same_image_twice, "rate", 20).inputs.unbind(1)
    assert not torch.equal(first, second)


def test_spikes_are_taken_as_they_are_with_time_in_front():
    x = (torch.rand((6, 5, 3), generator=torch.Generator().manual_seed(1)) < 0.5).float()
    encoded = encode(split(x), "spikes", 5)
    assert not encoded.analog
    assert encoded.inputs.shape == (5, 6, 3)
    for sample in range(6):
        assert torch.equal(encoded.inputs[:, sample], x[sample])


@pytest.mark.parametrize(
    ("x", "encoding", "message"),
    [
        (torch.ones(4, 3, 2), "spikes", r"needs train samples with 5 time steps first, found samples of shape 3 x 2"),
        (torch.ones(4, 5), "spikes", r"needs train samples with 5 time steps first, found samples of shape 5"),
        (torch.full((4, 5, 2), 0.5), "spikes", r"needs samples of 0 and 1, train holds other values"),
        (torch.full((4, 2), 255.0), "rate", r"needs probabilities in \[0, 1\], train goes from 255 to 255"),
        (torch.full((4, 2), -0.5), "rate", r"needs probabilities in \[0, 1\], train goes from -0.5 to -0.5"),
        (torch.full((4, 2), 1.5), "latency", r"needs values in \[0, 1\], train goes from 1.5 to 1.5"),
        (torch.ones(4, 3, 2), "delta", r"needs train samples with 5 time steps first, found samples of shape 3 x 2"),
        (
            torch.zeros(4, 2),
            "latency:tau=2",
            r"train has spikes in step 24, the network runs for 5; 'latency:normalize' stretches",
        ),
        (torch.ones(4, 2), "latency:first_spike_time=5", r"the first spike is in step 6, the network runs for 5"),
    ],
)
def test_values_that_an_encoding_cannot_use_are_refused(x, encoding, message):
    with pytest.raises(DataError, match=message):
        encode(split(x), encoding, 5)


def test_a_sequence_of_values_is_taken_step_by_step_and_is_analog():
    values = torch.randn((5, 3, 2))
    encoded = encode(split(values), "sequence", 3)
    assert encoded.analog
    assert torch.equal(encoded.inputs, values.transpose(0, 1))


def test_counts_are_analog_and_clipped_ones_are_spikes():
    counts = torch.randint(0, 4, (5, 3, 2)).float()
    given, clipped = encode(split(counts), "counts", 3), encode(split(counts), "clipped", 3)
    assert given.analog
    assert not clipped.analog
    assert torch.equal(given.inputs, counts.transpose(0, 1))
    assert torch.equal(clipped.inputs, (counts > 0).float().transpose(0, 1))
    again = recoded(given, "clipped")
    assert torch.equal(again.inputs, clipped.inputs)
    assert not again.analog


@pytest.mark.parametrize("encoding", ["counts", "clipped"])
@pytest.mark.parametrize("wrong", [-1.0, 0.5])
def test_counts_below_zero_or_between_are_refused(encoding, wrong):
    told = f"encoding '{encoding}' needs counts 0, 1, 2, ..., train holds other values; 'sequence' takes any values$"
    with pytest.raises(DataError, match=told):
        encode(split(torch.full((2, 3, 2), wrong)), encoding, 3)


def test_counts_given_as_spikes_are_told_the_other_encodings():
    with pytest.raises(DataError, match="'counts' takes events counted in each step, 'clipped' clips these to 1"):
        encode(split(torch.full((2, 3, 2), 2.0)), "spikes", 3)
