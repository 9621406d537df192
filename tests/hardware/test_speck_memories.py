"""Layers on Speck's cores, which differ and take one whole layer each."""

import nir
import numpy as np
import pytest

from spear_deploy.hardware import load_profile, place
from spear_deploy.hardware.placement.whole_layers import core_sizes


def conv(outputs=1, inputs=1, kernel=3, stride=1, padding=0):
    size = (kernel, kernel) if isinstance(kernel, int) else kernel
    return nir.Conv2d(None, np.ones((outputs, inputs, *size)), stride, padding, 1, 1, np.zeros(outputs))


def integrators(shape):
    ones = np.ones(shape)
    return nir.IF(r=ones, v_threshold=ones, v_reset=ones * 0, metadata={"dt": 1.0})


# c 2^(ceil log2(kx ky) + ceil log2 f): 32 inputs, 3 x 3 -> 16, 128 outputs: 65,536 words, the largest core.
@pytest.mark.parametrize(("outputs", "fits"), [(128, True), (129, False)])
def test_a_layer_fills_the_largest_kernel_memory_of_speck(build, outputs, fits):
    network = build((32, 3, 3), conv(outputs, 32), integrators((outputs, 1, 1)))
    assert place(network, load_profile("speck2f")).fits == fits


# f 2^(ceil log2 fy + ceil log2 fx): 16 x 64 x 64 = 65,536 words on the first three cores.
@pytest.mark.parametrize(("channels", "fits"), [(16, True), (17, False)])
def test_a_layer_fills_the_largest_neuron_memory_of_speck(build, channels, fits):
    network = build((1, 64, 64), conv(channels, 1, kernel=1), integrators((channels, 64, 64)))
    assert place(network, load_profile("speck2f")).fits == fits


@pytest.mark.parametrize(("outputs", "fits"), [(1024, True), (1025, False)])
def test_a_layer_fills_the_bias_memory_of_speck(build, outputs, fits):
    layer = nir.Conv2d(None, np.ones((outputs, 1, 1, 1)), 1, 0, 1, 1, np.ones(outputs))
    network = build((1, 1, 1), layer, integrators((outputs, 1, 1)))
    assert place(network, load_profile("speck2f")).fits == fits


def test_only_two_cores_of_speck_hold_64_ki_kernel_words(build):
    """256 channels onto 256 by 1 x 1 kernels are 65,536 words, which cores 5 and 6 hold."""
    layer = [conv(256, 256, kernel=1), integrators((256, 1, 1))]
    speck = load_profile("speck2f")
    two, three = (place(build((256, 1, 1), *layer * count), speck) for count in (2, 3))
    assert two.fits
    assert {core.number for core in two.cores} == {5, 6}
    assert [finding.rule for finding in three.findings] == ["core for the layer"]


def test_the_profile_of_speck_names_every_core():
    assert len(core_sizes(load_profile("speck2f"))) == 9
    assert sum(size[1] for size in core_sizes(load_profile("speck2f"))) == 327_680
