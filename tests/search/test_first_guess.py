import numpy as np
import pytest
import torch
from made_networks import Chain

from spear_deploy.data import EncodedSplit, SplitName
from spear_deploy.network import fan_out
from spear_deploy.pruning import kept_by_layer
from spear_deploy.search import CandidateFactory
from spear_deploy.search.first_guess import DenseRatesLaw


def factory_of(chain, shape):
    """Candidates of a network between an input and a read-out whose channels stay."""
    images = torch.rand((20, *shape), generator=torch.Generator().manual_seed(0)).expand(5, 20, *shape)
    return CandidateFactory(chain.model(), EncodedSplit(SplitName.TRAIN, images, torch.arange(20) % 4, analog=True))


@pytest.fixture(scope="module")
def factory():
    chain = Chain((3,), 2)
    for name, size, neurons in (("fc1", 20, "a"), ("fc2", 30, "b"), ("fc3", 4, "c")):
        chain = chain.linear(name, size, zeros=0.0).neurons(neurons)
    return factory_of(chain, (3,))


@pytest.fixture(scope="module")
def with_maps():
    chain = Chain((2, 6, 6), 3).conv("c1", 8, zeros=0.0).neurons("a").conv("c2", 6, zeros=0.0).neurons("b")
    chain = chain.flatten("flat").linear("fc", 10, zeros=0.0).neurons("d").linear("out", 4, zeros=0.0)
    return factory_of(chain.neurons("e"), (2, 6, 6))


@pytest.fixture(scope="module")
def with_depthwise():
    """Channels of their own from `a` to `b`, by a convolution, and on to `d`, by a pool."""
    chain = Chain((2, 6, 6), 4).conv("c1", 8, zeros=0.0).neurons("a")
    chain = chain.conv("own", 8, groups=8, zeros=0.0).neurons("b").pool("p").neurons("d")
    chain = chain.conv("c2", 6, zeros=0.0).neurons("e").flatten("flat").linear("out", 4, zeros=0.0)
    return factory_of(chain.neurons("f"), (2, 6, 6))


def synops_at_dense_rates(factory, ratios):
    """What a pruned network would cause if every neuron that is left fired as it does in the dense one."""
    keep = kept_by_layer(factory.model.network, factory.all_groups, factory._keep(ratios))
    pruned = factory.pruned_network(ratios)
    events, total = factory.dense.events, 0.0
    for connection in pruned.connections:
        if connection.source == pruned.input:
            continue  # values
        fired = events[connection.source]
        if connection.source in keep:
            fired = fired[keep[connection.source]]
        total += float((fired * fan_out(pruned, connection).numpy()).sum())
    return total


@pytest.mark.parametrize("which", ["factory", "with_maps", "with_depthwise"])
def test_the_law_counts_the_kept_channels_own_spikes_on_the_synapses_that_are_left(request, which):
    factory = request.getfixturevalue(which)
    law, generator = DenseRatesLaw(factory), np.random.default_rng(0)
    for _ in range(8):
        ratios = factory.executed(generator.uniform(0.1, 1, len(factory.groups)))
        assert np.exp(law.log_synops(ratios[None])[0]) == pytest.approx(synops_at_dense_rates(factory, ratios))


def test_where_nothing_is_known_shares_are_the_laws_own(factory):
    ratios = factory.executed(np.array([0.4, 0.6]))
    share = np.exp(DenseRatesLaw(factory).corrected({}, otherwise=500.0).log_share(ratios))
    assert share == pytest.approx(synops_at_dense_rates(factory, ratios) / 500.0)


def test_the_guess_follows_what_the_law_does_not_tell(factory):
    """Here a narrow first layer spikes twice as much as its channels do in the dense network."""

    def share(ratios):
        return synops_at_dense_rates(factory, np.array(ratios)) / 500.0 / ratios[0]

    known = [(a, b) for a in (0.4, 0.5, 0.7, 0.9) for b in (0.3, 0.6, 0.8)]
    law, asked = DenseRatesLaw(factory), (0.6, 0.5)
    guessed = law.corrected({ratios: share(ratios) for ratios in known}, 1.0).log_share(np.array(asked))
    blind = law.corrected({known[0]: share(known[0])}, 1.0).log_share(np.array(asked))
    error, blind_error = (abs(each - np.log(share(asked))) for each in (guessed, blind))
    assert error < 0.05
    assert error < blind_error


def test_a_guess_that_was_held_against_a_candidate_is_right_about_it_and_nearer_beside_it(factory):
    here, beside = np.array([0.5, 0.5]), np.array([0.55, 0.5])
    guess = DenseRatesLaw(factory).corrected({}, otherwise=500.0)
    shifted = guess.shifted_to(here, 1.3)
    assert np.exp(shifted.log_share(here)) == pytest.approx(1.3)
    assert shifted.log_share(beside) - shifted.log_share(here) == pytest.approx(
        guess.log_share(beside) - guess.log_share(here)
    )


def test_a_network_that_fell_silent_tells_nothing(factory):
    law, ratios = DenseRatesLaw(factory), np.array([0.3, 0.9])
    known = {(0.5, 0.5): 2.0}
    silent = known | {(0.1, 0.1): 0.0}
    assert law.corrected(silent, 1.0).log_share(ratios) == law.corrected(known, 1.0).log_share(ratios)
    assert np.isfinite(law.corrected(known, 1.0).shifted_to(ratios, 0.0).log_share(ratios))
