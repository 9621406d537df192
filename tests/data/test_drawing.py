"""Samples that stand for all of a split: one at random of each stretch, in the order that they have."""

import numpy as np
import pytest
import torch

from spear_deploy.data import Dataset, EncodedSplit, Split, SplitName, drawn, encode, telling, telling_in_words
from spear_deploy.data.stored import Packed


def split(count=300, shape=(2, 4)):
    x = torch.rand((count, *shape), generator=torch.Generator().manual_seed(3))
    return Split(SplitName.TRAIN, x, torch.arange(count), "made up", np.arange(1_000, 1_000 + count))


def places(samples):
    return (samples.y if isinstance(samples, Split) else samples.labels).tolist()


@pytest.mark.parametrize("of", [split, lambda: encode(split(), "direct", 5), lambda: encode(split(), "rate", 5)])
def test_those_that_are_drawn_come_from_everywhere_in_their_order(of):
    found = places(drawn(of(), 60))
    assert len(found) == 60
    assert [place // 5 for place in found] == list(range(60))
    assert len({place % 5 for place in found}) == 5


def test_each_sample_keeps_its_label_its_number_and_its_values():
    given = split()
    few = drawn(given, 60)
    assert few.index.tolist() == [1_000 + place for place in places(few)]
    assert torch.equal(few.x, given.x[few.y])


@pytest.mark.parametrize("count", [1, 7, 299])
def test_stretches_that_are_not_of_one_length_give_one_sample_each(count):
    found = places(drawn(split(), count))
    assert len(set(found)) == len(found) == count
    assert found == sorted(found)


@pytest.mark.parametrize("count", [300, 1_000])
def test_all_are_taken_where_there_are_no_more(count):
    given = encode(split(), "direct", 5)
    assert drawn(given, count) is given


def test_an_image_that_is_shown_in_each_step_is_not_copied_for_each():
    few = drawn(encode(split(), "direct", 5), 60)
    assert few.stored.shape == (5, 60, 2, 4)
    assert few.stored.stride(0) == 0
    assert few.inputs.stride(0) == 0


def test_spikes_are_those_that_the_sample_has_among_all():
    every = encode(split(), "rate", 5)
    few, after = drawn(every, 60), encode(drawn(split(), 60), "rate", 5)
    assert isinstance(every.stored, Packed)
    assert torch.equal(few.inputs, after.inputs)
    assert torch.equal(few.inputs, every.inputs[:, few.labels])


def sequences(holding_values):
    """300 samples of zeros and ones, and of other values where it is said."""
    x = np.random.default_rng(1).integers(0, 2, (300, 6)).astype(np.float32)
    x[list(holding_values)] += np.float32(0.5)
    return encode(Dataset.of_arrays(x_train=x, x_val=x[-8:], x_test=x[-8:]).train, "direct", 4)


def values_in(data: EncodedSplit):
    x = data.stored[0]
    return int(((x != 0) & (x != 1)).any(1).sum())


def test_a_sorted_file_shows_that_it_holds_values():
    drawn_alone = sequences(range(150, 300))
    assert values_in(telling(drawn_alone, 60)) == values_in(drawn(drawn_alone, 60)) > 0
    assert telling_in_words(drawn_alone, 60) == "60 of 300 training samples, spread over them at random (seed 0)"


@pytest.mark.parametrize(("rare", "taken"), [(range(5), 5), (range(100), 30)])
def test_values_that_were_not_drawn_take_at_most_half_of_the_places(rare, taken):
    hidden = [place for place in range(300) if place not in places(drawn(split(), 60))][: len(rare)]
    data = sequences(hidden)
    assert values_in(drawn(data, 60)) == 0
    assert len(telling(data, 60)) == 60
    assert values_in(telling(data, 60)) == taken
    assert telling_in_words(data, 60) == (
        "60 of 300 training samples, spread over them at random (seed 0),"
        f" {taken} of them among those that hold values other than 0 and 1"
    )


def test_where_there_are_no_more_the_words_say_all():
    assert telling_in_words(sequences([]), 256 + 44) == "all 300 training samples"
