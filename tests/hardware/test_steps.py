"""Every connection takes a step: what goes a shorter way waits, and a loop is as late as its layers are many."""

from itertools import pairwise

import nir
import numpy as np
import pytest

from spear_deploy.hardware import load_profile
from spear_deploy.hardware.rules.verdict import check
from spear_deploy.network import Network


def neurons():
    ones = np.ones(2)
    return nir.LIF(ones * 2e-4, ones, ones * 0.0, ones, v_reset=ones * 0.0, metadata={"dt": 1e-4})


def network(*edges, delays=()):
    """Layers of two neurons joined by identities; the edges of `delays` are those many steps late."""
    nodes = {"input": nir.Input(np.array([2])), "output": nir.Output(np.array([2]))}
    joined = []
    for source, target, *late in edges:
        nodes |= {name: neurons() for name in (source, target) if name not in nodes}
        way = f"{source}_{target}_{len(joined)}"
        nodes[way] = nir.Delay(np.full(2, late[0] * 1e-4)) if late else nir.Linear(np.eye(2))
        joined += [(source, way), (way, target)]
    last = edges[-1][1]
    return Network(nir.NIRGraph(nodes, [*joined, (last, "output")], type_check=False))


CHAIN = [("input", "a"), ("a", "b"), ("b", "c"), ("c", "d")]
SKIP = [*CHAIN, ("a", "d")]
UNEQUAL = [*CHAIN, ("a", "s"), ("s", "d")]
STEPPED = {"time.barrier": (11, "ns")}


@pytest.fixture
def found(chip_file):
    """What is found of a network on a chip that holds delays from and to, and works in steps unless told."""

    def make(made, delays, more=STEPPED):
        profile = load_profile(chip_file({"synapses.delay": (list(delays), "steps"), **more}))
        return [(each.node, each.found, each.allowed) for each in check(made, profile, analog_input=False).violations]

    return make


@pytest.mark.parametrize(
    ("delays", "allowed"),
    [((0, 0), 1), ((0, 1), 2), ((0, 2), None), ((1, 1), 1), ((1, 2), 2), ((1, 3), None), ((2, 5), 5), ((2, 6), None)],
)
def test_a_skip_waits_for_spikes_that_cross_two_more_layers(found, delays, allowed):
    """A delay of 0 is none beside the step that every connection takes; one from 1 on is that step too."""
    steps = 3 * max(delays[0], 1)
    wall = [("a to d", f"{steps} steps, as through b, c", f"at most {allowed} steps")] if allowed else []
    assert found(network(*SKIP), delays) == wall


def test_a_chip_whose_spikes_act_as_they_arrive_lets_none_wait(found):
    assert found(network(*SKIP), (0, 0), {}) == []


@pytest.mark.parametrize("delays", [(0, 0), (1, 1)])
def test_layers_one_after_the_other_need_no_wait(found, delays):
    assert found(network(*CHAIN), delays) == []


@pytest.mark.parametrize("delays", [(0, 0), (1, 1)])
def test_the_input_is_sent_to_each_layer_when_it_is_due(found, delays):
    assert found(network(*CHAIN, ("input", "d")), delays) == []


@pytest.mark.parametrize(("longest", "fits"), [(1, False), (2, True)])
def test_the_layers_of_a_shorter_branch_share_its_wait(found, longest, fits):
    """Two connections through s are as long as three through b and c where one of them waits a step."""
    wall = [("a to s; s to d", "3 steps, as through b, c", "at most 2 steps")]
    assert found(network(*UNEQUAL), (1, longest)) == ([] if fits else wall)


@pytest.mark.parametrize(("steps", "fits"), [(13, True), (14, False)])
def test_a_skip_that_is_delayed_waits_for_both(found, steps, fits):
    """Delays of 1 to 15: two steps more for the two layers that it skips."""
    made = network(*CHAIN, ("a", "d", steps - 1))
    wall = [("a to d", f"{steps + 2} steps, as through b, c", "at most 15 steps")]
    assert found(made, (1, 15)) == ([] if fits else wall)


def test_a_delay_on_the_longer_way_is_taken_off_it(found):
    """Spikes that are to be two steps late through b, and cross it in two, are late enough in none."""
    made = network(("input", "a"), ("a", "b", 1), ("b", "c"), ("a", "c"))
    assert found(made, (1, 1)) == []


def loop(layers, late=0):
    """So many layers one after the other, and back from the last to the first, with a delay of so many steps."""
    names = "abcd"[:layers]
    back = (names[-1], names[0], late) if late else (names[-1], names[0])
    return network(("input", "a"), *pairwise(names), back)


@pytest.mark.parametrize("delays", [(0, 0), (1, 1)])
def test_layers_that_feed_themselves_wait_for_nothing(found, delays):
    assert found(network(("input", "a"), ("a", "a"), ("a", "b"), ("b", "b")), delays) == []


@pytest.mark.parametrize(
    ("layers", "least", "needed"), [(1, 1, 1), (1, 2, 2), (2, 0, 2), (2, 1, 2), (3, 1, 3), (2, 2, 4)]
)
def test_a_loop_is_one_step_late_in_the_network_and_on_the_chip_one_for_each_connection(found, layers, least, needed):
    wall = [(", ".join("abcd"[:layers]), "1 step late", f"at least {needed} steps")] if needed > 1 else []
    assert found(loop(layers), (least, 9)) == wall


@pytest.mark.parametrize(("layers", "late", "fits"), [(2, 1, False), (2, 2, True), (3, 2, False), (3, 3, True)])
def test_delays_in_a_loop_make_it_as_late(found, layers, late, fits):
    told = f"{late} step{'s' * (late > 1)} late"
    wall = [] if fits else [(", ".join("abcd"[:layers]), told, f"at least {layers} steps")]
    assert found(loop(layers, late), (1, 9)) == wall


def test_of_loops_within_loops_each_is_told(found):
    inner = ("c", "b")
    assert found(network(*CHAIN[:3], inner, ("c", "a")), (1, 9)) == [
        ("b, c", "1 step late", "at least 2 steps"),
        ("a, b, c", "1 step late", "at least 3 steps"),
    ]


def test_a_loop_is_late_on_a_chip_of_which_no_delay_is_known(chip_file):
    chip = load_profile(chip_file(STEPPED))
    assert [each.rule for each in check(loop(2), chip, analog_input=False).violations] == ["loop delay"]


def test_where_spikes_act_as_they_arrive_no_step_is_counted(found):
    assert found(loop(3), (0, 0), {}) == []
