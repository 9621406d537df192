"""Layers on Speck's cores, which differ and take one whole layer each."""

import os
import subprocess
import sys
from pathlib import Path

import nir
import numpy as np
import pytest

from spear_deploy.errors import ProfileError
from spear_deploy.hardware import Activity, estimate, load_profile, place
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


@pytest.fixture
def whole(tmp_path):
    """A chip that takes a whole layer a core, with memories of so many words; None for an unknown one."""

    def make(split="false", unit="words", **memories):
        lines = ['name = "whole"', 'title = "Whole layers"']
        source = 'status = "published"\nsource = "made up"'
        if split is not None:
            lines.append(f'[layers.split]\nvalue = {split}\nunit = "yes or no"\n{source}')
        for name, sizes in memories.items():
            value = 'status = "unknown"' if sizes is None else f"value = {sizes}\n{source}"
            lines.append(f'[core.{name}_memory]\nunit = "{unit}"\n{value}')
        path = tmp_path / "whole.toml"
        path.write_text("\n".join(lines))
        return load_profile(path)

    return make


def four_by_two(build):
    """Two inputs onto four neurons with biases: 2 x 4 kernel words, 4 neuron words, 4 biases."""
    layer = nir.Conv2d(None, np.ones((4, 2, 1, 1)), 1, 0, 1, 1, np.ones(4))
    return build((2, 1, 1), layer, integrators((4, 1, 1)))


NEEDS = [("kernel", 8), ("neuron", 4), ("bias", 4)]


@pytest.mark.parametrize(("memory", "need"), NEEDS)
def test_a_memory_that_is_given_alone_is_held(build, whole, memory, need):
    network = four_by_two(build)
    assert place(network, whole(**{memory: [need]})).fits
    (finding,) = place(network, whole(**{memory: [need - 1]})).findings
    assert (finding.rule, finding.found, finding.source) == (f"{memory} memory of the core", f"{need} words", "made up")


@pytest.mark.parametrize(("memory", "need"), NEEDS)
def test_a_memory_of_unknown_size_leaves_the_others_held(build, whole, memory, need):
    sizes = {name: None for name, _ in NEEDS}
    placement = place(four_by_two(build), whole(**sizes | {memory: [need - 1]}))
    assert [finding.rule for finding in placement.findings] == [f"{memory} memory of the core"]
    assert placement.unchecked == tuple(f"core.{name}_memory" for name, _ in NEEDS if name != memory)


def test_a_core_without_words_of_a_memory_takes_no_layer_that_needs_some(build, whole):
    network = four_by_two(build)
    (core,) = place(network, whole(kernel=[0, 8, 1], neuron=[4, 4, 4], bias=[0, 4, 4])).cores
    assert core.number == 1
    placement = place(network, whole(kernel=[0, 1, 4]))
    assert (placement.fits, placement.cores[0].number) == (False, 2)


@pytest.mark.parametrize(
    ("memories", "message"),
    [
        ({"kernel": [8, 8], "neuron": [4], "bias": [4, 4]}, "core.neuron_memory: 1 given, the chip.s cores are 2"),
        ({"kernel": [8, -8]}, "core.kernel_memory: sizes must be from 0 on"),
        ({"neuron": [0, 0]}, "core.neuron_memory: a limit of 0 holds no network"),
        ({"bias": [4], "split": "true"}, "core.bias_memory: holds a whole layer.*layers.split = false"),
        ({"bias": [4], "split": None}, "core.bias_memory: holds a whole layer.*layers.split = false"),
    ],
)
def test_memories_of_whole_layers_that_do_not_agree_with_the_chip_are_refused(whole, memories, message):
    with pytest.raises(ProfileError, match=message):
        whole(**memories)


def test_memories_of_more_cores_than_the_chip_has_are_refused(tmp_path):
    path = tmp_path / "fewer.toml"
    path.write_text(
        'name = "fewer"\ntitle = "Fewer cores"\ninherits = "speck2f"\n'
        '[chip.cores_per_chip]\nvalue = 4\nunit = "cores"\nstatus = "estimated"\nsource = "made up"\n'
    )
    with pytest.raises(ProfileError, match=r"core\.kernel_memory: 9 given, the chip.s cores are 4"):
        load_profile(path)


def chain(build, layers):
    """Layers of two neurons: one input, then 2 x 2 weights each, 4 kernel words."""
    dense = [nir.Linear(np.ones((2, 2))) for _ in range(layers - 1)]
    return build((1,), nir.Linear(np.ones((2, 1))), "lif", *(part for each in dense for part in (each, "lif")))


CHIPS = {"layers.split": (False, "yes or no"), "core.kernel_memory": ([4, 4], "words")}


@pytest.mark.parametrize(("layers", "chips", "needed"), [(2, 3, 1), (3, 3, 2), (4, 2, 2), (6, 3, 3)])
def test_layers_take_the_cores_of_as_few_chips_as_hold_them(build, chip_file, layers, chips, needed):
    profile = load_profile(chip_file(CHIPS | {"chip.chips": (chips, "chips")}))
    placement = place(chain(build, layers), profile)
    assert placement.fits
    assert len({core.number for core in placement.cores}) == layers
    assert placement.chips_needed == len({core.number // 2 for core in placement.cores}) == needed
    assert placement.profile.cores_available == 2 * chips


def test_layers_that_follow_each_other_share_a_chip_and_the_messages_between_chips_are_counted(build, chip_file):
    """Four layers on two chips of two cores: of three connections only that from the second to the third crosses."""
    network = chain(build, 4)
    price = {"energy.message_between_chips": (5, "pJ")}
    placement = place(network, load_profile(chip_file(CHIPS | price | {"chip.chips": (2, "chips")})))
    assert [core.number // 2 for core in placement.cores] == [0, 0, 1, 1]
    spikes = {name: np.full(network.shapes[name], 3.0) for name in (network.input, *network.layers)}
    cost = estimate(network, placement, Activity(spikes, 4, analog_input=False))
    (between,) = [part for part in cost.parts if part.name == "messages between chips"]
    assert between.count == 2 * 3


def test_a_chip_of_one_large_core_lends_it_once_a_chip(build, chip_file):
    """Three layers take 4 words, and each chip has one core that holds them; the first takes 2."""
    figures = CHIPS | {"core.kernel_memory": ([1, 4], "words"), "chip.chips": (3, "chips")}
    placement = place(chain(build, 4), load_profile(chip_file(figures)))
    assert [finding.rule for finding in placement.findings] == ["core for the layer"]
    assert placement.findings[0].allowed == "6 cores"
    first_of_2_words = chip_file(figures | {"core.kernel_memory": ([2, 4], "words")})
    fits = place(chain(build, 4), load_profile(first_of_2_words))
    assert (fits.fits, fits.chips_needed) == (True, 3)


def test_layers_without_a_core_are_counted_on_and_no_core_holds_two(build, chip_file):
    placement = place(chain(build, 5), load_profile(chip_file(CHIPS)))
    assert sorted(core.number for core in placement.cores) == [0, 1, 2, 3, 4]


def test_memories_are_those_of_the_cores_that_can_be_used(chip_file):
    """Which of four cores is left out is not known, so the sizes are of the three others."""
    cores = {"chip.cores_per_chip": (4, "cores"), "chip.usable_cores_per_chip": (3, "cores")}
    sizes = {"core.kernel_memory": ([4, 4, 8], "words")}
    assert load_profile(chip_file(CHIPS | cores | sizes)).cores_available == 3
    with pytest.raises(ProfileError, match=r"core\.kernel_memory: 4 given, the chip.s cores are 3"):
        load_profile(chip_file(CHIPS | cores | {"core.kernel_memory": ([4, 4, 4, 4], "words")}))


_PLACED = """
from made_networks import Chain
from spear_deploy.hardware import load_profile, place

chain = Chain((1, 8, 8))
for number in range(4):
    chain = chain.conv(f"conv{number}", 4).neurons(f"lif{number}")
print([(core.layer, core.number) for core in place(chain.model().network, load_profile("speck2f")).cores])
"""


def test_layers_lie_on_the_same_cores_in_every_process():
    """Whose sets of names are in another order each."""
    paths = os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])
    found = {
        subprocess.run(
            [sys.executable, "-c", _PLACED],
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": paths},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in "123"
    }
    assert len(found) == 1
    assert "lif3" in found.pop()
