import numpy as np
import pytest
from test_search import plain, samples_of

from spear_deploy.search import (
    AnchoredEstimator,
    CandidateFactory,
    ConstantEstimator,
    Features,
    LreSample,
    Prediction,
    anchored,
    collect_samples,
)
from spear_deploy.training import Recipe

RECIPE = Recipe(epochs=1, batch=20, learning_rate=1e-3)


@pytest.fixture(scope="module")
def factory():
    return CandidateFactory(plain().model(), samples_of(40, seed=0))


def test_networks_that_stand_in_for_a_prediction_lie_around_the_limit(factory):
    limit = 0.5 * factory.dense.synops
    told = []
    made = anchored(factory, limit, RECIPE, seed=0, on_made=lambda: told.append(1))
    found = [sample.features.recalibrated_synops for sample in made]
    assert len(made) == len(told) == 3
    assert min(found) < limit < max(found) * 1.3
    assert all(np.ptp(sample.features.keep_ratios) < 0.2 for sample in made)


def test_ratios_that_keep_the_same_channels_have_the_features_of_one_candidate(factory, made_here):
    ratios = np.full(len(factory.groups), 0.6)
    assert np.array_equal(factory.executed(ratios), factory.executed(ratios + 1e-4))
    made_here.clear()
    found = factory.features(ratios)
    assert factory.features(ratios + 1e-4) is found
    assert factory.features(0.5 * ratios) is not found
    assert len(made_here) <= 2  # others of this factory may have been asked for before
    made = factory.candidate(ratios).features
    assert (made.recalibrated_synops, made.recalibrated_by_layer) == (
        found.recalibrated_synops,
        found.recalibrated_by_layer,
    )


@pytest.mark.parametrize(("apart", "width"), [(0.01, 1.5), (1.0, None)])
def test_what_stands_in_is_no_surer_of_other_networks_than_the_samples_are(apart, width):
    """Three networks of a kind lie near each other; samples of all kinds are a factor of 1.5 apart either way."""
    anchors = [ended(1000.0, 2.0 * np.exp(apart * off)) for off in (-1, 0, 1)]
    features = ended(500.0, 1.0).features
    found = AnchoredEstimator(anchors, Unsure()).predict(features)
    alone = ConstantEstimator.fit(anchors).predict(features)
    assert found.value == pytest.approx(1000.0)
    ends = (1000 / width, 1000 * width) if width else (alone.low, alone.high)
    assert (found.low, found.high) == pytest.approx(ends)


class Unsure:
    """An estimator that says half of what the others do, with a wide interval."""

    name, fewest_samples, needs_pruned_synops = "unsure", 1, False

    def predict(self, features):
        value = features.recalibrated_synops
        return Prediction(value, value / 1.5, value * 1.5)


def ended(before, ratio):
    """A network that had so many SynOps before its fine-tune, and so many times as many after it."""
    return LreSample(Features(np.array([0.5]), before), before * ratio, 0.9, {}, {})


def test_sampling_goes_on_where_it_is_not_enough_and_is_not_asked_before_the_fewest(factory):
    asked = []

    def never(samples):
        asked.append(len(samples))
        return False

    made = collect_samples(factory, 9, RECIPE, 0, enough=never, fewest=6)
    assert len(made) == 9
    assert asked == [6, 9]
    asked.clear()
    assert len(collect_samples(factory, 9, RECIPE, 0, enough=lambda samples: True, fewest=6)) == 6
