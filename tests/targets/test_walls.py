"""What a chip forbids of a network, with ways out that lead somewhere."""

from dataclasses import replace

import pytest
from made_networks import plain

from spear_deploy.hardware import load_profile
from spear_deploy.network import Encoding
from spear_deploy.targets.walls import walls_of

LOIHI1 = load_profile("loihi1")


def wall_of_the_input(encoding, adapted=False):
    model = replace(plain().model(), encoding=encoding)
    walls = walls_of(LOIHI1, model, analog=True, adapted=adapted)
    (found,) = [text for text in walls if "analog input: values" in text]
    return found


def test_a_conversion_is_advised_where_it_helps_what_is_to_be_pruned():
    assert wall_of_the_input(Encoding.COUNTS).partition(", or give ")[2].startswith("`adapt=True`")


@pytest.mark.parametrize(("encoding", "adapted"), [(Encoding.COUNTS, True), (Encoding.DIRECT, False)])
def test_a_conversion_is_not_advised_that_was_made_or_would_leave_the_layer_to_the_host(encoding, adapted):
    assert wall_of_the_input(encoding, adapted).endswith("; train with rate-coded or event input")
