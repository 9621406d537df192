"""Loihi's synapse lists against cases worked out by hand from nengo-loihi's published formula."""

import numpy as np
import pytest

from spear_deploy.hardware.placement.packing import (
    SynapseLists,
    axon_lists,
    bits_per_axon,
    index_field_bits,
    weight_field_bits,
)


@pytest.mark.parametrize(
    ("synapses", "weight", "index", "delay", "tag", "bits"),
    [
        # n (weight + delay + tag + index) + 10, up to whole 64-bit words, per block of 64
        (0, 8, 0, 0, 0, 0),
        (1, 8, 0, 0, 0, 64),  # 18
        (6, 8, 0, 0, 0, 64),  # 58
        (7, 8, 0, 0, 0, 128),  # 66
        (6, 9, 0, 0, 0, 64),  # 64 exactly
        (64, 8, 0, 0, 0, 576),  # 522
        (65, 8, 0, 0, 0, 640),  # 522 -> 576, 18 -> 64
        (128, 8, 0, 0, 0, 1152),
        (64, 8, 10, 0, 0, 1216),  # 1162
        (63, 8, 10, 0, 0, 1152),  # 1144
        (10, 4, 6, 0, 0, 128),  # 110
        (10, 4, 6, 2, 0, 192),  # 130
        (10, 1, 6, 0, 4, 128),  # 120
        (1000, 8, 10, 0, 0, 15 * 1216 + 768),  # 40 left: 730
    ],
)
def test_a_list_takes_whole_words_per_block_of_64(synapses, weight, index, delay, tag, bits):
    assert bits_per_axon(np.array([synapses]), weight, index, delay, tag).tolist() == [bits]


def test_a_core_of_loihi_1_holds_about_116_500_dense_synapses_of_8_bits():
    full_lists = 1_048_576 // 576
    assert full_lists * 64 == 116_480


@pytest.mark.parametrize(("needed", "field"), [(1, 1), (5, 5), (6, 6), (7, 8), (8, 8)])
def test_there_is_no_weight_field_of_7_bits(needed, field):
    assert weight_field_bits(needed) == field


@pytest.mark.parametrize(
    ("targets", "field"), [(1, 6), (64, 6), (65, 7), (1024, 10), (1025, 11), (4096, 12), (8192, 13)]
)
def test_an_index_addresses_every_neuron_of_the_core(targets, field):
    assert index_field_bits(targets) == field


def test_a_full_list_is_stored_dense_and_a_short_one_indexed():
    full = SynapseLists(np.array([64]), np.array([3]), targets=64)
    assert axon_lists(full, 8) == 3 * 576
    short = SynapseLists(np.array([2]), np.array([3]), targets=64)
    assert axon_lists(short, 8) == 3 * 64  # 2 (8 + 6) + 10 = 38
