"""Small search problems of one network at several budgets, on a chip that holds so many neurons."""

import numpy as np
import torch
from made_limits import use
from made_networks import Chain

from spear_deploy.data import EncodedSplit, SplitName
from spear_deploy.search import CandidateFactory, Prediction, SearchProblem

WIDTH = 12


class AsRecalibrated:
    """Predicts that SynOps stay as they are after recalibration."""

    name = "made up"
    needs_pruned_synops = False

    def predict(self, features):
        return Prediction(*[features.recalibrated_synops] * 3)


def factory_of(groups):
    """Candidates of a network with so many prunable groups, on random images."""
    chain = Chain((3,), 2)
    for number in range(groups):
        chain = chain.linear(f"fc{number}", WIDTH).neurons(f"lif{number}")
    images = torch.rand((20, 3), generator=torch.Generator().manual_seed(0))
    split = EncodedSplit(SplitName.TRAIN, images.expand(5, 20, 3), torch.arange(20) % 4, analog=True)
    return CandidateFactory(chain.linear("read", 4).neurons("out").model(), split)


def most_neurons(allowed):
    """A chip that holds so many neurons."""

    def uses(network):
        neurons = sum(int(np.prod(network.shapes[layer])) for layer in network.layers)
        return (use("neurons", neurons, allowed),)

    return uses


def problems_of(factory, shares=(0.7, 0.3), neurons=1000):
    """One problem for each share of the dense SynOps, by its name."""
    return {
        f"{share:.0%}": SearchProblem(
            factory, AsRecalibrated(), share * factory.dense.synops, most_neurons(neurons), factory.train
        )
        for share in shares
    }
