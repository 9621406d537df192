"""A small network on noisy copies of four images, and what chooses among its pruned forms."""

import numpy as np
import torch
from made_limits import use
from test_search import RecalibratedTimes, unlimited, wide

from spear_deploy.data import EncodedSplit, SplitName
from spear_deploy.search import CandidateFactory, SearchProblem, Tuner, choose
from spear_deploy.training import Recipe, fine_tune


def samples_of(count, seed, name=SplitName.TRAIN):
    """Noisy copies of one image a class."""
    labels = torch.arange(count) % 4
    images = torch.rand((4, 3), generator=torch.Generator().manual_seed(9))[labels]
    images = images + 0.1 * torch.rand((count, 3), generator=torch.Generator().manual_seed(seed))
    return EncodedSplit(name, images.expand(5, count, 3), labels, analog=True)


class OnTorch:
    """A target that computes as torch does, with a limit on neurons if one is given."""

    def __init__(self, problem, share=1.0, most_spikes=None):
        self.validation = problem.validation
        self.problem, self.budget_synops, self.most_spikes = problem, share * problem.budget_synops, most_spikes

    samples_ahead = 100

    def measure(self, model):
        return self.problem.factory.measure(model, self.problem.validation)

    def quantiser(self, model):
        return None

    def uses(self, model, measured):
        if self.most_spikes is None:
            return ()
        return (use("spikes", sum(layer.spikes for layer in measured.layers.values()), self.most_spikes),)


def problem_of(factory, share, factor=1.0):
    validation = samples_of(100, seed=1, name=SplitName.VALIDATION)
    problem = SearchProblem(factory, RecalibratedTimes(factor), share * factory.dense.synops, unlimited, validation)
    problem.evaluate(np.array([0.9, 0.9]))
    return problem


def chosen(problem, plan, target, count=1):
    tuned = []
    return choose(problem, Tuner(problem.factory, target, plan, 0), count, tuned.append), tuned


def learned_factory():
    """Of a network that has learned the four images."""
    train = samples_of(120, seed=0)
    dense = fine_tune(wide(24).neurons("c").model(), train, Recipe(epochs=15, batch=16, learning_rate=1e-2), seed=0)
    return CandidateFactory(dense, train)
