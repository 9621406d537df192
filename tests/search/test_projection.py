"""Projection onto a budget: what is claimed along a ray, for networks that hang together in different ways."""

import numpy as np
import pytest
import torch
from made_networks import Chain, plain, recurrent, strided_and_padded

from spear_deploy.data import EncodedSplit, SplitName
from spear_deploy.search import ESTIMATORS, CandidateFactory, SearchProblem, collect_samples
from spear_deploy.training import Recipe

DIRECTIONS = 500
FACTORS = np.geomspace(0.1, 1.0, 5)


def made_of(count, shape, seed=0, name=SplitName.TRAIN):
    images = torch.rand((count, *shape), generator=torch.Generator().manual_seed(seed))
    return EncodedSplit(name, images.expand(3, count, *shape), torch.arange(count) % 4, analog=True)


def problem_of(chain, shape, share, samples=8):
    """With the ridge on few samples: its intervals grow again for narrow networks."""
    factory = CandidateFactory(chain.model(3), made_of(24, shape))
    made = collect_samples(factory, samples, Recipe(epochs=1, batch=24, learning_rate=1e-2), seed=0)
    validation = made_of(10, shape, seed=1, name=SplitName.VALIDATION)
    limit = share * factory.dense.synops
    return SearchProblem(factory, ESTIMATORS["ridge"](made), limit, lambda network: (), validation)


@pytest.mark.parametrize(
    ("chain", "shape"),
    [(plain, (3,)), (recurrent, (3,)), (strided_and_padded, (2, 7, 6))],
    ids=["dense", "recurrent", "convolutional"],
)
def test_the_claimed_share_never_falls_as_the_factor_rises_in_500_random_directions(chain, shape):
    problem = problem_of(chain(), shape, share=0.3)
    rng = np.random.default_rng(0)
    for _ in range(DIRECTIONS):
        ratios = np.exp(rng.uniform(np.log(0.05), 0.0, problem.dimensions))
        claimed = problem.claims(ratios, FACTORS / ratios.max())
        assert np.diff(claimed).min() >= 0


@pytest.mark.parametrize(
    ("chain", "shape"),
    [
        (
            Chain((3,), 2).linear("fc1", 48).neurons("a").linear("fc2", 40).neurons("b").linear("fc3", 4).neurons("c"),
            (3,),
        ),
        (
            Chain((1, 6, 6), 2)
            .conv("conv1", 16)
            .neurons("a")
            .conv("conv2", 24, stride=2)
            .neurons("b")
            .flatten()
            .linear("fc", 4)
            .neurons("c"),
            (1, 6, 6),
        ),
    ],
    ids=["dense", "convolutional"],
)
def test_equal_ratios_claim_nine_tenths_of_a_limit_of_15_percent(chain, shape):
    problem = problem_of(chain, shape, share=0.15, samples=12)
    found = problem.project(np.ones(problem.dimensions)).features.keep_ratios
    assert 0.9 <= problem.claims(found, [1.0])[0] <= 1
