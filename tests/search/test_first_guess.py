import numpy as np
import pytest
import torch
from made_networks import Chain

from spear_deploy.data import EncodedSplit, SplitName
from spear_deploy.search import CandidateFactory
from spear_deploy.search.first_guess import WidthLaw


@pytest.fixture(scope="module")
def factory():
    """Two layers that may be pruned between an input and a read-out that may not."""
    chain = Chain((3,), 2).linear("fc1", 20).neurons("a").linear("fc2", 30).neurons("b").linear("fc3", 4)
    images = torch.rand((20, 3), generator=torch.Generator().manual_seed(0)).expand(5, 20, 3)
    split = EncodedSplit(SplitName.TRAIN, images, torch.arange(20) % 4, analog=True)
    return CandidateFactory(chain.neurons("c").model(), split)


def widths_product(factory, ratios, scale=1.0):
    """A share of the budget that follows the widths exactly."""
    layers = factory.dense.layers
    a, b = ratios
    return scale * (layers["a"].synops * a + layers["b"].synops * a * b + layers["c"].synops * b)


@pytest.mark.parametrize("scale", [0.7, 2.0])
def test_the_first_guess_meets_the_aim_where_synops_follow_the_widths(factory, scale):
    scale /= widths_product(factory, (0.5, 0.5))
    known = [(0.5, 0.5), (0.9, 0.3), (0.4, 0.6)]
    shares = {ratios: widths_product(factory, ratios, scale) for ratios in known}
    ray = np.array([0.35, 0.8])
    factor = WidthLaw(factory).factor(ray, shares, aim=0.6, floor=0.05)
    assert widths_product(factory, ray * factor, scale) == pytest.approx(0.6, rel=1e-3)


def test_the_first_guess_follows_what_the_widths_do_not_tell(factory):
    """Here a narrow first layer spikes twice as much as its width says."""

    def share(ratios):
        return widths_product(factory, ratios) / widths_product(factory, (0.5, 0.5)) * ratios[0] ** -1.0 / 2

    known = [(a, b) for a in (0.4, 0.5, 0.7, 0.9) for b in (0.3, 0.6, 0.8)]
    ray = np.array([0.6, 0.45])
    guessed = WidthLaw(factory).factor(ray, {ratios: share(ratios) for ratios in known}, aim=0.8, floor=0.05)
    blind = WidthLaw(factory).factor(ray, {known[0]: share(known[0])}, aim=0.8, floor=0.05)
    error, blind_error = (abs(np.log(share(ray * factor) / 0.8)) for factor in (guessed, blind))
    assert error < 0.05
    assert error < blind_error


def test_nothing_is_scaled_before_anything_is_known(factory):
    assert WidthLaw(factory).factor(np.array([0.3, 0.9]), {}, aim=0.9, floor=0.05) == 1.0


def test_a_network_that_fell_silent_tells_nothing(factory):
    law, ray = WidthLaw(factory), np.array([0.3, 0.9])
    known = {(0.5, 0.5): 2.0}
    silent = known | {(0.1, 0.1): 0.0}
    assert law.factor(ray, silent, aim=0.9, floor=0.05) == law.factor(ray, known, aim=0.9, floor=0.05) < 1.0
